// The processes of `limpet up --aggregators N`: an assigner and its aggregators, all on loopback.
//
//   starting ──/readyz 200──▶ running ──remove()──▶ leaving: hands its slices on ──exit 0──▶ ended, its ledger is kept
//       └──────────────────────────┴── gone by itself: `failed` rejects with its own words
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { fetchStatus, ledgerIn } from "./aggregatorChild.js";
import { type AggregatorLedger, sumLedgers } from "./ledger.js";
import { type ChildEnd, type LimpetChild, startChild } from "./limpetChild.js";
import { type ProcessUsage, readProcessUsage } from "./processUsage.js";
import { UpError } from "./upError.js";

export interface ClusterOptions {
  /** What starts a limpet, before its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly rulesFile: string;
  readonly sink: string;
  /** Of the assigner. */
  readonly storeFolder: string;
  /** Aggregators that the first assignment waits for. */
  readonly size: number;
  /** The assigner's; aggregators have those from two above on. Undefined: any. */
  readonly portBase: number | undefined;
  /** How long a process may take to hand on what it has and to end. */
  readonly stopDeadlineMs: number;
}

export interface Member {
  /** As people read it: `aggregator 2`. */
  readonly name: string;
  readonly child: LimpetChild;
  /** Its door, without a slash at the end. */
  readonly url: string;
  state: "starting" | "running" | "leaving" | "ended";
  /** The newest that was read; of an ended one its last word. */
  ledger: AggregatorLedger | undefined;
  usage: ProcessUsage | undefined;
  /** (sample, rule) pairs, smoothed over some seconds. */
  pairsPerSecond: number;
}

/** What is read of the assigner's status. */
const statusSchema = z.object({
  generation: z.string().nullable(),
  resources: z.array(z.object({ address: z.string(), slices: z.number(), share: z.number(), load: z.number() })),
  slices: z.number(),
  slicesMoving: z.number(),
  moves: z.record(z.string(), z.number()),
});

const memberSchema = z.object({ pairs_per_second: z.number() });

export type AssignerView = z.infer<typeof statusSchema>;

const READY_WAIT_MS = 90_000;
const POLL_MS = 100;
/** Why slices go from one live aggregator to another. */
const PLANNED = ["drain", "balance"] as const;

