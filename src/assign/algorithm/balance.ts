// Moves from those who carry too much to those who carry too little, the most relief per byte of state first, within a hard budget.
//
//   quiet ──somebody is HIGH over or LOW under its share──▶ balancing ──all within CALM and FILLED, or no move helps──▶ quiet
//
// The gap between HIGH and CALM is what keeps noise from moving anything. A piece heavier than a fair share (one hot key) cannot be
// cut: whoever has it should carry nothing else, and all others share what is left; that share is the `level`.
import { KEY_END, width } from "../../slice/keyRange.js";
import type { Piece, Plan, Seat } from "./plan.js";

/** Of the level. */
const HIGH = 0.16;
const LOW = 0.35;
const CALM = 0.1;
const FILLED = 0.15;
/** A move must bring both ends nearer to what they should carry by at least so much of the level together. */
const GAIN_MIN = 0.01;
/** Shares of keys and of load against the share of bytes in the price of a move. Load counts, or a heavy piece that overshoots would seem cheap. */
const KEYS_SHARE = 0.1;
const LOAD_SHARE = 1;

export interface BalanceLimits {
  readonly movesMax: number;
  readonly churnMax: number;
  readonly cooldownMs: number;
  readonly retryMs: number;
}

interface Side {
  readonly seat: Seat;
  /** What it should carry. */
  readonly want: number;
  readonly pieces: Piece[];
}

/** `active`: whether the last round was balancing. Returns whether this one is. */
export function balance(plan: Plan, active: boolean, limits: BalanceLimits): boolean {
  const { sides, level } = levelOf(plan);
  if (sides.length < 2) return false;
  const over = Math.max(...sides.map(({ seat, want }) => seat.load - want)) / level;
  const under = Math.max(...sides.map(({ seat, want }) => want - seat.load)) / level;
  if (active ? over <= CALM && under <= FILLED : over <= HIGH && under <= LOW) return false;
  return moveWithin(plan, sides, { ...limits, level }) > 0;
}

/** What each should carry. */
function levelOf(plan: Plan): { readonly sides: readonly Side[]; readonly level: number } {
  const pieces = new Map<Seat, Piece[]>(plan.running().map((seat) => [seat, []]));
  let total = 0;
  for (const piece of plan.pieces) {
    const seat = plan.placeOf(piece);
    const own = seat === undefined ? undefined : pieces.get(seat);
    if (own === undefined) continue;
    own.push(piece);
    total += piece.load;
  }
  const heaviest = [...pieces].map(([seat, own]) => ({ seat, load: own.reduce((most, piece) => Math.max(most, piece.load), 0) }));
  const alone = new Map<Seat, number>();
  let rest = total;
  let count = pieces.size;
  for (const { seat, load } of heaviest.toSorted((a, b) => b.load - a.load)) {
    if (count <= 1 || load <= rest / count) break;
    alone.set(seat, load);
    rest -= load;
    count--;
  }
  const level = count === 0 ? 0 : rest / count;
  return { sides: [...pieces].map(([seat, own]) => ({ seat, want: alone.get(seat) ?? level, pieces: own })), level };
}

function moveWithin(plan: Plan, sides: readonly Side[], limits: BalanceLimits & { readonly level: number }): number {
  const { movesMax, churnMax, level } = limits;
  const total = sides.reduce((sum, { seat }) => sum + seat.load, 0);
  const bytes = plan.pieces.reduce((sum, piece) => sum + piece.weight.bytes, 0);
  const budget = { keys: churnMax * KEY_END, load: churnMax * total };
  const price = (piece: Piece): number => {
    return (bytes > 0 ? piece.weight.bytes / bytes : 0) + (KEYS_SHARE * width(piece)) / KEY_END + (LOAD_SHARE * piece.load) / total;
  };
  const stuck = new Set<Side>();
  let moves = 0;
  for (;;) {
    const from = most(
      sides,
      ({ seat, want }) => seat.load - want,
      (side) => !stuck.has(side) && side.seat.movesOut < movesMax,
    );
    const to = most(
      sides,
      ({ seat, want }) => want - seat.load,
      ({ seat }) => seat.movesIn < movesMax,
    );
    if (from === undefined || to === undefined || from === to) return moves;
    const excess = from.seat.load - from.want;
    const need = to.want - to.seat.load;
    // Whoever is near enough to its share gives only to one that is far below its own.
    if (excess <= 0 || (excess <= CALM * level && need <= FILLED * level) || need <= 0) return moves;
    const gainOf = ({ load }: Piece): number => excess + need - Math.abs(excess - load) - Math.abs(need - load);
    let best: Piece | undefined;
    let bestScore = 0;
    for (const piece of from.pieces) {
      if (piece.movingTo !== null || piece.load > budget.load || width(piece) > budget.keys) continue;
      if (plan.nowMs - piece.movedMs < limits.cooldownMs || plan.nowMs - piece.abortedMs < limits.retryMs) continue;
      const gain = gainOf(piece);
      if (gain < GAIN_MIN * level) continue;
      const score = gain / price(piece);
      if (score > bestScore) [best, bestScore] = [piece, score];
    }
    if (best === undefined) {
      stuck.add(from);
      continue;
    }
    budget.keys -= width(best);
    budget.load -= best.load;
    from.pieces.splice(from.pieces.indexOf(best), 1);
    to.pieces.push(best);
    plan.move(best, to.seat, "balance");
    moves++;
  }
}

function most(sides: readonly Side[], value: (side: Side) => number, fits: (side: Side) => boolean): Side | undefined {
  let best: Side | undefined;
  let bestValue = Number.NEGATIVE_INFINITY;
  for (const side of sides) {
    const here = value(side);
    if (here > bestValue && fits(side)) [best, bestValue] = [side, here];
  }
  return best;
}
