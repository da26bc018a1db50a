// The algorithm of Databricks' open-source Dicer (2026-01), one replica per key, written anew from a description of its phases: the
// baseline that ours is compared with.
//
//   deal (first time) | drop the dead ▸ re-home in key order ▸ split hot ▸ merge over 64 ▸ split to 32 ▸ place by local search ▸ merge
//
// Its cost of a placement: a quadratic penalty outside a band around the mean (4 below, 16 above), 100 x the upper edge for an empty
// Resource, and a quarter of the load of each slice that is not where it was. Given here as its documentation advises: a load hint of a
// quarter over the mean, the default tolerance of a tenth of it, 1 % of it reserved evenly.
import { KEY_END, type KeyRange, width } from "#limpet/slice/keyRange.js";
import { type KeyLoad, rateOf } from "../assign/cluster.js";
import type { Balancer, OwnedRange } from "./world.js";

const SLICES_MIN = 32;
const SLICES_MAX = 64;
const HINT = 1.25;
const TOLERANCE = 0.1;
const RESERVED = 0.01;
const UNDER = 4;
const OVER = 16;
const CHURN = 0.25;
const EMPTY = 100;
const GAIN_MIN = 1e-10;

interface Piece {
  low: number;
  high: number;
  owner: string;
  /** Where it was before this run. */
  readonly base: string;
  load: number;
}

interface Band {
  readonly min: number;
  readonly max: number;
}

class Placement {
  readonly names: readonly string[];
  readonly loads: Map<string, number>;
  readonly counts: Map<string, number>;
  readonly bands: Map<string, Band>;
  readonly loadOf: (range: KeyRange) => number;
  readonly threshold: number;
  pieces: Piece[];

  constructor(before: readonly OwnedRange[], names: readonly string[], load: KeyLoad) {
    this.names = names;
    const average = (load.sums.at(-1) ?? 0) / names.length;
    const hint = Math.max(HINT * average, 1e-9);
    const floor = (RESERVED * hint * names.length) / KEY_END;
    this.loadOf = (range) => rateOf(load, range) + floor * width(range);
    this.threshold = TOLERANCE * hint;
    const mean = average + (floor * KEY_END) / names.length;
    const known = new Set(before.map(({ owner }) => owner));
    // A new Resource is to be filled to the mean, not merely to the lower edge.
    this.bands = new Map(
      names.map((name) => [name, { min: known.has(name) ? Math.max(mean - this.threshold, mean / 100) : mean, max: mean + this.threshold }]),
    );
    this.loads = new Map(names.map((name) => [name, 0]));
    this.counts = new Map(names.map((name) => [name, 0]));
    this.pieces = [];
    for (const range of before) this.pieces.push(this.piece(range, range.owner));
    for (const piece of this.pieces) this.count(piece, 1);
  }

  piece({ low, high, owner }: OwnedRange, base: string): Piece {
    return { low, high, owner, base, load: this.loadOf({ low, high }) };
  }

  count({ owner, load }: Piece, sign: 1 | -1): void {
    this.loads.set(owner, (this.loads.get(owner) ?? 0) + sign * load);
    this.counts.set(owner, (this.counts.get(owner) ?? 0) + sign);
  }

  give(piece: Piece, to: string): void {
    this.count(piece, -1);
    piece.owner = to;
    this.count(piece, 1);
  }
}

/** In even blocks, as Limpet does, and not in turn as Dicer: churn compares only from the same start. */
function deal(names: readonly string[]): OwnedRange[] {
  const step = KEY_END / (SLICES_MIN * names.length);
  return names.flatMap((owner, i) =>
    Array.from({ length: SLICES_MIN }, (_, j) => {
      const at = i * SLICES_MIN + j;
      return { low: Math.round(at * step), high: Math.round((at + 1) * step), owner };
    }),
  );
}

function rehome(placement: Placement): void {
  for (const piece of placement.pieces) {
    if (placement.names.includes(piece.owner)) continue;
    let coldest = placement.names[0] ?? "";
    for (const name of placement.names) if ((placement.loads.get(name) ?? 0) < (placement.loads.get(coldest) ?? 0)) coldest = name;
    placement.give(piece, coldest);
  }
}

