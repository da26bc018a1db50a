// What the Slicelet needs of the state it rules over: the engine's Parts, one per key range. Everything here is synchronous and
// exact about ranges: a Part is cut where a range begins or ends inside it.
//
//   open ─▶ serving ──freeze──▶ frozen ──thaw──▶ serving            drop: gone, its bytes are free
//   receive, receive, ... install ─▶ frozen ──thaw──▶ serving      (a move in; the copy replaces, it never adds)
import type { BatchHead, RangeAnswer } from "../slice/batch.js";
import type { Generation } from "../slice/generation.js";
import type { KeyRange } from "../slice/keyRange.js";

/** A key range it has the state of. */
export interface Held extends KeyRange {
  readonly term: Generation;
  /** Frozen: nothing is applied, closed or sent. */
  readonly frozen: boolean;
  readonly bytes: number;
  /** (sample, rule) pairs matched since it was opened anywhere. Never falls while held. */
  readonly pairs: number;
  readonly top: readonly (readonly [key: number, share: number])[];
}

/** What one range of a batch came to here. */
export type PartAnswer = Omit<RangeAnswer, "durable" | "owner">;

/** (term, n) of a copy (PROTOCOL P4): in a move the term is the move's number. */
export interface CopyNumber {
  readonly move: Generation;
  /** From 1, never used twice in a move. */
  readonly number: number;
  readonly full: boolean;
}

/** Rows of a range that no sink has answered for, as the sinks hand them out and take them back. Opaque to the machine. */
export type Outbox = readonly unknown[];

export interface Holdings {
  /** Sorted, disjoint. */
  held(): readonly Held[];
  /** Empty state: complete since now, windows that ended before now are closed. */
  open(range: KeyRange, term: Generation, nowMs: number): void;
  /** Forgets the state of a range, also what lies in --data of it. */
  drop(range: KeyRange): void;
  freeze(range: KeyRange): void;
  /** Serves (again), in this term. */
  thaw(range: KeyRange, term: Generation): void;
  /** A batch; the answers cover its ranges exactly. Ranges without state are `elsewhere`, frozen ones `wait`. */
  apply(nowMs: number, head: BatchHead, body: Uint8Array): readonly PartAnswer[];
  /**
   * A numbered copy of a range: the whole state, or what changed since the copy with the number before. `outbox` goes with the last.
   */
  copy(range: KeyRange, number: CopyNumber, outbox: Outbox): Uint8Array;
  /** About how many bytes the next increment would have. */
  changedBytes(range: KeyRange): number;
  /**
   * A numbered copy of a peer, in rising numbers; the bytes say which. send_full: what it builds on is not here. refused: it can never
   * be used here (damaged, no memory, rules that are not in force), and nothing of it is left.
   */
  receive(range: KeyRange, bytes: Uint8Array, number: CopyNumber): "stored" | "send_full" | "refused";
  /**
   * The copy becomes the state of the range, frozen, its term being the move. Returns the rows that came with it; undefined: there is
   * no whole copy.
   */
  install(range: KeyRange, move: Generation): Outbox | undefined;
  /** A move in that is dead. */
  discard(range: KeyRange, move: Generation): void;
  /** Serves what lies in --data of this range and term. Windows wait a moment for whoever could not be heard while it lay there. */
  restore(range: KeyRange, term: Generation, nowMs: number): void;
}
