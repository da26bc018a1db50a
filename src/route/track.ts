// A Track: key ranges of one lane whose batches have come equally far. Usually a lane has one; a range that moved here is one of
// its own until it has caught up.
//
//   seq:   ... 12    17    20    23    26    31
//              └durable    └acked      └sent └last          kept: 17 20 23 26 31 (each with its `prev`)
//
// durable, acked and sent only ever name batches meant for the ranges (or 0).
import type { KeyRange } from "../slice/keyRange.js";
import type { Batch } from "./retention.js";

/** A batch as one Track holds it. */
export interface Kept {
  readonly batch: Batch;
  /** Number of the batch before it that was meant for the ranges; 0: none. Never changes. */
  readonly prev: number;
}

export class Track {
  /** Invariant: sorted, disjoint, not empty. */
  ranges: readonly KeyRange[];
  /** Invariant: ascending, without a hole (each one's prev is the number before it), ending in `last` unless empty. */
  kept: Kept[] = [];
  /** The newest batch meant for the ranges; 0: none, or none since a goodbye that was heard. */
  last = 0;
  /** The owner said it is applied. Goes back when an owner knows less. */
  acked = 0;
  /** Need not be kept up to here. */
  durable = 0;
  /** Under way or answered up to here. Invariant: acked <= sent. */
  sent = 0;
  /** Who is asked now: the lane's address, or for one attempt somebody's hint. */
  target: string;
  /** ms: not before. */
  retryAtMs = 0;
  /** Answers without progress in a row. */
  refusals = 0;
  /** ms: since when it is told to wait. */
  waitingSinceMs: number | undefined = undefined;
  /** Answers to this or an earlier attempt speak of another owner. */
  movedAt = 0;
  /** A refusal of this or an earlier attempt has been obeyed. Invariant: >= movedAt. */
  rewoundAt = 0;
  /** Goodbye was said, heard or not: all of before is durable, so the next batch says that none came before it. */
  parted = false;
  /** ms: a window it fed may be open until then. */
  openUntilMs = 0;
  /** ms: when the next heartbeat is due. */
  beatAtMs = 0;

  constructor(ranges: readonly KeyRange[], target: string) {
    this.ranges = ranges;
    this.target = target;
  }

  /** A second Track with other ranges that stands where this one does. */
  fork(ranges: readonly KeyRange[]): Track {
    const copy = new Track(ranges, this.target);
    return Object.assign(copy, this, { ranges, kept: [...this.kept] });
  }

  /** Takes the newest batch. */
  add(batch: Batch): void {
    this.kept.push({ batch, prev: this.parted ? 0 : this.last });
    this.last = batch.seq;
    this.parted = false;
  }

  /** The first batch held that was not sent yet. */
  unsent(): Kept | undefined {
    let from = 0;
    let to = this.kept.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.kept[middle]?.batch.seq ?? 0) <= this.sent) from = middle + 1;
      else to = middle;
    }
    return this.kept[from];
  }

  /** The first batch to be sent now. After a refusal one goes alone, until it is taken. */
  next(): Kept | undefined {
    const probes = this.refusals > 0 || this.waitingSinceMs !== undefined;
    return probes && this.sent > this.acked ? undefined : this.unsent();
  }

  /** Everything held is applied. */
  get delivered(): boolean {
    return (this.kept.at(-1)?.batch.seq ?? 0) <= this.acked;
  }

  /** An owner has applied it up to `applied`. */
  ack(applied: number): void {
    this.acked = Math.max(this.acked, Math.min(applied, this.last));
    this.sent = Math.max(this.sent, this.acked);
    this.forgive();
  }

  /** Everything after `seq` is to be sent again; refusals of attempts up to `attempt` are settled by it. */
  rewind(seq: number, attempt: number): void {
    this.sent = seq;
    this.rewoundAt = attempt;
  }

  /** Somebody else is asked from now on; what the one before may still answer no longer counts. */
  moveTo(address: string, attempt: number): void {
    if (this.target === address) return;
    this.target = address;
    this.movedAt = attempt;
    this.rewind(this.acked, attempt);
    this.retryAtMs = 0;
  }

  /** What it was refused before is no reason to wait any more. */
  forgive(): void {
    this.refusals = 0;
    this.retryAtMs = 0;
    this.waitingSinceMs = undefined;
  }

  /** The goodbye was heard: there is nothing more to say. */
  forget(): void {
    this.last = 0;
    this.acked = 0;
    this.sent = 0;
    this.durable = 0;
  }

  /** Oldest event time of what is held after batch `seq`, ms; Infinity: none. */
  oldestAfter(seq: number): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (let i = this.kept.length - 1; i >= 0; i--) {
      const batch = this.kept[i]?.batch;
      if (batch === undefined || batch.seq <= seq) break;
      oldest = Math.min(oldest, batch.oldestMs);
    }
    return oldest;
  }

  /** Takes the ranges of a Track of the same lane that stands where this one does. False: it does not. */
  merge(other: Track): boolean {
    if (!this.#standsAt(other)) return false;
    this.ranges = [...this.ranges, ...other.ranges].sort((a, b) => a.low - b.low);
    this.movedAt = Math.max(this.movedAt, other.movedAt);
    this.rewoundAt = Math.max(this.rewoundAt, other.rewoundAt);
    this.openUntilMs = Math.max(this.openUntilMs, other.openUntilMs);
    this.beatAtMs = Math.min(this.beatAtMs, other.beatAtMs);
    this.retryAtMs = Math.max(this.retryAtMs, other.retryAtMs);
    return true;
  }

  #standsAt(other: Track): boolean {
    if (this.target !== other.target || this.last !== other.last || this.acked !== other.acked) return false;
    if (this.durable !== other.durable || this.sent !== other.sent || this.kept.length !== other.kept.length) return false;
    if (this.parted !== other.parted) return false;
    if (this.refusals + other.refusals > 0 || this.waitingSinceMs !== undefined || other.waitingSinceMs !== undefined) return false;
    // With something under way the marks tell which of its answers count.
    const marked = this.movedAt === other.movedAt && this.rewoundAt === other.rewoundAt;
    if (!marked && this.sent > this.acked) return false;
    return this.kept.every((kept, i) => kept.batch === other.kept[i]?.batch && kept.prev === other.kept[i].prev);
  }
}
