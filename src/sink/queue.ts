// The queue of one sink that is asked by requests: a pure machine, (now, event) -> actions. It decides what is sent when, what an answer means
// and when rows are given up; the driver (queuedSink.ts) does what the actions say.
//
//   offer ──▶ blocks (oldest first, at most queueBytesMax) ──by hash of labels──▶ lanes ──▶ send ──▶ answer ──▶ settle
//
// Every row ends in exactly one of stored, conflict, unknown, moved, dropped{reason}; a block is settled when all its rows have.
// - Over the bound the oldest block goes first (queue_full); rows in flight are left to their answer.
// - 5xx, 429 and failed connections are repeated with backoff until the block is maxAgeMs in the queue (too_old).
// - A refusal that one row can cause is narrowed down by halves, since Prometheus rolls back the whole request. At most cutsMax
//   requests per batch: past it the rest of that batch is unknown, for good rows may be among it.
// - Rows of a Slice that moves are taken out (withdrawal.ts), and offered to the sink of its next owner.
// It does no I/O, has no clock and no timers; `random` is the caller's.
import { backoffMs } from "../base/backoff.js";
import { type RowBlock, RowReader } from "../metric/rowBlock.js";
import type { KeyRange } from "../slice/keyRange.js";
import type { Answer, Judge, Verdict } from "./answer.js";
import { type Batch, type QueuedBlock, removeRows, rowsOf, splitBatch } from "./batch.js";
import { Complaints } from "./complaints.js";
import { type BatchLimits, hasWork, type Lane, laneOf, newLane, takeBatch, waitingStarts } from "./lane.js";
import type { BlockOutcome, DropReason, SinkLog, SinkStats } from "./sink.js";
import { takeRows, Withdrawal } from "./withdrawal.js";

export interface QueueOptions {
  /** For messages. */
  readonly name: string;
  readonly queueBytesMax: number;
  readonly maxAgeMs: number;
  readonly lanes: number;
  readonly batch: BatchLimits;
  readonly judge: Judge;
  /** Why a row must not be sent. */
  readonly problem: (reader: RowReader, view: DataView) => string | undefined;
  /** What to do about 404 and 405. */
  readonly pathCure: string;
  /** In [0, 1). */
  readonly random: () => number;
}

export type QueueEvent =
  /** `id`: the caller's, unique; comes back in `settle`. */
  | { readonly kind: "offer"; readonly id: number; readonly block: RowBlock }
  | { readonly kind: "answer"; readonly lane: number; readonly answer: Answer }
  | { readonly kind: "tick" }
  /** Take the rows of a key range out. `id`: the caller's, unique; comes back in `withdrawn`. */
  | { readonly kind: "withdraw"; readonly id: number; readonly range: KeyRange }
  | { readonly kind: "close"; readonly deadlineMs: number };

export type QueueAction =
  | { readonly kind: "send"; readonly lane: number; readonly batch: Batch; readonly attempt: number }
  /** Forget the request in flight; its answer is of no interest. */
  | { readonly kind: "abort"; readonly lane: number }
  | { readonly kind: "settle"; readonly id: number; readonly outcome: BlockOutcome }
  /** Oldest block first. */
  | { readonly kind: "withdrawn"; readonly id: number; readonly blocks: readonly RowBlock[] }
  /** Tick at this time at the latest, instead of at any time asked for before. */
  | { readonly kind: "wake"; readonly atMs: number }
  | { readonly kind: "log"; readonly level: Parameters<SinkLog>[0]; readonly message: string }
  /** `unsent`: the rows dropped{stop}, oldest block first. */
  | { readonly kind: "closed"; readonly unsent: readonly RowBlock[] };

type Fate = { readonly kind: "stored" | "conflict" | "unknown" | "moved" } | { readonly kind: "dropped"; readonly reason: DropReason };

const backoff = { minMs: 30, maxMs: 5000 };
/** While closing, the deadline is near. */
const backoffClosing = { minMs: 30, maxMs: 500 };
/** Objects of a block and its parts, so that a flood of tiny blocks is bounded too. */
const blockCost = 512;