/** Cuts a piece where both sides carry most nearly the same. */
function halve(placement: Placement, index: number): boolean {
  const piece = placement.pieces[index];
  if (piece === undefined || piece.high - piece.low < 2) return false;
  let from = piece.low + 1;
  let to = piece.high - 1;
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (placement.loadOf({ low: piece.low, high: middle }) < piece.load / 2) from = middle + 1;
    else to = middle;
  }
  const before = placement.loadOf({ low: piece.low, high: from - 1 });
  const at = from - 1 > piece.low && piece.load / 2 - before < placement.loadOf({ low: piece.low, high: from }) - piece.load / 2 ? from - 1 : from;
  const { owner, base } = piece;
  placement.count(piece, -1);
  const parts = [placement.piece({ low: piece.low, high: at, owner }, base), placement.piece({ low: at, high: piece.high, owner }, base)];
  for (const part of parts) placement.count(part, 1);
  placement.pieces.splice(index, 1, ...parts);
  return true;
}

function splitHot(placement: Placement): void {
  for (let i = 0; i < placement.pieces.length; ) {
    const piece = placement.pieces[i];
    if (piece === undefined || piece.load <= placement.threshold || !halve(placement, i)) i++;
  }
}

function splitToFloor(placement: Placement): void {
  while (placement.pieces.length < SLICES_MIN * placement.names.length) {
    let hottest = 0;
    placement.pieces.forEach((piece, i) => {
      if (piece.high - piece.low > 1 && piece.load > (placement.pieces[hottest]?.load ?? 0)) hottest = i;
    });
    if (!halve(placement, hottest)) return;
  }
}

/** The coldest neighbours become one, where the heavier was. */
function mergeCold(placement: Placement): void {
  while (placement.pieces.length > SLICES_MAX * placement.names.length) {
    let coldest = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 1 < placement.pieces.length; i++) {
      const sum = (placement.pieces[i]?.load ?? 0) + (placement.pieces[i + 1]?.load ?? 0);
      if (sum < least) [coldest, least] = [i, sum];
    }
    const [left, right] = [placement.pieces[coldest], placement.pieces[coldest + 1]];
    if (left === undefined || right === undefined) return;
    const heavier = left.load >= right.load ? left : right;
    placement.count(left, -1);
    placement.count(right, -1);
    const joined = placement.piece({ low: left.low, high: right.high, owner: heavier.owner }, heavier.base);
    placement.count(joined, 1);
    placement.pieces.splice(coldest, 2, joined);
  }
}

function penalty(load: number, { min, max }: Band): number {
  if (load <= 0) return EMPTY * max;
  if (load < min) return UNDER * (1 + (min - load) / min) ** 2 * (min - load);
  return load > max ? OVER * (load / max) ** 2 * (load - max) : 0;
}

/** Takes the best move off the hottest Resource until none helps, then off the next. */
function place(placement: Placement): void {
  const done = new Set<string>();
  const bandOf = (name: string): Band => placement.bands.get(name) ?? { min: 0, max: 0 };
  const loadOf = (name: string): number => placement.loads.get(name) ?? 0;
  const costOf = (name: string, change: number): number =>
    penalty(Math.max(0, loadOf(name) + change), bandOf(name)) - penalty(loadOf(name), bandOf(name));
  for (;;) {
    const from = placement.names.filter((name) => !done.has(name)).toSorted((a, b) => loadOf(b) - loadOf(a))[0];
    if (from === undefined) return;
    let best: { readonly piece: Piece; readonly to: string } | undefined;
    let bestDelta = -GAIN_MIN;
    for (const piece of placement.pieces) {
      if (piece.owner !== from) continue;
      const leaving = costOf(from, -piece.load);
      for (const to of placement.names) {
        if (to === from) continue;
        const churn = CHURN * piece.load * (Number(to !== piece.base) - Number(from !== piece.base));
        const delta = leaving + costOf(to, piece.load) + churn;
        if (delta < bestDelta) [best, bestDelta] = [{ piece, to }, delta];
      }
    }
    if (best === undefined) done.add(from);
    else placement.give(best.piece, best.to);
  }
}

export const dicer: Balancer = (before, names, load) => {
  if (before === undefined) return deal(names);
  const placement = new Placement(before, names, load);
  rehome(placement);
  splitHot(placement);
  mergeCold(placement);
  splitToFloor(placement);
  place(placement);
  mergeCold(placement);
  return placement.pieces.map(({ low, high, owner }) => ({ low, high, owner }));
};
