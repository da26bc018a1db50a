// Drives a Slicelet: requests and Assignments go in as events, what it wants is carried out, time passes.
//
//   starting ──a first Assignment──▶ serving ──drain──▶ draining ──everything handed on, or the deadline──▶ stopped
import type { SteadyClock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import type { PeerClient } from "../http/peerClient.js";
import type { Health } from "../http/probes.js";
import type { Assignment } from "../slice/assignment.js";
import type { BatchHead } from "../slice/batch.js";
import type { BatchAnswer } from "../slice/batchWire.js";
import { formatGeneration, type Generation, isNewer, NO_GENERATION } from "../slice/generation.js";
import { formatKeyRange, type KeyRange } from "../slice/keyRange.js";
import type { Holdings, Outbox } from "../slicelet/holdings.js";
import type { CopyAnswer, CopyHead, Go, GoAnswer } from "../slicelet/messages.js";
import type { OutgoingAction } from "../slicelet/outgoing.js";
import { describeMove, type Slicelet, type SliceletAction, type SliceletEvent } from "../slicelet/slicelet.js";

export interface SliceletDriverOptions {
  readonly slicelet: Slicelet;
  /** The Slicelet's, to count. */
  readonly holdings: Holdings;
  readonly peers: PeerClient;
  readonly clock: SteadyClock;
  readonly log: Log;
  /** Takes the rows of a frozen range that no sink has answered for out of the sinks. */
  readonly withdraw: (range: KeyRange) => Promise<Outbox>;
  /** Offers rows to their sinks: withdrawn here, or come with a range that serves here from now on. At once. */
  readonly resume: (outbox: Outbox) => void;
  /** A newer Assignment is about: get it. */
  readonly onBehind: () => void;
  /** A broken invariant: the process must end. */
  readonly onBroken: (error: unknown) => void;
}

/** How often, and how long for one range; by reason of the Slicelet. */
export interface MoveCounts {
  out: number;
  in: number;
  aborted: number;
  lost: number;
  /** The last 1000 pauses, ms. */
  readonly pausesMs: number[];
}

const TICK_MS = 100;
const PAUSES_MAX = 1000;
/** Under way at a time; with the heartbeat's period no less than what one may take (http/peerClient.ts). */
const REPORTS_MAX = 4;

export class SliceletDriver {
  readonly slicelet: Slicelet;
  readonly moves: MoveCounts = { out: 0, in: 0, aborted: 0, lost: 0, pausesMs: [] };
  readonly #options: SliceletDriverOptions;
  readonly #replies = new Map<number, SliceletAction>();
  #reply = 0;
  #ticking: NodeJS.Timeout | undefined;
  /** Reports under way. */
  #reporting = 0;
  /** Of the last report: pairs per second over all that is served. */
  #rate = 0;
  #cpu = { atMs: 0, usedMs: 0 };
  #kept: (() => void) | undefined;
  /** Resolve `#stopped`, and `#stayHeard`. */
  #sayStopped: () => void = () => undefined;
  #sayStayHeard: () => void = () => undefined;
  readonly #stopped = new Promise<void>((resolve) => {
    this.#sayStopped = resolve;
  });
  /** The assigner knows that this process stays. */
  readonly #stayHeard = new Promise<void>((resolve) => {
    this.#sayStayHeard = resolve;
  });
  #isHeard = true;
  /** Why the assigner has not taken this process in; undefined once it has. Then it may be away, or refuse, without harm. */
  #unheard: string | undefined = "the assigner has not heard of it yet";

  constructor(options: SliceletDriverOptions) {
    this.#options = options;
    this.slicelet = options.slicelet;
  }

  start(): void {
    this.#ticking ??= setInterval(() => {
      this.#measure();
      this.#step({ kind: "tick" });
    }, TICK_MS);
  }

  stop(): void {
    clearInterval(this.#ticking);
  }

  get generation(): Generation {
    return this.slicelet.assignment?.generation ?? NO_GENERATION;
  }

  get slicesOwned(): number {
    return this.#options.holdings.held().filter(({ frozen }) => !frozen).length;
  }

  /** Why no data should be taken: who was never heard owns nothing, and what it sends may be refused, as from another cluster. */
  get refusal(): string | undefined {
    return this.#unheard;
  }

  ready(): Health {
    if (this.#unheard !== undefined) return { ok: false, reason: this.#unheard };
    if (this.slicelet.assignment === undefined) return { ok: false, reason: "waiting for an assignment" };
    return this.slicelet.state === "running" ? { ok: true } : { ok: false, reason: this.slicelet.state };
  }

  assignment(assignment: Assignment): void {
    this.#step({ kind: "assignment", assignment });
  }

  /** `generation`: the newest one the router knows. */
  batch(head: BatchHead, generation: Generation, body: Uint8Array): BatchAnswer {
    if (isNewer(generation, this.generation)) this.#options.onBehind();
    const action = this.#ask((reply) => ({ kind: "batch", head, body, reply }));
    if (action?.kind !== "answer") throw new Error("a batch without an answer");
    return { generation: this.generation, ranges: action.answers };
  }

  copy(head: CopyHead, bytes: Uint8Array): CopyAnswer {
    const action = this.#ask((reply) => ({ kind: "copy", head, bytes, reply }));
    return action?.kind === "copy_answer" ? action.answer : "refused";
  }

  go(go: Go): GoAnswer {
    const action = this.#ask((reply) => ({ kind: "go", go, reply }));
    return action?.kind === "go_answer" ? action.answer : "unknown";
  }

  /** Hands everything on. Resolves when nothing is held any more; whoever calls has a deadline of its own. */
  drain(): Promise<void> {
    return this.#stop("drain");
  }

  /**
   * Stands still. `still` resolves when nothing is under way any more that others have been given, `heard` when the assigner knows that
   * this process comes back in place; whoever calls has deadlines of its own.
   */
  stay(): { readonly still: Promise<void>; readonly heard: Promise<void> } {
    return { still: this.#stop("stay"), heard: this.#stayHeard };
  }

  #stop(how: "drain" | "stay"): Promise<void> {
    this.#step({ kind: "stop", how });
    return this.#stopped;
  }

  /** Whether the assigner answered the last report, or the one before while none has ended since. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** Nothing is handed on any more. Resolves when what is still here is served here, and its rows are with their sinks again. */
  keep(): Promise<void> {
    const kept = new Promise<void>((resolve) => {
      this.#kept = resolve;
    });
    this.#step({ kind: "keep" });
    return kept;
  }

  #ask(make: (reply: number) => SliceletEvent): SliceletAction | undefined {
    const reply = ++this.#reply;
    this.#step(make(reply));
    const action = this.#replies.get(reply);
    this.#replies.delete(reply);
    return action;
  }

  #step(event: SliceletEvent): void {
    try {
      for (const action of this.slicelet.step(this.#options.clock.now(), event)) this.#carryOut(action);
      if (this.slicelet.moving.every(({ irrevocable }) => irrevocable)) this.#kept?.();
    } catch (error) {
      this.#options.onBroken(error);
    }
  }

  #carryOut(action: SliceletAction): void {
    const { log, peers } = this.#options;
    switch (action.kind) {
      case "answer":
      case "copy_answer":
      case "go_answer":
        this.#replies.set(action.reply, action);
        return;
      case "resume":
        this.#options.resume(action.outbox);
        return;
      case "send_copy":
      case "send_go":
      case "withdraw":
        void this.#move(action);
        return;
      case "report":
        this.#rate = action.report.serves.reduce((sum, { rate }) => sum + rate, 0);
        if (this.#reporting < REPORTS_MAX) void this.#report(action);
        return;
      case "put_assignment":
        void peers.putAssignment(action.assignment);
        return;
      case "moved":
        this.moves[action.how]++;
        if (action.how === "out" && this.moves.pausesMs.push(action.pauseMs) > PAUSES_MAX) this.moves.pausesMs.shift();
        log[action.how === "aborted" ? "warn" : "info"](describeMove(action), `slice moved ${action.how}`);
        return;
      case "lost":
        this.moves.lost++;
        log.error(`slice ${formatKeyRange(action.range)} is lost here: ${action.reason}`, "slice lost");
        this.#sayTwin();
        return;
      case "spare":
        log.info(`slice ${formatKeyRange(action.range)} of --data is not needed: ${action.reason}`, "slice spare");
        return;
      case "stopped":
        this.#sayStopped();
    }
  }

  /** Two processes with one address take each other's slices for ever, and what is sent to one of them never arrives. */
  #sayTwin(): void {
    const { self, assignment } = this.slicelet;
    const twin = assignment?.resources.find(({ id, address, state }) => address === self.address && id !== self.id && state === "running");
    if (twin !== undefined)
      this.#options.log.error(`${twin.id} says that it is at ${self.address} too; give each aggregator an --advertise of its own`, "twin");
  }

  async #move(action: Exclude<OutgoingAction, { readonly kind: "resume" }>): Promise<void> {
    const { peers, log, withdraw } = this.#options;
    if (action.kind === "withdraw") {
      const outbox = await withdraw(action.range);
      this.#step({ kind: "withdrawn", range: action.range, move: action.move, outbox });
    } else if (action.kind === "send_copy") {
      const sent = await peers.copy(action.address, action.head, action.bytes);
      if (sent.ok) this.#step({ kind: "copy_answered", head: action.head, answer: sent.value.answer });
      else log.warn(`copy of slice ${formatKeyRange(action.head)} to ${action.address}: ${sent.error}; it is sent again`, `copy ${action.address}`);
    } else {
      const sent = await peers.go(action.address, action.go);
      if (sent.ok) this.#step({ kind: "go_answered", go: action.go, answer: sent.value.answer });
      else log.warn(`go for slice ${formatKeyRange(action.go)} to ${action.address}: ${sent.error}; it is said again`, `go ${action.address}`);
    }
  }

  /** Each says everything again, so that none must be waited for: one that hangs must not look like a death. */
  async #report({ report }: Extract<SliceletAction, { kind: "report" }>): Promise<void> {
    this.#reporting++;
    const read = await this.#options.peers.report(report);
    this.#reporting--;
    this.#isHeard = read.ok;
    if (read.ok && report.state === "staying") this.#sayStayHeard();
    if (!read.ok) {
      if (this.#unheard !== undefined) this.#unheard = `the assigner has not heard of it yet: ${read.error}`;
      const meanwhile = this.#unheard === undefined ? "everything goes on, but nothing moves" : "no data is taken until it does";
      this.#options.log.warn(`the assigner does not hear us: ${read.error}; ${meanwhile}`, "assigner");
      return;
    }
    this.#unheard = undefined;
    if (isNewer(read.value.generation, this.generation)) this.#options.onBehind();
    this.#step({ kind: "reported", answer: read.value });
  }

  /** The share of one core that this process used of late. */
  #measure(): void {
    const nowMs = performance.now();
    if (nowMs - this.#cpu.atMs < 1000) return;
    const { user, system } = process.cpuUsage();
    const usedMs = (user + system) / 1000;
    if (this.#cpu.atMs > 0) this.#step({ kind: "load", load: (usedMs - this.#cpu.usedMs) / (nowMs - this.#cpu.atMs) });
    this.#cpu = { atMs: nowMs, usedMs };
  }

  /** For people. */
  status(): Readonly<Record<string, unknown>> {
    const { assignment, state, moving } = this.slicelet;
    return {
      state,
      generation: formatGeneration(this.generation),
      slices_moving: moving.length,
      pairs_per_second: this.#rate,
      slices_known: assignment?.slices.length ?? 0,
      moves: { out: this.moves.out, in: this.moves.in, aborted: this.moves.aborted, lost: this.moves.lost },
    };
  }
}
