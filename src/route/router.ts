// The router: the machine that numbers batches once and delivers each to whoever owns its key ranges, until it is durable there
// (PROTOCOL P1, P2, P9). Pure: `step(now, event)` returns actions; it does no I/O, reads no clock, and knows nothing of lines.
//
//   lines ─▶ lane (one per owner) ─▶ batch, numbered ─▶ held by Tracks ─▶ send ─▶ answer ─▶ durable: let go
//                                                          ▲   └─ gap, elsewhere, wait, failure: go back, ask again
//                                     assignment ──────────┘ ranges that moved go on at once at their new owner
//
// How to drive it
//   assignment  the first one before any lines. Then `clerk.routes` and `clerk.table` say which lane a key's lines belong to.
//   lines       whole lines for one lane. Ask `full` before taking input; what was taken is always kept.
//   answer, needRules, failed   the end of the attempt of a `send`; exactly one, or none: it is given up after timeoutMs, and an
//               end that comes later, or twice, is ignored.
//   rules       a newer rule file is in force here.  gossip: somebody named a Generation.
//   tick        every 20 ms or so.  stop: no more lines; `stopped` comes when all is durable and goodbye is said, or at the deadline.
//
// What it asks for
//   send        POST the body to the address; an empty body is a heartbeat. The body is shared, do not write to it.
//   fetch       get the newest Assignment; at most once a second.
//   offerRules  PUT the rule file to an owner that lacks it. The batch is sent again by itself.
//   stopped     the machine is at its end; what it could not deliver.
import type { BackoffOptions } from "../base/backoff.js";
import { createRng, type Rng } from "../base/rng.js";
import type { Assignment } from "../slice/assignment.js";
import type { BatchHead, BatchRange, RangeAnswer } from "../slice/batch.js";
import { type Generation, isNewer } from "../slice/generation.js";
import { type KeyRange, keysIn, shared, without } from "../slice/keyRange.js";
import { type Answered, type Asked, Settling } from "./answers.js";
import { Clerk, HELD } from "./clerk.js";
import { Lane, type LanePiece } from "./lane.js";
import { Peer } from "./peer.js";
import { type Batch, Retention } from "./retention.js";
import { openLanes, type SavedRouter, saveLanes } from "./savedRouter.js";
import { Track } from "./track.js";

export interface RouterOptions {
  /** NAME.INCARNATION, new at every start: numbers begin at 1. With `saved`: that one's. */
  readonly router: string;
  /** It goes on as this one. */
  readonly saved?: SavedRouter | undefined;
  readonly cluster: string;
  /** For jitter. */
  readonly seed: number;
  /** A lane is sealed at so many bytes, or when its oldest line is so old and nothing sealed waits to be sent. */
  readonly sealBytes: number;
  readonly sealMs: number;
  /** Requests under way to one address. */
  readonly window: number;
  readonly retentionBytesMax: number;
  readonly timeoutMs: number;
  readonly backoff: BackoffOptions;
}

export const ROUTER_DEFAULTS = {
  sealBytes: 262_144,
  sealMs: 100,
  window: 4,
  retentionBytesMax: 268_435_456,
  timeoutMs: 10_000,
  backoff: { minMs: 100, maxMs: 5000 },
} as const;

/** The rule file in force, as far as a router cares. */
export interface RouterRules {
  readonly hash: string;
  /** Shortest interval of its rules. */
  readonly intervalMsMin: number;
  /** Longest interval + grace: how long a window stays open at most. */
  readonly openMsMax: number;
}

export type RouterEvent =
  | { readonly kind: "assignment"; readonly assignment: Assignment }
  /** `lane`: an address of `clerk.routes`. */
  | { readonly kind: "lines"; readonly lane: string; readonly piece: LanePiece }
  | {
      readonly kind: "answer";
      readonly attempt: number;
      readonly ranges: readonly RangeAnswer[];
      /** The owner's. */
      readonly generation?: Generation;
    }
  | { readonly kind: "needRules"; readonly attempt: number }
  | { readonly kind: "failed"; readonly attempt: number }
  | { readonly kind: "rules"; readonly rules: RouterRules }
  | { readonly kind: "gossip"; readonly generation: Generation }
  | { readonly kind: "tick" }
  | { readonly kind: "stop"; readonly deadlineMs: number };

