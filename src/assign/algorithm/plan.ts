// The next Assignment in the making. Phases change pieces (Slices to be) and seats (Resources, with what they would carry); nothing
// outside sees them before the plan is done.
//
//   slices + weights + members ─▶ Plan ─▶ settle ▸ place ▸ drain ▸ split ▸ merge ▸ balance ─▶ slices, if anything differs
import type { Slice } from "../../slice/assignment.js";
import { compareGenerations, type Generation } from "../../slice/generation.js";
import { KEY_END, type KeyRange, width } from "../../slice/keyRange.js";
import type { ResourceState } from "../../slice/resource.js";
import type { Note } from "../book.js";
import type { ChangeReason, Decision } from "../decision.js";
import { addWeights, cutWeight, NO_WEIGHT, type Weight } from "../load.js";

/** A Resource and what is planned to be there. */
export interface Seat {
  readonly id: string;
  readonly state: ResourceState;
  readonly joinedMs: number;
  /** Weight of the pieces that are or will be here. */
  load: number;
  pieces: number;
  movesOut: number;
  movesIn: number;
}

export interface Piece extends Omit<Note, "weight" | "isKnown" | "abortedMs"> {
  abortedMs: number;
  low: number;
  high: number;
  owner: string | null;
  standby: string | null;
  movingTo: string | null;
  move: Generation | null;
  term: Generation;
  weight: Weight;
  /** For balancing: the rate and its share of the floor. */
  load: number;
}

/** Of all load, what is spread evenly over the key space: no load must not look like room for everything. */
const FLOOR_SHARE = 0.05;

const NO_NOTE: Note = {
  isKnown: false,
  weight: NO_WEIGHT,
  movedMs: Number.NEGATIVE_INFINITY,
  abortedMs: Number.NEGATIVE_INFINITY,
  heldUntilMs: Number.NEGATIVE_INFINITY,
};

export interface PlanInput {
  readonly nowMs: number;
  readonly next: Generation;
  readonly slices: readonly Slice[];
  /** Parallel to `slices`. */
  readonly notes: readonly Note[];
  readonly resources: readonly { readonly id: string; readonly state: ResourceState; readonly joinedMs: number }[];
}

export class Plan {
  readonly nowMs: number;
  /** What moves and terms of this plan are numbered. */
  readonly next: Generation;
  readonly decisions: Decision[] = [];
  readonly seats: readonly Seat[];
  /** Invariant: sorted, cover the key space. */
  pieces: Piece[];
  readonly #byId = new Map<string, Seat>();
  readonly #before: readonly Slice[];
  /** Of each key, by the floor. */
  readonly #floor: number;

