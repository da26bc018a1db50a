// `npm run bench -- move`: what it costs to hand a slice on. One owner with a million series, a peer in another process, real HTTP
// between them; slice after slice of 1/32 of the key space moves, while lines for the one that moves keep coming. There is no assigner
// (its Assignments are made here) and there are no sinks. docs/benchmarks.md explains and reports. --tiny: the same, small, for the tests.
import { fork } from "node:child_process";
import { once } from "node:events";
import os from "node:os";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { sliceBytes } from "#limpet/aggregate/sliceBytes.js";
import { xxh64High } from "#limpet/base/xxh64.js";
import { BatchSender } from "#limpet/http/batchSender.js";
import type { Assignment, Slice } from "#limpet/slice/assignment.js";
import type { BatchHead } from "#limpet/slice/batch.js";
import { contains, KEY_END, type KeyRange } from "#limpet/slice/keyRange.js";
import { CLUSTER, type MoveOwner, startMoveOwner } from "./moveOwner.js";
import { feedAll, linesOf, START_MS } from "./openEngine.js";

const FIELDS = 10;
const SERVICES = 1000;
const REGIONS = 8;
const SLICES = 32;
const SEND_MS = 20;
const LINES_PER_SEND = 40;
/** Lines that one feeding may have: kernel input. */
const FEED_LINES = 5000;
const WAIT_MS = 60_000;

interface Peer {
  readonly id: string;
  readonly address: string;
}

interface Moved {
  readonly totalMs: number;
  /** Frozen at the owner, until the peer's word that it serves. */
  readonly pauseMs: number;
  /** What the sender of the slice's lines waited for one batch, at most. */
  readonly waitMs: number;
  /** Longest the owner's event loop stood still. */
  readonly stallMs: number;
  readonly fullBytes: number;
  readonly lastBytes: number;
  readonly copies: number;
}

export async function moveBench(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { series: { type: "string" }, moves: { type: "string" }, tiny: { type: "boolean", default: false } },
  });
  const hosts = Math.ceil(Number(values.series ?? (values.tiny ? 2000 : 1_000_000)) / FIELDS);
  const moves = Math.min(SLICES, Number(values.moves ?? (values.tiny ? 2 : SLICES)));
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  say(`${os.cpus().length} x ${os.cpus()[0]?.model ?? "?"}, Node ${process.version}, load ${os.loadavg()[0]?.toFixed(2) ?? "?"}`);
  const child = fork(path.join(import.meta.dirname, "movePeer.js"), { stdio: "inherit" });
  const owner = await startMoveOwner("owner");
  try {
    // What movePeer.ts sends, once.
    const [peer] = (await once(child, "message")) as [Peer];
    const stage = new Stage(owner, peer, hosts);
    say(`${(hosts * FIELDS).toLocaleString("en-US")} series, ${stage.groups.toLocaleString("en-US")} groups, slices of 1/${SLICES}, ${moves} moves`);
    const moved: Moved[] = [];
    for (let i = 0; i < moves; i++) moved.push(await stage.move(i));
    report(moved, say);
  } finally {
    await owner.close();
    child.disconnect();
    await once(child, "exit");
  }
  return 0;
}