export class SinkQueue {
  readonly #options: QueueOptions;
  readonly #lanes: Lane[];
  /** Bounded: one per move. */
  #withdrawals: Withdrawal[] = [];
  /** In the order they were offered. */
  readonly #blocks = new Map<number, QueuedBlock>();
  readonly #complaints: Complaints;
  #actions: QueueAction[] = [];
  /** Of the step being taken. */
  #nowMs = 0;
  #queueBytes = 0;
  #queueRows = 0;
  /** No block is maxAgeMs old before. */
  #expireMs = Infinity;
  #closeMs: number | undefined;
  #closed = false;
  /** Filled by the deadline of close(). */
  readonly #unsent: RowBlock[] = [];
  #wakeAtMs = Infinity;
  readonly #total: { stored: number; conflict: number; unknown: number; moved: number; dropped: Record<string, number> } = {
    stored: 0,
    conflict: 0,
    unknown: 0,
    moved: 0,
    dropped: {},
  };

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.lanes }, (_, index) => newLane(index));
    this.#complaints = new Complaints(options, (level, message) => this.#actions.push({ kind: "log", level, message }));
  }

  /** What to do now, in this order. `nowMs` must not go back. */
  step(nowMs: number, event: QueueEvent): readonly QueueAction[] {
    this.#actions = [];
    this.#nowMs = nowMs;
    // The timer is spent, also when it went off a little early.
    if (event.kind === "tick") this.#wakeAtMs = Infinity;
    if (event.kind === "offer") this.#offer(nowMs, event.id, event.block);
    else if (event.kind === "answer") this.#answer(nowMs, event.lane, event.answer);
    else if (event.kind === "withdraw") this.#startWithdrawal(event.id, event.range);
    else if (event.kind === "close") this.#close(nowMs, event.deadlineMs);
    this.#expire(nowMs);
    if (this.#withdrawals.length > 0) this.#withdraw(nowMs);
    if (this.#closeMs !== undefined && nowMs >= this.#closeMs) this.#giveUp(nowMs);
    for (const lane of this.#lanes) this.#pump(nowMs, lane);
    if (this.#closeMs !== undefined && this.#blocks.size === 0 && !this.#closed) {
      this.#closed = true;
      this.#actions.push({ kind: "closed", unsent: this.#unsent });
    }
    this.#wake(nowMs);
    return this.#actions;
  }

  stats(): SinkStats {
    const { stored, conflict, unknown, moved, dropped } = this.#total;
    return {
      stored,
      conflict,
      unknown,
      moved,
      dropped: { ...dropped },
      queueBytes: this.#queueBytes,
      queueBytesMax: this.#options.queueBytesMax,
      queueRows: this.#queueRows,
    };
  }

  #offer(nowMs: number, id: number, block: RowBlock): void {
    const { queueBytesMax } = this.#options;
    const queued: QueuedBlock = {
      id,
      rule: block.rule,
      windowEndMs: block.windowEndMs,
      mark: block.mark,
      rowCount: block.rowCount,
      keys: block.keys,
      bytes: block.bytes,
      offeredMs: Math.min(nowMs, block.offeredMs ?? nowMs),
      cost: block.bytes.length + (block.keys?.byteLength ?? 0) + 8 * block.rowCount + blockCost,
      parts: [],
      pending: block.rowCount,
      dead: undefined,
      stored: 0,
      conflict: 0,
      unknown: 0,
      moved: 0,
      dropped: {},
    };
    if (this.#blocks.has(id)) throw new Error(`block ${id} offered twice`);
    for (const old of this.#blocks.values()) {
      if (this.#queueBytes + queued.cost <= queueBytesMax) break;
      this.#dropBlock(nowMs, old, "queue_full");
    }
    this.#blocks.set(id, queued);
    this.#expireMs = Math.min(this.#expireMs, queued.offeredMs + this.#options.maxAgeMs);
    this.#queueBytes += queued.cost;
    this.#queueRows += queued.pending;
    if (block.rowCount === 0) this.#finish(queued);
    else if (this.#closeMs !== undefined) {
      if (!this.#closed) this.#unsent.push(block);
      this.#dropRows(nowMs, queued, queued.pending, "stop");
    }
    // Larger than the whole queue, or what is in flight leaves no room.
    else if (this.#queueBytes > queueBytesMax) this.#dropRows(nowMs, queued, queued.pending, "queue_full");
    else this.#distribute(nowMs, queued);
  }

  /** Sorts a block's rows into the lanes. */
  #distribute(nowMs: number, block: QueuedBlock): void {
    const reader = new RowReader(block.bytes);
    const view = new DataView(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength);
    const rows = this.#lanes.map((): number[] => []);
    let count = 0;
    let invalid = 0;
    while (reader.next()) {
      count++;
      if (this.#options.problem(reader, view) === undefined)
        rows[laneOf(reader, this.#lanes.length)]?.push(reader.rowStart, reader.rowEnd - reader.rowStart);
      else invalid++;
    }
    if (count !== block.pending) throw new Error(`a block holds ${count} rows and says ${block.pending}`);
    for (const lane of this.#lanes) {
      const pairs = rows[lane.index] ?? [];
      const part = pairs.length === 0 ? undefined : { block, rows: Uint32Array.from(pairs), next: 0 };
      block.parts.push(part);
      if (part !== undefined) lane.parts.add(part);
    }
    if (invalid > 0) this.#dropRows(nowMs, block, invalid, "invalid");
  }

  /** Sends the lane's next batch, when it is idle and may. */
  #pump(nowMs: number, lane: Lane): void {
    if (lane.inFlight || nowMs < lane.retryAtMs) return;
    lane.current ??= takeBatch(lane, this.#options.batch);
    if (lane.current === undefined) return;
    lane.inFlight = true;
    this.#actions.push({ kind: "send", lane: lane.index, batch: lane.current, attempt: lane.failures });
  }

  #answer(nowMs: number, index: number, answer: Answer): void {
    const lane = this.#lanes[index];
    const batch = lane?.current;
    // An answer to a request that was aborted meanwhile.
    if (lane === undefined || batch === undefined || !lane.inFlight) return;
    lane.inFlight = false;
    const verdict = this.#options.judge(answer, nowMs);
    if (verdict.kind === "retry") {
      this.#retryLater(lane, batch, verdict.notBeforeMs, answer);
      return;
    }
    lane.current = undefined;
    lane.failures = 0;
    lane.retryAtMs = 0;
    lane.demandedMs = 0;
    this.#complaints.answered(nowMs);
    if (verdict.kind === "stored") this.#settleBatch(batch, verdict);
    else this.#refused(lane, batch, verdict, answer);
  }

  #retryLater(lane: Lane, batch: Batch, notBeforeMs: number, answer: Answer): void {
    const nowMs = this.#nowMs;
    this.#failed(lane, batch, notBeforeMs);
    this.#complaints.failing(nowMs, answer, lane.retryAtMs - nowMs, {
      rows: this.#queueRows,
      bytes: this.#queueBytes,
      bytesMax: this.#options.queueBytesMax,
    });
  }

  /** The batch's rows wait for the next attempt, but for those given up meanwhile. */
  #failed(lane: Lane, batch: Batch, notBeforeMs: number): void {
    const nowMs = this.#nowMs;
    const limits = this.#closeMs === undefined ? backoff : backoffClosing;
    lane.inFlight = false;
    lane.failures++;
    lane.demandedMs = notBeforeMs;
    lane.retryAtMs = Math.max(notBeforeMs, nowMs + backoffMs(lane.failures, limits, this.#options.random()));
    for (const [block, starts] of removeRows(batch, ({ dead }) => dead !== undefined))
      this.#dropRows(nowMs, block, starts.length, block.dead ?? "stop");
    if (batch.starts.length === 0) lane.current = undefined;
  }

  #refused(lane: Lane, batch: Batch, verdict: Extract<Verdict, { kind: "refused" }>, answer: Answer): void {
    const several = batch.starts.length > 1;
    if (several && verdict.perRow && batch.budget.left >= 2) {
      batch.budget.left -= 2;
      const [first, second] = splitBatch(batch);
      lane.cut.push(second, first);
      return;
    }
    // Of several rows in one refused request nobody knows which was the bad one.
    const as = several && verdict.perRow && verdict.as === "conflict" ? "unknown" : verdict.as;
    this.#settleBatch(batch, as === "bad_request" ? { kind: "dropped", reason: as } : { kind: as });
    this.#complaints.refused(this.#nowMs, batch.starts.length, as, answer);
  }

  #expire(nowMs: number): void {
    if (nowMs < this.#expireMs) return;
    this.#expireMs = Infinity;
    for (const block of this.#blocks.values()) {
      const atMs = block.offeredMs + this.#options.maxAgeMs;
      if (atMs <= nowMs) this.#dropBlock(nowMs, block, "too_old");
      else this.#expireMs = Math.min(this.#expireMs, atMs);
    }
  }

  #startWithdrawal(id: number, range: KeyRange): void {
    this.#withdrawals.push(new Withdrawal(id, range, { nowMs: this.#nowMs, lanes: this.#lanes, blocks: this.#blocks.values() }));
  }

  #withdraw(nowMs: number): void {
    for (const withdrawal of this.#withdrawals) {
      for (const lane of withdrawal.take(nowMs)) this.#interrupt(lane);
      if (!withdrawal.done) withdrawal.take(nowMs);
      if (withdrawal.done) this.#withdrawn(withdrawal);
    }
    this.#withdrawals = this.#withdrawals.filter(({ done }) => !done);
  }

  #withdrawn(withdrawal: Withdrawal): void {
    const blocks: RowBlock[] = [];
    for (const block of this.#blocks.values()) {
      const starts = withdrawal.of(block);
      if (starts.size === 0) continue;
      blocks.push(rowsOf(block, starts));
      this.#settleRows(block, starts.size, { kind: "moved" });
    }
    this.#actions.push({ kind: "withdrawn", id: withdrawal.id, blocks });
  }

  /** Gives up the request in flight; whether it is stored is not known. */
  #interrupt(lane: Lane): void {
    this.#actions.push({ kind: "abort", lane: lane.index });
    if (lane.current !== undefined) this.#failed(lane, lane.current, 0);
  }

  /** Gives up a block's rows that are not in flight. Those that are get their answer, but no second attempt. */
  #dropBlock(nowMs: number, block: QueuedBlock, reason: DropReason): void {
    if (block.dead !== undefined) return;
    block.dead = reason;
    let count = 0;
    for (const lane of this.#lanes) count += takeRows(lane, [block], (other) => other === block).get(block)?.length ?? 0;
    if (count > 0) this.#dropRows(nowMs, block, count, reason);
  }

  #close(nowMs: number, deadlineMs: number): void {
    this.#closeMs = deadlineMs;
    for (const lane of this.#lanes) lane.retryAtMs = Math.min(lane.retryAtMs, Math.max(nowMs, lane.demandedMs));
  }

  /** The deadline of close() has passed. */
  #giveUp(nowMs: number): void {
    for (const lane of this.#lanes) {
      if (lane.inFlight) this.#actions.push({ kind: "abort", lane: lane.index });
      lane.inFlight = false;
    }
    this.#withdraw(nowMs);
    for (const block of this.#blocks.values()) {
      const reason = block.dead ?? "stop";
      block.dead = undefined;
      if (reason === "stop") this.#unsent.push(rowsOf(block, new Set(waitingStarts(this.#lanes, block))));
      this.#dropBlock(nowMs, block, reason);
    }
  }

  #settleBatch(batch: Batch, fate: Fate): void {
    let from = 0;
    // Rows of a batch come block by block.
    for (let i = 1; i <= batch.blocks.length; i++) {
      const block = batch.blocks[from];
      if (block === undefined || batch.blocks[i] === block) continue;
      this.#settleRows(block, i - from, fate);
      from = i;
    }
  }

  #dropRows(nowMs: number, block: QueuedBlock, count: number, reason: DropReason): void {
    this.#settleRows(block, count, { kind: "dropped", reason });
    this.#complaints.dropped(nowMs, count, reason);
  }

  #settleRows(block: QueuedBlock, count: number, fate: Fate): void {
    if (fate.kind === "dropped") {
      block.dropped[fate.reason] = (block.dropped[fate.reason] ?? 0) + count;
      this.#total.dropped[fate.reason] = (this.#total.dropped[fate.reason] ?? 0) + count;
    } else {
      block[fate.kind] += count;
      this.#total[fate.kind] += count;
    }
    block.pending -= count;
    this.#queueRows -= count;
    if (block.pending < 0) throw new Error(`block ${block.id} has more outcomes than rows`);
    if (block.pending === 0) this.#finish(block);
  }

  #finish(block: QueuedBlock): void {
    this.#blocks.delete(block.id);
    this.#queueBytes -= block.cost;
    block.bytes = new Uint8Array(0);
    const { stored, conflict, unknown, moved, dropped } = block;
    this.#actions.push({ kind: "settle", id: block.id, outcome: { stored, conflict, unknown, moved, dropped } });
  }

  #wake(nowMs: number): void {
    let atMs = this.#closed ? Infinity : (this.#closeMs ?? Infinity);
    for (const { deadlineMs } of this.#withdrawals) atMs = Math.min(atMs, deadlineMs);
    for (const lane of this.#lanes) if (!lane.inFlight && lane.retryAtMs > nowMs && hasWork(lane)) atMs = Math.min(atMs, lane.retryAtMs);
    if (atMs === this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    this.#actions.push({ kind: "wake", atMs });
  }
}
