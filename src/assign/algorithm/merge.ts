// Light neighbours of one owner and one term become one piece. A term says in which move the state came; two terms cannot be one.
import { compareGenerations } from "../../slice/generation.js";
import type { Piece, Plan } from "./plan.js";
import { SLICES_PER_SEAT, wantedLoad } from "./split.js";

/** Lighter than that together, in wanted pieces; far enough from what a split makes not to undo one. */
const LIGHT = 0.75;

export function merge(plan: Plan): void {
  const least = (plan.running().length * SLICES_PER_SEAT) / 2;
  if (plan.pieces.length <= least) return;
  const light = LIGHT * wantedLoad(plan);
  let spare = plan.pieces.length - least;
  const pieces: Piece[] = [];
  for (const piece of plan.pieces) {
    const last = pieces.at(-1);
    if (last === undefined || spare <= 0 || last.load + piece.load > light || !isOne(last, piece)) {
      pieces.push(piece);
      continue;
    }
    pieces[pieces.length - 1] = plan.join(last, piece);
    spare--;
  }
  plan.pieces = pieces;
}

function isOne(a: Piece, b: Piece): boolean {
  const still = a.movingTo === null && b.movingTo === null && a.owner !== null;
  return still && a.owner === b.owner && a.standby === b.standby && compareGenerations(a.term, b.term) === 0;
}