function report(moved: readonly Moved[], say: (text: string) => void): void {
  const row = (name: string, unit: string, read: (one: Moved) => number): void => {
    const sorted = moved.map(read).sort((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1);
    say(`${name.padEnd(34)} ${at(0.5).padStart(10)} ${at(0.99).padStart(10)} ${unit}`);
  };
  say(`${"".padEnd(34)} ${"p50".padStart(10)} ${"p99".padStart(10)}`);
  row("pause (frozen)", "ms", ({ pauseMs }) => pauseMs);
  row("a sender waited at most", "ms", ({ waitMs }) => waitMs);
  row("the owner's event loop stood still", "ms", ({ stallMs }) => stallMs);
  row("whole move", "ms", ({ totalMs }) => totalMs);
  row("whole copy", "KiB", ({ fullBytes }) => fullBytes / 1024);
  row("last increment", "KiB", ({ lastBytes }) => lastBytes / 1024);
  row("copies", "", ({ copies }) => copies);
  say(`load after ${os.loadavg()[0]?.toFixed(2) ?? "?"}`);
}

class Stage {
  readonly #owner: MoveOwner;
  readonly #peer: Peer;
  readonly #sender = new BatchSender({ timeoutMs: 10_000, connectionsPerOwner: 4, token: undefined });
  readonly #hosts: number;
  #generation = 1;
  #moved = 0;
  #seq = 0;

  constructor(owner: MoveOwner, peer: Peer, hosts: number) {
    this.#owner = owner;
    this.#peer = peer;
    this.#hosts = hosts;
    this.#publish();
    const fields = Array.from({ length: FIELDS }, (_, f) => `f${f}=1.5`).join(",");
    for (let from = 0; from < hosts; from += FEED_LINES) {
      const count = Math.min(FEED_LINES, hosts - from);
      feedAll(
        owner.engine,
        linesOf(count, (i) => `cpu,${this.#tags(from + i)} ${fields}`),
        count,
      );
    }
  }

  get groups(): number {
    return this.#owner.engine.ledger().rules.reduce((sum, { groups }) => sum + groups, 0);
  }

  /** Moves the next slice, under load. */
  async move(index: number): Promise<Moved> {
    const { driver, copies } = this.#owner;
    const range = rangeOf(index);
    const before = { out: driver.moves.out, aborted: driver.moves.aborted, copies: copies.length };
    const load = this.#load(range);
    await delay(SEND_MS * 5);
    const stalls = monitorEventLoopDelay({ resolution: 1 });
    stalls.enable();
    const startMs = performance.now();
    this.#publish(range);
    while (driver.moves.out === before.out) {
      if (driver.moves.aborted > before.aborted) throw new Error("a move was called off");
      if (performance.now() - startMs > WAIT_MS) throw new Error("a move does not end");
      await delay(1);
    }
    const totalMs = performance.now() - startMs;
    stalls.disable();
    this.#moved = index + 1;
    this.#publish();
    await delay(SEND_MS * 5);
    const waitMs = await load.stop();
    const sent = copies.slice(before.copies);
    return {
      totalMs,
      waitMs,
      stallMs: stalls.max / 1e6,
      pauseMs: driver.moves.pausesMs.at(-1) ?? Number.NaN,
      fullBytes: sent.find(({ head }) => head.full)?.bytes ?? 0,
      lastBytes: sent.at(-1)?.bytes ?? 0,
      copies: sent.length,
    };
  }

  /** An Assignment of all slices; `moving`: that one goes to the peer. */
  #publish(moving?: KeyRange): void {
    const generation = { incarnation: 1, number: ++this.#generation };
    const first = { incarnation: 1, number: 1 };
    const { id } = this.#owner.self;
    const slices = Array.from({ length: SLICES }, (_, i): Slice => {
      const range = rangeOf(i);
      const gone = i < this.#moved;
      // Whoever has it has it in the term of its move, which is the last but one Generation of it.
      const term = gone ? { incarnation: 1, number: 3 + 2 * i } : first;
      const moves = moving?.low === range.low;
      return {
        ...range,
        owner: gone ? this.#peer.id : id,
        standby: null,
        movingTo: moves ? this.#peer.id : null,
        move: moves ? generation : null,
        term,
      };
    });
    const resources = [this.#owner.self, this.#peer].map((one) => ({
      id: one.id,
      address: one.address,
      incarnation: "1",
      state: "running" as const,
      load: 0,
    }));
    const assignment: Assignment = { generation, rules: "", slices, resources };
    this.#owner.driver.assignment(assignment);
  }

  /** Lines of series of a range, every 20 ms, to whoever takes them. `stop` tells the longest that one batch waited. */
  #load(range: KeyRange): { stop(): Promise<number> } {
    const lines = this.#linesIn(range);
    let running = true;
    let prev = 0;
    const run = async (): Promise<number> => {
      let worst = 0;
      for (let round = 0; running; round++) {
        const startMs = performance.now();
        const picked = Array.from({ length: LINES_PER_SEND }, (_, i) => lines[(round * LINES_PER_SEND + i) % lines.length] ?? "");
        const body = Buffer.from(picked.map((line) => `${line} ${String(START_MS + 1500 + round)}000000\n`).join(""));
        const seq = ++this.#seq;
        while (!(await this.#offer(range, { seq, prev }, body))) await delay(2);
        prev = seq;
        worst = Math.max(worst, performance.now() - startMs);
        await delay(Math.max(1, SEND_MS - (performance.now() - startMs)));
      }
      return worst;
    };
    const done = run();
    return {
      stop: () => {
        running = false;
        return done;
      },
    };
  }

  /** Whether somebody has applied it. */
  async #offer({ low, high }: KeyRange, { seq, prev }: { readonly seq: number; readonly prev: number }, body: Uint8Array): Promise<boolean> {
    const ranges = [{ low, high, prev, kept: seq, oldestMs: undefined }];
    const head: BatchHead = { router: "bench.1", seq, ranges, statedMs: START_MS + 3000, rules: "", cluster: CLUSTER };
    const generation = { incarnation: 1, number: 1 };
    const here = this.#owner.driver.batch(head, generation, body).ranges;
    if (here.every(({ answer }) => answer === "applied")) return true;
    if (here.some(({ answer }) => answer !== "elsewhere")) return false;
    const there = await this.#sender.deliver(this.#peer.address, head, generation, body);
    return there.kind === "answered" && there.answer.ranges.every(({ answer }) => answer === "applied" || answer === "duplicate");
  }

  #linesIn(range: KeyRange): string[] {
    const lines: string[] = [];
    for (let host = 0; host < this.#hosts && lines.length < 5000; host++) {
      for (let f = 0; f < FIELDS; f++) {
        const key = xxh64High(sliceBytes(`cpu_f${f}:1h_by_host`, [["host", `h${host}`]]));
        if (contains(range, key)) lines.push(`cpu,${this.#tags(host)} f${f}=2.5`);
      }
    }
    if (lines.length === 0) throw new Error("no series in the slice");
    return lines;
  }

  #tags(host: number): string {
    return `host=h${host},region=r${host % REGIONS},service=s${host % SERVICES}`;
  }
}

function rangeOf(index: number): KeyRange {
  return { low: (index * KEY_END) / SLICES, high: ((index + 1) * KEY_END) / SLICES };
}