export class Cluster {
  readonly members: Member[] = [];
  readonly failed: Promise<never>;
  readonly #options: ClusterOptions;
  #assigner: LimpetChild | undefined;
  #assignerUrl = "";
  /** Children without a member yet. */
  readonly #orphans = new Set<LimpetChild>();
  #ending = false;
  /** Aggregators, so far. */
  started = 0;
  #fail: (error: UpError) => void = () => undefined;
  view: AssignerView | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Whoever waits for it hears it; nobody waits while it starts.
    this.failed.catch(() => undefined);
  }

  /** Throws UpError. */
  async start(): Promise<void> {
    const { rulesFile, storeFolder, size, portBase, command } = this.#options;
    const args = ["assign", "--rules", rulesFile, "--listen", loopback(portBase), "--store", `file:${storeFolder}`, "--min-resources", String(size)];
    const child = await startChild(command, args);
    this.#assigner = child;
    this.#assignerUrl = await this.#listening(child, "the assigner");
    this.#watch(child, "the assigner", () => this.#ending);
    await Promise.all(Array.from({ length: size }, () => this.add()));
  }

  get assignerUrl(): string {
    return this.#assignerUrl;
  }

  /** Starts one more and waits until it does its work. Throws UpError. */
  async add(): Promise<Member> {
    const { sink, portBase, command } = this.#options;
    if (this.#ending) throw new UpError("the cluster is ending", 1);
    const number = ++this.started;
    const listen = loopback(portBase === undefined ? undefined : portBase + 1 + number);
    const args = ["aggregate", "--mode", "output", "--assigner", this.#assignerUrl, "--sink", sink, "--listen", listen];
    const name = `aggregator ${String(number)}`;
    const child = await startChild(command, args);
    this.#orphans.add(child);
    const url = await this.#listening(child, name);
    const member: Member = { name, child, url, state: "starting", ledger: undefined, usage: undefined, pairsPerSecond: 0 };
    this.members.push(member);
    this.#orphans.delete(child);
    this.#watch(child, name, () => member.state === "leaving" || member.state === "ended");
    const sinceMs = performance.now();
    while (!(await isReady(url))) {
      if (performance.now() - sinceMs > READY_WAIT_MS) throw new UpError(`${name} was not ready within ${String(READY_WAIT_MS / 1000)} s`, 1);
      await Promise.race([delay(POLL_MS), this.failed]);
    }
    member.state = "running";
    return member;
  }

  /** Stops one as an operator does, and waits until it has handed on what it had. Throws UpError. */
  async remove(member: Member): Promise<void> {
    const { stopDeadlineMs } = this.#options;
    member.state = "leaving";
    member.child.kill("SIGTERM");
    const end = await Promise.race([member.child.ended, delay(stopDeadlineMs, undefined, { ref: false })]);
    if (end === undefined)
      throw new UpError(`${member.name} did not stop within ${String(stopDeadlineMs / 1000)} s and was killed; there is no ledger`, 1);
    if (end.exitCode !== 0) throw endError(member.name, end, member.child);
    if (end.ledger === undefined) throw new UpError(`${member.name} ended without printing its ledger`, 1);
    member.ledger = end.ledger;
    member.state = "ended";
  }

  /** One after the other, so that each has somebody to hand its slices to, but the last; then the assigner. Throws UpError. */
  async stop(): Promise<void> {
    for (const member of this.members) if (member.state !== "ended") await this.remove(member);
    this.#ending = true;
    this.#assigner?.kill("SIGTERM");
    await this.#assigner?.ended;
  }

  /** Nobody is left when it resolves. */
  async kill(): Promise<void> {
    this.#ending = true;
    const children = [...this.#orphans, ...this.members.map(({ child }) => child), ...(this.#assigner === undefined ? [] : [this.#assigner])];
    for (const member of this.members) member.state = "ended";
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(({ ended }) => ended));
  }

  running(): Member[] {
    return this.members.filter(({ state }) => state === "running");
  }

  /** Asks everybody how it is. */
  async poll(): Promise<void> {
    const [status] = await Promise.all([
      fetchStatus(this.#assignerUrl),
      ...this.members.map(async (member) => {
        if (member.state === "ended") return;
        const [page, usage] = await Promise.all([fetchStatus(member.url), readProcessUsage(member.child.pid)]);
        member.usage = usage ?? member.usage;
        member.pairsPerSecond = memberSchema.safeParse(page).data?.pairs_per_second ?? member.pairsPerSecond;
        // It may have ended meanwhile, and then its last word counts. By its type it cannot have changed: this is a wait later.
        if ((member.state as Member["state"]) !== "ended") member.ledger = ledgerIn(page) ?? member.ledger;
      }),
    ]);
    this.view = statusSchema.safeParse(status).data ?? this.view;
  }

  /** Over all aggregators that there are and were. */
  ledger(): AggregatorLedger | undefined {
    return sumLedgers(this.members.flatMap(({ ledger }) => ledger ?? []));
  }

  /** Slices that went from one live aggregator to another. */
  get moves(): number {
    return PLANNED.reduce((sum, reason) => sum + (this.view?.moves[reason] ?? 0), 0);
  }

  /** The newest warning of each process. */
  problems(): string[] {
    const named: [string, LimpetChild | undefined][] = [
      ["assigner", this.#assigner],
      ...this.members.map(({ name, child }): [string, LimpetChild] => [name, child]),
    ];
    return named.flatMap(([name, child]) => (child?.problems() ?? []).map((line) => `${name}: ${line}`));
  }

  async #listening(child: LimpetChild, name: string): Promise<string> {
    const url = await child.listening();
    if (url === undefined) throw endError(name, await child.ended, child);
    return url;
  }

  #watch(child: LimpetChild, name: string, meant: () => boolean): void {
    void child.ended.then((end) => {
      if (!meant()) this.#fail(endError(name, end, child));
    });
  }
}

function loopback(port: number | undefined): string {
  return `127.0.0.1:${String(port ?? 0)}`;
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    // It is gone: `failed` says so.
    return false;
  }
}

/** How a process ended that should not have, in its own words. */
export function endError(name: string, end: ChildEnd, child: Pick<LimpetChild, "problems">): UpError {
  const how = end.signal === undefined ? `with exit code ${String(end.exitCode)}` : `by ${end.signal}`;
  const words = child.problems().slice(-10);
  // 2 is a process's own word for bad usage or configuration, such as an error in the rules.
  return new UpError([`${name} ended ${how}`, ...words.map((line) => `  ${line}`)].join("\n"), end.exitCode === 2 ? 2 : 1);
}
