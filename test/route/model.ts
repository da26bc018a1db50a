// A model of everything around one router: owners that follow P1 and P2 literally, an assigner, a network that delays, reorders,
// repeats and loses, moves that carry state and crashes that fall back to the last checkpoint. Eight keys stand for the key space,
// each with the range of an eighth; a line is `id,time,keys`.
import { createRng, type Rng } from "#limpet/base/rng.js";
import { HELD } from "#limpet/route/clerk.js";
import { ROUTER_DEFAULTS, Router, type RouterAction, type RouterLeft, type RouterOptions } from "#limpet/route/router.js";
import type { Assignment, Slice } from "#limpet/slice/assignment.js";
import type { BatchHead, BatchRange, RangeAnswer } from "#limpet/slice/batch.js";
import { KEY_END } from "#limpet/slice/keyRange.js";

export const KEYS = 8;
const WIDTH = KEY_END / KEYS;
const SERVERS = ["http://a", "http://b", "http://c"] as const;

/** Rules of the protocol that can be switched off, to see that the model notices. */
export type Rule =
  | "prev" // the owner looks for holes
  | "seq" // the owner looks for repetitions
  | "gap" // the router goes back
  | "kept" // the owner learns what is no longer held
  | "durable" // batches are kept until a copy has them
  | "ranges" // a batch is applied to the ranges it is meant for, no others
  | "oldest"; // what waits is declared

export interface Plan {
  readonly seed: number;
  readonly off?: Rule;
  readonly options?: Partial<RouterOptions>;
  readonly steps?: number;
  /** Percent of steps in which a key moves, crashes or is held. */
  readonly trouble?: number;
  readonly lines?: number;
  /** The network keeps order and loses nothing. */
  readonly fair?: boolean;
}

/** State of one key, as a snapshot holds it. */
interface KeyState {
  applied: number;
  pairs: string[];
  losses: number;
}

interface Key {
  /** undefined: held. */
  server: string | undefined;
  state: KeyState;
  checkpoint: KeyState;
  /** Steps for which it is in between two servers. */
  frozen: number;
}

type Message =
  | { readonly to: "owner"; readonly send: Extract<RouterAction, { kind: "send" }> }
  | { readonly to: "router"; readonly attempt: number; readonly ranges: readonly RangeAnswer[] };

const copy = (state: KeyState): KeyState => ({ ...state, pairs: [...state.pairs] });
const fresh = (): KeyState => ({ applied: 0, pairs: [], losses: 0 });