export type RouterAction =
  | { readonly kind: "send"; readonly attempt: number; readonly address: string; readonly head: BatchHead; readonly body: Uint8Array }
  | { readonly kind: "fetch" }
  | { readonly kind: "offerRules"; readonly address: string; readonly hash: string }
  | { readonly kind: "stopped"; readonly left: RouterLeft };

/** What a stop left behind. */
export interface RouterLeft {
  /** Applied by nobody: lost. */
  readonly batches: number;
  readonly lines: number;
  /** Applied, but a crash of their owner now would lose them. */
  readonly batchesUnprotected: number;
}

/** A request that is under way. */
interface Attempt {
  readonly number: number;
  readonly address: string;
  readonly ranges: readonly KeyRange[];
  readonly kind: Asked["kind"];
  readonly seq: number;
  /** undefined: the body is empty. */
  readonly batch: Batch | undefined;
  readonly sentMs: number;
}

const EMPTY = new Uint8Array(0);
const FETCH_MS = 1000;
const HEARTBEAT_MS_MIN = 1000;
/** While stopping, heartbeats ask for what is durable. */
const STOP_HEARTBEAT_MS = 100;
/** What silence after a goodbye is waited for. */
const GOODBYE_MS = 1000;

export class Router {
  readonly clerk = new Clerk();
  readonly retention: Retention;
  readonly #options: RouterOptions;
  readonly #rng: Rng;
  readonly #settling: Settling;
  #lanes = new Map<string, Lane>();
  readonly #peers = new Map<string, Peer>();
  readonly #attempts = new Map<number, Attempt>();
  /** Requests by what became of them. */
  readonly batchesByAnswer: Record<string, number> = {};
  #rules: RouterRules = { hash: "", intervalMsMin: HEARTBEAT_MS_MIN, openMsMax: 0 };
  #seq = 0;
  #attempt = 0;
  #fetchedMs = Number.NEGATIVE_INFINITY;
  #stop: { readonly deadlineMs: number; settledMs: number | undefined; done: boolean } | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#rng = createRng(options.seed);
    this.retention = new Retention(options.retentionBytesMax);
    this.#settling = new Settling(options.backoff, () => this.#rng.next());
    if (options.saved === undefined) return;
    this.#seq = options.saved.seq;
    this.#lanes = new Map(openLanes(options.saved, this.retention).map((lane) => [lane.address, lane]));
  }

  /** No more input now: the sender shall keep it. */
  get full(): boolean {
    return this.retention.full;
  }

  /** All that it keeps, numbered. Lines that come after it are in nothing: whoever asks takes none. */
  save(nowMs: number): SavedRouter {
    for (const lane of this.#lanes.values()) this.#seal(nowMs, lane);
    return saveLanes(this.#options.router, this.#seq, [...this.#lanes.values()]);
  }

  /** One event, in order. The actions are to be carried out in order. */
  step(nowMs: number, event: RouterEvent): RouterAction[] {
    const actions: RouterAction[] = [];
    this.#take(nowMs, event, actions);
    if (event.kind !== "lines") this.#pump(nowMs, actions);
    if (this.#stop !== undefined) this.#finish(nowMs, actions);
    return actions;
  }

  /** What waits, by lane. */
  lanes(): readonly { readonly address: string; readonly bytes: number; readonly tracks: number }[] {
    return [...this.#lanes.values()].map(({ address, bytes, tracks }) => ({ address, bytes, tracks: tracks.length }));
  }

  #take(nowMs: number, event: RouterEvent, actions: RouterAction[]): void {
    switch (event.kind) {
      case "assignment":
        return this.#assign(nowMs, event.assignment);
      case "lines":
        return this.#collect(nowMs, event.lane, event.piece, actions);
      case "answer":
        if (event.generation !== undefined) this.#gossip(nowMs, event.generation, actions);
        return this.#answer(nowMs, event.attempt, event.ranges, actions);
      case "needRules":
        return this.#needRules(nowMs, event.attempt, actions);
      case "failed":
        return this.#fail(nowMs, event.attempt, actions);
      case "rules":
        this.#rules = event.rules;
        return;
      case "gossip":
        return this.#gossip(nowMs, event.generation, actions);
      case "tick":
        return this.#tick(nowMs, actions);
      case "stop":
        this.#stop ??= { deadlineMs: event.deadlineMs, settledMs: undefined, done: false };
        for (const lane of this.#lanes.values()) {
          this.#seal(nowMs, lane);
          // The goodbye is due now, not at the next heartbeat: nobody would be here any more to say it.
          for (const track of lane.tracks) track.beatAtMs = nowMs;
        }
        return;
    }
  }

  #assign(nowMs: number, assignment: Assignment): void {
    if (!this.clerk.accept(assignment)) return;
    // What was collected so far was collected for the owners of before: it is numbered as theirs and then moves like any batch.
    for (const lane of this.#lanes.values()) this.#seal(nowMs, lane);
    const before = this.#lanes;
    this.#lanes = new Map(this.clerk.routes.map(({ address }) => [address, before.get(address) ?? new Lane(address, this.retention)]));
    if (before.size === 0) {
      for (const { address, ranges } of this.clerk.routes) this.#lanes.get(address)?.enter(new Track(ranges, address));
      return;
    }
    for (const from of before.values()) for (const track of [...from.tracks]) this.#move(from, track);
    // News is a reason to ask at once, also those who refused or failed before: they may have come back, or got what they lacked.
    for (const lane of this.#lanes.values()) {
      for (const track of lane.tracks) track.forgive();
      lane.merge();
    }
    for (const peer of this.#peers.values()) peer.answered();
    for (const [address, peer] of this.#peers) if (peer.inFlight === 0 && !this.#lanes.has(address)) this.#peers.delete(address);
  }

  /** What of a Track somebody else has now goes to his lane. */
  #move(from: Lane, track: Track): void {
    for (const [address, ranges] of this.clerk.divide(track.ranges)) {
      const to = this.#lanes.get(address);
      if (to === undefined || to === from) continue;
      const part = from.cut(track, ranges);
      from.leave(part);
      part.moveTo(address, this.#attempt);
      part.forgive();
      to.enter(part);
    }
  }

  #collect(nowMs: number, address: string, piece: LanePiece, actions: RouterAction[]): void {
    const lane = this.#lanes.get(address);
    if (lane === undefined) throw new Error(`no lane ${address}: lines are to be divided by the newest Assignment`);
    if (this.#stop !== undefined) throw new Error("lines after the stop");
    lane.add(piece, nowMs);
    if (lane.openBytes < this.#options.sealBytes) return;
    this.#seal(nowMs, lane);
    this.#pump(nowMs, actions);
  }

  #seal(nowMs: number, lane: Lane): void {
    if (lane.openBytes === 0) return;
    lane.seal(++this.#seq, nowMs + this.#rules.openMsMax);
    this.retention.relieve([...this.#lanes.values()]);
  }

  #tick(nowMs: number, actions: RouterAction[]): void {
    for (const lane of this.#lanes.values()) if (nowMs - lane.openSinceMs >= this.#options.sealMs && !lane.waits(nowMs)) this.#seal(nowMs, lane);
    for (const { number, sentMs } of this.#attempts.values()) {
      if (nowMs - sentMs >= this.#options.timeoutMs) this.#fail(nowMs, number, actions);
    }
    this.#beat(nowMs, actions);
  }

  // ---- sending -------------------------------------------------------------------------------------------------------

  /** Tracks by the address they ask now. */
  #tracksByTarget(nowMs: number, wanted: (track: Track, lane: Lane) => boolean): Map<string, [Track, Lane][]> {
    const byTarget = new Map<string, [Track, Lane][]>();
    for (const lane of this.#lanes.values()) {
      for (const track of lane.tracks) {
        if (track.target === HELD || nowMs < track.retryAtMs || !wanted(track, lane)) continue;
        const known = byTarget.get(track.target);
        if (known === undefined) byTarget.set(track.target, [[track, lane]]);
        else known.push([track, lane]);
      }
    }
    return byTarget;
  }

  #pump(nowMs: number, actions: RouterAction[]): void {
    for (const [address, tracks] of this.#tracksByTarget(nowMs, (track) => track.next() !== undefined)) {
      const peer = this.#peer(address);
      while (peer.room(nowMs, this.#options.window) > 0) {
        const next = tracks.reduce((least, [track]) => Math.min(least, track.next()?.batch.seq ?? least), Number.POSITIVE_INFINITY);
        if (next === Number.POSITIVE_INFINITY) break;
        this.#send(
          nowMs,
          address,
          tracks.filter(([track]) => track.next()?.batch.seq === next),
          actions,
        );
      }
    }
  }

  /** Sends the next batch of Tracks for which it is the same one. */
  #send(nowMs: number, address: string, tracks: readonly [Track, Lane][], actions: RouterAction[]): void {
    const ranges: BatchRange[] = [];
    let batch: Batch | undefined;
    for (const [track, lane] of tracks) {
      const next = track.next();
      if (next === undefined) continue;
      batch = next.batch;
      track.sent = batch.seq;
      track.beatAtMs = nowMs + this.#heartbeatMs();
      const kept = track.kept[0]?.batch.seq ?? batch.seq;
      const oldestMs = Math.min(nowMs, track.oldestAfter(batch.seq), lane.openOldestMs);
      for (const { low, high } of track.ranges) ranges.push({ low, high, prev: next.prev, kept, oldestMs });
    }
    if (batch === undefined) return;
    batch.flying++;
    this.#post(nowMs, { kind: "batch", address, ranges, seq: batch.seq, batch }, actions);
  }

  #post(nowMs: number, request: Omit<Attempt, "number" | "sentMs" | "ranges"> & { ranges: BatchRange[] }, actions: RouterAction[]): void {
    const { kind, address, seq, batch } = request;
    const ranges = request.ranges.sort((a, b) => a.low - b.low);
    const number = ++this.#attempt;
    this.#attempts.set(number, { kind, number, address, ranges, seq, batch, sentMs: nowMs });
    this.#peer(address).inFlight++;
    const { router, cluster } = this.#options;
    const head = { router, seq, ranges, statedMs: nowMs, rules: this.#rules.hash, cluster };
    actions.push({ kind: "send", attempt: number, address, head, body: batch?.body ?? EMPTY });
  }

  #peer(address: string): Peer {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    const peer = new Peer();
    this.#peers.set(address, peer);
    return peer;
  }

  // ---- heartbeats ----------------------------------------------------------------------------------------------------

  #heartbeatMs(): number {
    return this.#stop === undefined ? Math.max(HEARTBEAT_MS_MIN, this.#rules.intervalMsMin) : STOP_HEARTBEAT_MS;
  }

  /** Nothing more will come for it soon, and nothing of it is held. */
  #isLeaving(nowMs: number, track: Track, lane: Lane): boolean {
    return track.kept.length === 0 && lane.openBytes === 0 && (this.#stop !== undefined || nowMs > track.openUntilMs);
  }

  /**
   * Empty batches for ranges that have been fed and are silent: they move the watermark (`oldest`: all before it was delivered)
   * and hear what is durable. The last one is the goodbye.
   */
  #beat(nowMs: number, actions: RouterAction[]): void {
    const due = (track: Track): boolean => track.last > 0 && nowMs >= track.beatAtMs && track.delivered && track.sent === track.acked;
    for (const kind of ["heartbeat", "goodbye"] as const) {
      const leaves = kind === "goodbye";
      const wanted = (track: Track, lane: Lane): boolean => due(track) && this.#isLeaving(nowMs, track, lane) === leaves;
      for (const [address, tracks] of this.#tracksByTarget(nowMs, wanted)) {
        if (this.#peer(address).room(nowMs, this.#options.window) <= 0) continue;
        const ranges: BatchRange[] = [];
        for (const [track, lane] of tracks) {
          track.beatAtMs = nowMs + this.#heartbeatMs();
          // All of before is durable, and its owner may have forgotten it on an earlier goodbye.
          track.parted ||= leaves;
          const prev = track.parted ? 0 : track.last;
          const oldestMs = leaves ? undefined : Math.min(nowMs, lane.openOldestMs);
          const kept = track.kept[0]?.batch.seq ?? track.last + 1;
          for (const { low, high } of track.ranges) ranges.push({ low, high, prev, kept, oldestMs });
        }
        this.#post(nowMs, { kind, address, ranges, seq: this.#seq, batch: undefined }, actions);
      }
    }
  }

  // ---- what becomes of attempts --------------------------------------------------------------------------------------

  /** Takes an attempt off the books; undefined: it is off already. */
  #end(number: number, answer: string, delivered: boolean): Attempt | undefined {
    const attempt = this.#attempts.get(number);
    if (attempt === undefined) return undefined;
    this.#attempts.delete(number);
    this.#peer(attempt.address).inFlight--;
    const { batch } = attempt;
    if (batch === undefined) return attempt;
    this.batchesByAnswer[answer] = (this.batchesByAnswer[answer] ?? 0) + 1;
    batch.flying--;
    if (batch.fate === "lost" && batch.flying === 0 && !delivered) this.retention.countLost(batch);
    if (batch.fate === "lost" && delivered) batch.fate = "unprotected";
    return attempt;
  }

  #answer(nowMs: number, number: number, answers: readonly RangeAnswer[], actions: RouterAction[]): void {
    const kinds = new Set(answers.map(({ answer }) => answer));
    const delivered = kinds.size > 0 && [...kinds].every((kind) => kind === "applied" || kind === "duplicate");
    const worst = (["gap", "elsewhere", "wait", "duplicate"] as const).find((kind) => kinds.has(kind)) ?? "applied";
    const attempt = this.#end(number, worst, delivered);
    if (attempt === undefined) return;
    const peer = this.#peer(attempt.address);
    peer.answered();
    for (const group of groupsOf(answers)) {
      const ranges = shared(group.ranges, attempt.ranges);
      this.#settle(nowMs, attempt, { ...group, ranges });
      if (group.answer === "elsewhere") this.#fetch(nowMs, actions);
    }
    const unanswered = without(attempt.ranges, answers);
    if (unanswered.length > 0) this.#settle(nowMs, attempt, { answer: "failed", ranges: unanswered, applied: 0, durable: 0, owner: null });
  }

  #settle(nowMs: number, attempt: Attempt, answered: Answered): void {
    const pauses = this.#peer(attempt.address).inFlight > 0;
    const { kind, number, address, seq } = attempt;
    const asked = { kind, number, latest: this.#attempt, address, seq };
    let keys = keysIn(answered.ranges);
    // Nearly always all of it still belongs to who was asked.
    for (const lane of new Set([this.#lanes.get(address), ...this.#lanes.values()])) {
      if (lane === undefined || keys === 0) continue;
      const tracks = lane.within(answered.ranges);
      for (const track of tracks) {
        keys -= keysIn(track.ranges);
        this.#settling.settle(nowMs, { lane, track, asked, answered, pauses });
      }
      if (tracks.length > 0) lane.merge();
    }
  }

  #needRules(nowMs: number, number: number, actions: RouterAction[]): void {
    const attempt = this.#end(number, "rules", false);
    if (attempt === undefined) return;
    actions.push({ kind: "offerRules", address: attempt.address, hash: this.#rules.hash });
    this.#refuse(nowMs, attempt);
  }

  #fail(nowMs: number, number: number, actions: RouterAction[]): void {
    const attempt = this.#end(number, "failed", false);
    if (attempt === undefined) return;
    this.#fetch(nowMs, actions);
    this.#refuse(nowMs, attempt);
  }

  /** Nobody took any of it. */
  #refuse(nowMs: number, attempt: Attempt): void {
    const wait = { nowMs, backoff: this.#options.backoff, random: this.#rng.next() };
    this.#peer(attempt.address).failed(attempt.number, this.#attempt, wait);
    this.#settle(nowMs, attempt, { answer: "failed", ranges: attempt.ranges, applied: 0, durable: 0, owner: null });
    this.#askHeirs(attempt);
  }

  /** Whoever does not answer may have handed on and gone, and the assigner may be away: the targets of its moves are asked once. */
  #askHeirs({ address, ranges }: Attempt): void {
    const lane = this.#lanes.get(address);
    if (lane === undefined) return;
    for (const heir of this.clerk.heirsOf(ranges))
      for (const track of lane.within([heir.range])) if (track.target === address) track.moveTo(heir.address, this.#attempt);
    lane.merge();
  }

  #gossip(nowMs: number, generation: Generation, actions: RouterAction[]): void {
    if (isNewer(generation, this.clerk.generation)) this.#fetch(nowMs, actions);
  }

  #fetch(nowMs: number, actions: RouterAction[]): void {
    if (nowMs - this.#fetchedMs < FETCH_MS) return;
    this.#fetchedMs = nowMs;
    actions.push({ kind: "fetch" });
  }

  // ---- stop ----------------------------------------------------------------------------------------------------------

  #finish(nowMs: number, actions: RouterAction[]): void {
    if (this.#stop === undefined || this.#stop.done) return;
    const tracks = [...this.#lanes.values()].flatMap((lane) => lane.tracks);
    const settled = tracks.every(({ kept }) => kept.length === 0);
    if (settled) this.#stop.settledMs ??= nowMs;
    const silent = this.#stop.settledMs !== undefined && nowMs - this.#stop.settledMs >= GOODBYE_MS;
    const gone = settled && tracks.every(({ last }) => last === 0);
    if (!gone && !silent && nowMs < this.#stop.deadlineMs) return;
    this.#stop.done = true;
    actions.push({ kind: "stopped", left: leftOf(tracks) });
  }
}

function leftOf(tracks: readonly Track[]): RouterLeft {
  const undelivered = new Set<Batch>();
  const unprotected = new Set<Batch>();
  for (const { kept, acked } of tracks) for (const { batch } of kept) (batch.seq > acked ? undelivered : unprotected).add(batch);
  for (const batch of undelivered) unprotected.delete(batch);
  return {
    batches: undelivered.size,
    lines: [...undelivered].reduce((sum, { lines }) => sum + lines, 0),
    batchesUnprotected: unprotected.size,
  };
}

/** Answers that say the same, with all the ranges they say it of; usually one. */
function groupsOf(answers: readonly RangeAnswer[]): Answered[] {
  const groups: (Answered & { ranges: KeyRange[] })[] = [];
  for (const { low, high, answer, applied, durable, owner } of [...answers].sort((a, b) => a.low - b.low)) {
    const same = groups.find((group) => group.answer === answer && group.applied === applied && group.durable === durable && group.owner === owner);
    if (same === undefined) groups.push({ answer, applied, durable, owner, ranges: [{ low, high }] });
    else same.ranges.push({ low, high });
  }
  return groups;
}
