// The first Assignment: what nobody ever had is cut evenly and dealt out in blocks, so that the ranges of one owner are neighbours
// and a batch names few of them.
import { KEY_END, type KeyRange, width } from "../../slice/keyRange.js";
import type { Piece, Plan } from "./plan.js";
import { SLICES_PER_SEAT } from "./split.js";

/** With one Resource there must be enough to give away later. */
const SLICES_MIN = 64;

/** `orphans`: pieces that were never owned. */
export function dealFirst(plan: Plan, orphans: readonly KeyRange[]): void {
  const seats = plan.running();
  const count = Math.max(SLICES_MIN, seats.length * SLICES_PER_SEAT);
  const step = KEY_END / count;
  const grid = Array.from({ length: count - 1 }, (_, i) => Math.round((i + 1) * step));
  plan.cutAll(grid.filter((key) => orphans.some(({ low, high }) => key > low && key < high)));
  const pieces = orphans.flatMap((range) => plan.within(range));
  const total = pieces.reduce((sum, piece) => sum + width(piece), 0);
  const room = seats.map((seat) => ({ seat, keys: 0 }));
  // Whoever came back with state of its own has less to take: fill each up to the mean of all.
  const taken = new Map(seats.map(({ id }) => [id, 0]));
  for (const piece of plan.pieces) if (piece.owner !== null) taken.set(piece.owner, (taken.get(piece.owner) ?? 0) + width(piece));
  const mean = (total + [...taken.values()].reduce((sum, keys) => sum + keys, 0)) / seats.length;
  for (const place of room) place.keys = Math.max(0, mean - (taken.get(place.seat.id) ?? 0));
  deal(plan, pieces, room);
}

function deal(plan: Plan, pieces: readonly Piece[], room: readonly { readonly seat: { readonly id: string }; readonly keys: number }[]): void {
  let at = 0;
  let left = room[0]?.keys ?? 0;
  for (const piece of pieces) {
    // Half a piece over is nearer to the mean than half a piece under.
    while (left < width(piece) / 2 && at < room.length - 1) left = room[++at]?.keys ?? 0;
    const seat = room[at]?.seat;
    if (seat === undefined) return;
    plan.give(piece, seat.id, plan.next, "first");
    left -= width(piece);
  }
}
