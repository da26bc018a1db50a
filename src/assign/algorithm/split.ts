// Pieces that are too heavy to balance with are cut: around a hot key when one key makes them heavy, else at half their load.
// Nothing moves by it.
import type { Piece, Plan } from "./plan.js";

/** Wanted number of pieces per Resource; there are half as many to twice as many. */
export const SLICES_PER_SEAT = 32;
const SLICES_PER_SEAT_MAX = 64;
/** Heavier than so many wanted pieces: cut. */
const HEAVY = 2;

/** What a piece should weigh. */
export function wantedLoad(plan: Plan): number {
  return plan.pieces.reduce((sum, piece) => sum + piece.load, 0) / (Math.max(1, plan.running().length) * SLICES_PER_SEAT);
}

export function split(plan: Plan): void {
  const heavy = HEAVY * wantedLoad(plan);
  let room = Math.max(1, plan.running().length) * SLICES_PER_SEAT_MAX - plan.pieces.length;
  if (room <= 0 || !plan.pieces.some((piece) => isCuttable(piece, heavy))) return;
  const cuts = new Map<Piece, number[]>();
  const queue = plan.pieces.filter((piece) => isCuttable(piece, heavy)).toSorted((a, b) => b.load - a.load || a.low - b.low);
  for (const piece of queue) {
    const keys = cutsOf(piece, heavy).slice(0, room);
    room -= keys.length;
    if (keys.length > 0) cuts.set(piece, keys);
  }
  plan.pieces = plan.pieces.flatMap((piece) => plan.cutPiece(piece, cuts.get(piece) ?? []));
}

function isCuttable({ load, low, high, movingTo, owner }: Piece, heavy: number): boolean {
  return load > heavy && high - low > 1 && movingTo === null && owner !== null;
}

/** Keys at which to cut so that each part weighs about half of `heavy`, hot keys by themselves. Sorted, strictly inside. */
function cutsOf(piece: Piece, heavy: number): number[] {
  const hot = piece.weight.hot.filter(([key, rate]) => key >= piece.low && key < piece.high && rate > 0);
  const even = Math.max(0, piece.load - hot.reduce((sum, [, rate]) => sum + rate, 0)) / (piece.high - piece.low);
  const parts = Math.ceil(piece.load / (heavy / 2));
  const step = piece.load / parts;
  const keys = new Set<number>();
  let at = piece.low;
  let sum = 0;
  const walkTo = (key: number): void => {
    while (even > 0 && sum + (key - at) * even >= step) {
      const next = Math.max(at + 1, Math.round(at + (step - sum) / even));
      if (next >= key) break;
      at = next;
      sum = 0;
      keys.add(at);
    }
    sum += (key - at) * even;
    at = key;
  };
  for (const [key, rate] of hot) {
    walkTo(key);
    // Alone when it is heavy by itself; else it is carried along like the rest.
    const alone = rate >= heavy / 2;
    if (alone || sum + rate > 1.5 * step) {
      keys.add(key);
      sum = 0;
    }
    sum += rate;
    at = key + 1;
    if (!alone && sum < step) continue;
    keys.add(key + 1);
    sum = 0;
  }
  walkTo(piece.high);
  return [...keys].filter((key) => key > piece.low && key < piece.high).toSorted((a, b) => a - b);
}