export class Model {
  readonly router: Router;
  readonly keys: Key[];
  readonly bad: string[] = [];
  readonly #plan: Plan;
  readonly #rng: Rng;
  #now = 1_000_000;
  #number = 0;
  #net: Message[] = [];
  #line = 0;
  /** Per key: pair -> event time, of everything given to the router. */
  readonly given: Map<string, number>[] = Array.from({ length: KEYS }, () => new Map<string, number>());
  /** Per key: what was given and not yet sent, or sent in batch `seq`. */
  readonly #waiting: Map<string, { readonly time: number; seq: number }>[] = Array.from(
    { length: KEYS },
    () => new Map<string, { readonly time: number; seq: number }>(),
  );
  sends = 0;
  /** Goodbyes after which an owner knew nothing more of the router. */
  forgotten = 0;
  left: RouterLeft | undefined;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#rng = createRng(plan.seed);
    this.router = new Router({
      ...ROUTER_DEFAULTS,
      router: "r.1",
      cluster: "",
      seed: plan.seed,
      timeoutMs: 2000,
      backoff: { minMs: 20, maxMs: 500 },
      sealMs: 40,
      sealBytes: 100,
      ...plan.options,
    });
    this.keys = Array.from({ length: KEYS }, () => ({ server: this.#any(), state: fresh(), checkpoint: fresh(), frozen: 0 }));
    this.#do({ kind: "rules", rules: { hash: "h", intervalMsMin: 1000, openMsMax: 300 } });
    this.#publish();
  }

  run(): this {
    const { steps = 600, trouble = 3, lines = 40 } = this.#plan;
    for (let i = 0; i < steps && this.bad.length === 0; i++) {
      // Bursts, and silence long enough for goodbyes.
      if (this.#rng.int(100) < lines && (i & 256) === 0) this.#give();
      if (this.#rng.int(100) < trouble) this.#trouble();
      if (this.#rng.int(10) === 0) this.#publish();
      if (this.#rng.int(8) === 0) this.#checkpoint();
      this.#step(this.#plan.fair !== true);
    }
    for (const key of this.keys) {
      key.frozen = 0;
      key.server ??= this.#any();
    }
    this.#publish();
    this.#do({ kind: "stop", deadlineMs: this.#now + 120_000 });
    while (this.left === undefined && this.bad.length === 0) {
      this.#checkpoint();
      this.#step(false);
    }
    return this;
  }

  #any(): string {
    return SERVERS[this.#rng.int(SERVERS.length)] ?? "";
  }

  #step(faults: boolean): void {
    this.#now += 10;
    for (const key of this.keys) if (key.frozen > 0) key.frozen--;
    this.#do({ kind: "tick" });
    for (let n = this.#rng.int(6); n > 0 && this.#net.length > 0; n--) this.#deliver(faults);
  }

  /** A line for one to three keys: a copy for each lane that has one of them. */
  #give(): void {
    const keys = [...new Set(Array.from({ length: 1 + this.#rng.int(3) }, () => this.#rng.int(KEYS)))];
    const time = this.#now - this.#rng.int(500);
    const id = String(++this.#line);
    for (const key of keys) {
      this.given[key]?.set(id, time);
      this.#waiting[key]?.set(id, { time, seq: Number.POSITIVE_INFINITY });
    }
    const lanes = new Set(keys.map((key) => this.router.clerk.routes[this.router.clerk.routeOf(key * WIDTH)]?.address ?? HELD));
    const body = Buffer.from(`${id},${String(time)},${keys.join("+")}\n`);
    for (const lane of lanes) this.#do({ kind: "lines", lane, piece: { body, lines: 1, oldestMs: time } });
  }

  #trouble(): void {
    const key = this.keys[this.#rng.int(KEYS)];
    if (key === undefined) return;
    const kind = this.#rng.int(10);
    if (kind < 6) {
      key.server = this.#any();
      key.frozen = this.#rng.int(20);
    } else if (kind < 9) {
      key.state = copy(key.checkpoint);
      key.server = this.#any();
    } else {
      key.state = copy(key.checkpoint);
      key.server = undefined;
    }
    if (this.#rng.int(2) === 0) this.#publish();
  }

  #checkpoint(): void {
    for (const key of this.keys) if (this.#rng.int(2) === 0) key.checkpoint = copy(key.state);
  }

  #publish(): void {
    for (const key of this.keys) if (key.server === undefined && this.#rng.int(4) === 0) key.server = this.#any();
    const generation = { incarnation: 1, number: ++this.#number };
    const slices: Slice[] = [];
    for (const [i, { server = null }] of this.keys.entries()) {
      const last = slices.at(-1);
      if (last?.owner === server) slices[slices.length - 1] = { ...last, high: (i + 1) * WIDTH };
      else {
        const movingTo = this.#rng.int(3) === 0 ? this.#any() : null;
        slices.push({
          low: i * WIDTH,
          high: (i + 1) * WIDTH,
          owner: server,
          standby: null,
          movingTo,
          move: movingTo === null ? null : generation,
          term: generation,
        });
      }
    }
    const resources = SERVERS.map((id) => ({ id, address: id, incarnation: "1", state: "running" as const, load: 0 }));
    const assignment: Assignment = { generation, rules: "h", slices, resources };
    this.#do({ kind: "assignment", assignment });
  }

  #do(event: Parameters<Router["step"]>[1]): void {
    for (const action of this.router.step(this.#now, event)) {
      if (action.kind === "send") {
        this.#checkSend(action.head, action.body);
        this.#net.push({ to: "owner", send: action });
      } else if (action.kind === "stopped") this.left = action.left;
    }
  }

  /** What the head says of the time of what is still to come holds. */
  #checkSend({ seq, ranges }: BatchHead, body: Uint8Array): void {
    this.sends++;
    const ids =
      body.length === 0
        ? []
        : Buffer.from(body)
            .toString()
            .trim()
            .split("\n")
            .map((line) => line.split(",")[0] ?? "");
    for (const { oldestMs, prev, key } of this.#keysOf(ranges)) {
      const waiting = this.#waiting[key] ?? new Map<string, { readonly time: number; seq: number }>();
      for (const id of ids) {
        const pair = waiting.get(id);
        if (pair !== undefined) pair.seq = Math.min(pair.seq, seq);
      }
      let oldest = Number.POSITIVE_INFINITY;
      for (const pair of waiting.values()) if (pair.seq > seq) oldest = Math.min(oldest, pair.time);
      const said = this.#plan.off === "oldest" ? this.#now : (oldestMs ?? Number.POSITIVE_INFINITY);
      // What was given up is not waited for.
      if (oldest < said && this.router.retention.batchesGivenUp === 0)
        this.bad.push(`batch ${String(seq)}@${String(prev)} says ${String(said)} for key ${String(key)}, but ${String(oldest)} waits`);
    }
  }

  #keysOf(ranges: readonly BatchRange[]): (BatchRange & { key: number })[] {
    return ranges.flatMap((range) => {
      return Array.from({ length: (range.high - range.low) / WIDTH }, (_, i) => ({ ...range, key: range.low / WIDTH + i }));
    });
  }

  #deliver(faults: boolean): void {
    const index = this.#plan.fair === true ? 0 : this.#rng.int(this.#net.length);
    const message = this.#net[index];
    if (message === undefined) return;
    const fate = faults ? this.#rng.int(20) : 9;
    // Repeated: it stays. Lost: it goes unread.
    if (fate > 0) this.#net.splice(index, 1);
    if (fate === 1) return;
    if (message.to === "router") this.#do({ kind: "answer", attempt: message.attempt, ranges: message.ranges });
    else if (fate === 2) this.#do({ kind: "failed", attempt: message.send.attempt });
    else this.#serve(message.send);
  }

  #serve({ attempt, address, head, body }: Extract<RouterAction, { kind: "send" }>): void {
    const lines = Buffer.from(body).toString().trim().split("\n");
    const meant = this.#keysOf(this.#plan.off === "ranges" ? head.ranges.map((range) => ({ ...range, low: 0, high: KEY_END })) : head.ranges);
    const answers = meant.map((range) => this.#answer(address, head.seq, range, body.length === 0 ? [] : lines));
    this.#net.push({ to: "router", attempt, ranges: answers });
  }

  /** P2, for one key. */
  #answer(address: string, seq: number, { key: number, prev, kept, oldestMs }: BatchRange & { key: number }, lines: readonly string[]): RangeAnswer {
    const range = { low: number * WIDTH, high: (number + 1) * WIDTH };
    const { off } = this.#plan;
    const key = this.keys[number];
    if (key === undefined || key.server !== address) return { ...range, answer: "elsewhere", applied: 0, durable: 0, owner: key?.server ?? null };
    if (key.frozen > 0) return { ...range, answer: "wait", applied: 0, durable: 0, owner: null };
    const { state } = key;
    const say = (answer: RangeAnswer["answer"]): RangeAnswer => {
      const durable = off === "durable" ? state.applied : Math.min(key.checkpoint.applied, state.applied);
      return { ...range, answer: off === "gap" && answer === "gap" ? "applied" : answer, applied: state.applied, durable, owner: null };
    };
    if (lines.length > 0 && state.applied >= seq && off !== "seq") return say("duplicate");
    if (lines.length === 0 && oldestMs === undefined && state.applied === key.checkpoint.applied && this.#isQuiet(number)) {
      // Goodbye, and all of it durable: an owner may forget the router. Not while anything of it may still arrive (`forget`).
      const goodbye = say("applied");
      state.applied = 0;
      key.checkpoint.applied = 0;
      this.forgotten++;
      return goodbye;
    }
    if (state.applied < prev && off !== "prev") {
      if (off === "kept" || prev >= kept) return say("gap");
      state.losses++;
      if (lines.length === 0) state.applied = prev;
    }
    for (const line of lines) {
      const [id = "", , keys = ""] = line.split(",");
      if (!keys.split("+").includes(String(number))) continue;
      if (state.pairs.includes(id)) this.bad.push(`line ${id} twice in key ${String(number)}`);
      state.pairs.push(id);
    }
    if (lines.length > 0) state.applied = Math.max(state.applied, seq);
    return say("applied");
  }

  /** Nothing with lines for a key is under way. */
  #isQuiet(number: number): boolean {
    return this.#net.every(
      (message) =>
        message.to === "router" || message.send.body.length === 0 || this.#keysOf(message.send.head.ranges).every(({ key }) => key !== number),
    );
  }

  /** Pairs that were given to the router and are in no key's state. */
  missing(): string[] {
    return this.given.flatMap((pairs, key) =>
      [...pairs.keys()].filter((id) => !this.keys[key]?.state.pairs.includes(id)).map((id) => `${id} in key ${String(key)}`),
    );
  }
}