  constructor({ nowMs, next, slices, notes, resources }: PlanInput) {
    this.nowMs = nowMs;
    this.next = next;
    this.#before = slices;
    this.seats = resources
      .map(({ id, state, joinedMs }) => ({ id, state, joinedMs, load: 0, pieces: 0, movesOut: 0, movesIn: 0 }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const seat of this.seats) this.#byId.set(seat.id, seat);
    const density = densityOf(slices, notes);
    const rate = density * KEY_END;
    this.#floor = (rate > 0 ? rate * FLOOR_SHARE : 1) / KEY_END;
    this.pieces = slices.map((slice, i) => {
      const note = notes[i] ?? NO_NOTE;
      const { low, high, owner, standby, movingTo, move, term } = slice;
      const { movedMs, abortedMs, heldUntilMs } = note;
      // What was never measured is taken as the average.
      const weight = note.isKnown ? note.weight : { rate: density * width(slice), bytes: note.weight.bytes, hot: [] };
      return { low, high, owner, standby, movingTo, move, term, movedMs, abortedMs, heldUntilMs, weight, load: this.#loadOf(slice, weight) };
    });
    for (const piece of this.pieces) this.#count(piece, 1);
  }

  seat(id: string | null): Seat | undefined {
    return id === null ? undefined : this.#byId.get(id);
  }

  /** Where a piece is or is going. */
  placeOf({ owner, movingTo }: Piece): Seat | undefined {
    return this.seat(movingTo ?? owner);
  }

  running(): Seat[] {
    return this.seats.filter(({ state }) => state === "running");
  }

  /** Index of the piece that holds a key. */
  indexOf(key: number): number {
    let from = 0;
    let to = this.pieces.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((this.pieces[middle]?.low ?? KEY_END) <= key) from = middle;
      else to = middle - 1;
    }
    return from;
  }

  /** The pieces that lie in a range entirely. */
  within(range: KeyRange): Piece[] {
    const found: Piece[] = [];
    for (let i = this.indexOf(range.low); i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      if (piece === undefined || piece.low >= range.high) break;
      if (piece.low >= range.low && piece.high <= range.high) found.push(piece);
    }
    return found;
  }

  /** Makes `key` a boundary. Both sides keep owner and term. */
  cut(key: number): void {
    if (key <= 0 || key >= KEY_END) return;
    const index = this.indexOf(key);
    const piece = this.pieces[index];
    if (piece === undefined || piece.low === key) return;
    this.pieces.splice(index, 1, ...this.cutPiece(piece, [key]));
  }

  /** Makes many keys, sorted, boundaries at once. */
  cutAll(keys: readonly number[]): void {
    let at = 0;
    this.pieces = this.pieces.flatMap((piece) => {
      while ((keys[at] ?? KEY_END) <= piece.low) at++;
      const from = at;
      while ((keys[at] ?? KEY_END) < piece.high) at++;
      return at > from ? this.cutPiece(piece, keys.slice(from, at)) : [piece];
    });
  }

  /** The parts of a piece of this plan, cut at keys strictly inside it; to be put in its place. */
  cutPiece(piece: Piece, keys: readonly number[]): Piece[] {
    const bounds = [piece.low, ...keys, piece.high];
    const parts = bounds.slice(1).map((high, i) => {
      const range = { low: bounds[i] ?? piece.low, high };
      const weight = cutWeight(piece.weight, piece, range);
      return { ...piece, ...range, weight, load: this.#loadOf(range, weight) };
    });
    this.#count(piece, -1);
    for (const part of parts) this.#count(part, 1);
    return parts;
  }

  /** One piece from two neighbours of one owner and term. */
  join(left: Piece, right: Piece): Piece {
    const range = { low: left.low, high: right.high };
    const weight = addWeights(left.weight, right.weight);
    const both = { movedMs: Math.max(left.movedMs, right.movedMs), abortedMs: Math.max(left.abortedMs, right.abortedMs) };
    const piece = { ...left, ...range, ...both, weight, load: this.#loadOf(range, weight) };
    this.#count(left, -1);
    this.#count(right, -1);
    this.#count(piece, 1);
    return piece;
  }

  /** Its owner shall hand it to `to`, in a move of this plan's number. */
  move(piece: Piece, to: Seat, reason: ChangeReason): void {
    this.#change(piece, () => {
      piece.movingTo = to.id;
      piece.move = this.next;
    });
    this.decisions.push({ kind: "moving", reason, low: piece.low, high: piece.high, from: piece.owner, to: to.id });
  }

  /** The move is dead by its owner's word, or has no owner any more. */
  abort(piece: Piece, reason: ChangeReason): void {
    piece.abortedMs = this.nowMs;
    this.decisions.push({ kind: "aborted", reason, low: piece.low, high: piece.high, from: piece.owner, to: piece.movingTo });
    this.#change(piece, () => {
      piece.movingTo = null;
      piece.move = null;
    });
  }

  /** Somebody else, or nobody, owns it from now on; a move there was is over. */
  give(piece: Piece, to: string | null, term: Generation, reason: ChangeReason): void {
    this.decisions.push({ kind: "changed", reason, low: piece.low, high: piece.high, from: piece.owner, to });
    this.#change(piece, () => {
      piece.owner = to;
      piece.term = term;
      piece.movingTo = null;
      piece.move = null;
    });
  }

  slices(): Slice[] {
    return this.pieces.map(({ low, high, owner, standby, movingTo, move, term }) => ({ low, high, owner, standby, movingTo, move, term }));
  }

  /** Whether the Slices differ from those it began with. */
  changed(): boolean {
    return this.pieces.length !== this.#before.length || this.pieces.some((piece, i) => !isSame(piece, this.#before[i]));
  }

  #loadOf(range: KeyRange, { rate }: Weight): number {
    return rate + this.#floor * width(range);
  }

  #change(piece: Piece, change: () => void): void {
    this.#count(piece, -1);
    change();
    this.#count(piece, 1);
  }

  #count(piece: Piece, sign: 1 | -1): void {
    const place = this.placeOf(piece);
    if (place !== undefined) {
      place.load += sign * piece.load;
      place.pieces += sign;
    }
    if (piece.movingTo === null) return;
    const from = this.seat(piece.owner);
    if (from !== undefined) from.movesOut += sign;
    if (place !== undefined) place.movesIn += sign;
  }
}

/** Rate per key, of the Slices whose rate is known. */
function densityOf(slices: readonly Slice[], notes: readonly Note[]): number {
  let rate = 0;
  let keys = 0;
  slices.forEach((slice, i) => {
    const note = notes[i];
    if (note?.isKnown !== true) return;
    rate += note.weight.rate;
    keys += width(slice);
  });
  return keys > 0 ? rate / keys : 0;
}

function isSame(a: Slice, b: Slice | undefined): boolean {
  if (b === undefined || a.low !== b.low || a.high !== b.high || a.owner !== b.owner || a.standby !== b.standby) return false;
  const moves = a.move === null || b.move === null ? a.move === b.move : compareGenerations(a.move, b.move) === 0;
  return moves && a.movingTo === b.movingTo && compareGenerations(a.term, b.term) === 0;
}
