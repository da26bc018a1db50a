// A lane: one owner in the router's view, the lines collected for it, and the Tracks of its ranges.
//
//   lines ─▶ open ──256 KiB, or 100 ms and none waits──▶ batch, numbered once ─▶ held by every Track of the lane
//
// What nobody serves has a lane too (clerk.HELD), from which nothing is sent.
import { type KeyRange, keysIn, shared, without } from "../slice/keyRange.js";
import { HELD } from "./clerk.js";
import { type Batch, costOf, type Retention } from "./retention.js";
import type { Track } from "./track.js";

/** Whole lines for one lane. */
export interface LanePiece {
  /** Owned by the lane from then on. */
  readonly body: Uint8Array;
  readonly lines: number;
  /** Oldest event time that may still hold a window, ms; Infinity: none. */
  readonly oldestMs: number;
}

export class Lane {
  readonly address: string;
  readonly #retention: Retention;
  /** Not sealed yet, in order. */
  #open: LanePiece[] = [];
  #openBytes = 0;
  /** ms; Infinity when nothing is open. */
  openSinceMs = Number.POSITIVE_INFINITY;
  openOldestMs = Number.POSITIVE_INFINITY;
  tracks: Track[] = [];
  /** Batch -> how many of the Tracks hold it. */
  readonly #held = new Map<Batch, number>();
  #heldBytes = 0;

  constructor(address: string, retention: Retention) {
    this.address = address;
    this.#retention = retention;
  }

  /** Bytes held, sealed or not. */
  get bytes(): number {
    return this.#heldBytes + this.#openBytes;
  }

  get openBytes(): number {
    return this.#openBytes;
  }

  /**
   * Whether a batch waits for nothing but its turn at the owner. One more would wait behind it: over a slow connection few large
   * batches get through where many small ones pile up.
   */
  waits(nowMs: number): boolean {
    return this.address !== HELD && this.tracks.some((track) => nowMs >= track.retryAtMs && track.next() !== undefined);
  }

  add(piece: LanePiece, nowMs: number): void {
    this.#open.push(piece);
    this.#openBytes += piece.body.length;
    this.#retention.bytes += piece.body.length;
    this.openSinceMs = Math.min(this.openSinceMs, nowMs);
    this.openOldestMs = Math.min(this.openOldestMs, piece.oldestMs);
  }

  /** Closes what was collected into batch number `seq`, meant for every range of the lane. */
  seal(seq: number, openUntilMs: number): void {
    const body = this.#open.length === 1 && this.#open[0] !== undefined ? this.#open[0].body : Buffer.concat(this.#open.map((piece) => piece.body));
    const lines = this.#open.reduce((sum, piece) => sum + piece.lines, 0);
    const batch: Batch = { seq, body, lines, oldestMs: this.openOldestMs, lanes: 0, flying: 0, fate: "kept" };
    this.#retention.bytes -= this.#openBytes;
    this.#open = [];
    this.#openBytes = 0;
    this.openSinceMs = Number.POSITIVE_INFINITY;
    this.openOldestMs = Number.POSITIVE_INFINITY;
    for (const track of this.tracks) {
      track.add(batch);
      track.openUntilMs = openUntilMs;
      this.#hold(batch);
    }
  }

  /** A Track comes here from another lane, or is new. */
  enter(track: Track): void {
    this.tracks.push(track);
    for (const { batch } of track.kept) this.#hold(batch);
  }

  leave(track: Track): void {
    this.tracks = this.tracks.filter((other) => other !== track);
    for (const { batch } of track.kept) this.#release(batch);
  }

  /** The Track for `ranges`, which are some of `track`'s: itself when they are all of them, else cut from it. */
  cut(track: Track, ranges: readonly KeyRange[]): Track {
    if (keysIn(track.ranges) === keysIn(ranges)) return track;
    const rest = without(track.ranges, ranges);
    const part = track.fork(ranges);
    track.ranges = rest;
    this.enter(part);
    return part;
  }

  /** The parts of the lane's Tracks within `ranges`, cut out where need be. */
  within(ranges: readonly KeyRange[]): Track[] {
    return this.tracks.flatMap((track) => {
      const inside = shared(track.ranges, ranges);
      return inside.length === 0 ? [] : [this.cut(track, inside)];
    });
  }

  /** Lets go of what is durable. */
  settle(track: Track, durable: number): void {
    track.durable = Math.max(track.durable, Math.min(durable, track.last));
    let count = 0;
    for (const { batch } of track.kept) {
      if (batch.seq > track.durable) break;
      this.#release(batch);
      count++;
    }
    track.kept.splice(0, count);
  }

  /** Gives up the oldest batch of a Track. */
  dropFirst(track: Track): void {
    const first = track.kept.shift();
    if (first !== undefined) this.#release(first.batch);
  }

  /** Makes one Track of those that stand at the same place. */
  merge(): void {
    if (this.tracks.length < 2) return;
    const merged: Track[] = [];
    for (const track of this.tracks) {
      if (!merged.some((other) => other.merge(track))) merged.push(track);
      else for (const { batch } of track.kept) this.#release(batch);
    }
    this.tracks = merged;
  }

  #hold(batch: Batch): void {
    const count = this.#held.get(batch) ?? 0;
    this.#held.set(batch, count + 1);
    if (count > 0) return;
    this.#heldBytes += costOf(batch);
    this.#retention.add(batch);
  }

  #release(batch: Batch): void {
    const count = this.#held.get(batch) ?? 0;
    if (count > 1) {
      this.#held.set(batch, count - 1);
      return;
    }
    this.#held.delete(batch);
    this.#heldBytes -= costOf(batch);
    this.#retention.remove(batch);
  }
}
