// An Assignment: who owns what, all of it, under one Generation.
//
//   owner ──published──▶ owner, movingTo, move ──the owner's word──▶ new owner, its term = the move
//
// A published move ends only by the owner's word, or by a promotion when the owner is dead (PROTOCOL P6, P7).
import { type Generation, isNewer } from "./generation.js";
import { KEY_END, type KeyRange } from "./keyRange.js";
import type { Resource } from "./resource.js";

export interface Slice extends KeyRange {
  /** Resource id; null: held by nobody, routers keep its samples. */
  readonly owner: string | null;
  /** Resource id of its listed copy. */
  readonly standby: string | null;
  /** Resource id; null: stays. Never the owner. */
  readonly movingTo: string | null;
  /** The Generation that published the move; null exactly when movingTo is. */
  readonly move: Generation | null;
  /** The Generation in which its owner got it. */
  readonly term: Generation;
}

export interface Assignment {
  readonly generation: Generation;
  /** Hash of the rule file in force. */
  readonly rules: string;
  /** Invariant: sorted, cover [0, 2^32) without gap or overlap; terms and moves are not newer than the generation. */
  readonly slices: readonly Slice[];
  /** Every id in `slices` is among them. */
  readonly resources: readonly Resource[];
}

/** What is wrong with an Assignment; undefined: nothing. */
export function assignmentFault({ generation, slices, resources }: Assignment): string | undefined {
  const ids = new Set(resources.map(({ id }) => id));
  if (ids.size !== resources.length) return "a resource is listed twice";
  let at = 0;
  for (const slice of slices) {
    if (slice.low !== at || slice.high <= slice.low) return `slices do not cover the key space at ${String(at)}`;
    at = slice.high;
    for (const id of [slice.owner, slice.standby, slice.movingTo]) if (id !== null && !ids.has(id)) return `unknown resource ${id}`;
    if ((slice.movingTo === null) !== (slice.move === null)) return "a move has a target and a generation, or neither";
    if (slice.movingTo !== null && slice.movingTo === slice.owner) return "a slice moves to its owner";
    if (isNewer(slice.term, generation) || (slice.move !== null && isNewer(slice.move, generation))) return "a term is newer than the generation";
  }
  return at === KEY_END ? undefined : `slices do not cover the key space at ${String(at)}`;
}

/** Index of the Slice that holds a key. O(log n), no allocation. */
export function sliceIndexOf(slices: readonly Slice[], key: number): number {
  let from = 0;
  let to = slices.length - 1;
  while (from < to) {
    const middle = (from + to + 1) >>> 1;
    if ((slices[middle]?.low ?? KEY_END) <= key) from = middle;
    else to = middle - 1;
  }
  return from;
}

/** The Slices a Resource owns. */
export function ownedBy({ slices }: Assignment, id: string): Slice[] {
  return slices.filter(({ owner }) => owner === id);
}

/** Base URL of a Resource; undefined when it is not listed. */
export function addressOf({ resources }: Assignment, id: string | null): string | undefined {
  return id === null ? undefined : resources.find((resource) => resource.id === id)?.address;
}
