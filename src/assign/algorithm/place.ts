// Orphans: pieces whose state is gone. The largest first, each to whoever would carry least, so that the load of one that died is
// spread over many.
import type { Piece, Plan, Seat } from "./plan.js";

export function placeOrphans(plan: Plan, orphans: readonly Piece[]): void {
  const seats = plan.running();
  for (const piece of orphans.toSorted((a, b) => b.load - a.load || a.low - b.low)) {
    const seat = leastLoaded(seats);
    if (seat === undefined) return;
    plan.give(piece, seat.id, plan.next, "lost");
  }
}

/** The first of equals: seats are sorted by id. */
export function leastLoaded(seats: readonly Seat[], fits: (seat: Seat) => boolean = () => true): Seat | undefined {
  let best: Seat | undefined;
  for (const seat of seats) if (fits(seat) && (best === undefined || seat.load < best.load)) best = seat;
  return best;
}
