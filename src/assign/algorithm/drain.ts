// Everything off the Resources that are about to go, `movesMax` at a time.
//
//   an empty process is there ─▶ it is the heir: it takes the whole set (a rolling upgrade moves each key about once)
//   none is                   ─▶ the largest first, each to whoever would carry least
//
// Heirs are kept from plan to plan, one for each: a set takes several rounds of moves.
import { leastLoaded } from "./place.js";
import type { Piece, Plan, Seat } from "./plan.js";

/** By the id of the Resource that goes, the id of the one that takes its place. Changed in place. */
export type Heirs = Map<string, string>;

export interface DrainLimits {
  readonly movesMax: number;
  /** Not again for so long after its owner called a move off. */
  readonly retryMs: number;
}

export function drain(plan: Plan, heirs: Heirs, { movesMax, retryMs }: DrainLimits): void {
  const leaving = plan.seats.filter(({ state }) => state === "draining");
  for (const id of heirs.keys()) if (!leaving.some((seat) => seat.id === id)) heirs.delete(id);
  if (leaving.length === 0) return;
  const staying = new Map<string, Piece[]>();
  for (const piece of plan.pieces) {
    if (piece.owner === null || piece.movingTo !== null || plan.seat(piece.owner)?.state !== "draining") continue;
    const own = staying.get(piece.owner);
    if (own === undefined) staying.set(piece.owner, [piece]);
    else own.push(piece);
  }
  for (const seat of leaving) if (staying.has(seat.id)) findHeir(plan, heirs, seat);
  const expected = reserve(plan, heirs, staying);
  for (const seat of leaving) {
    const pieces = (staying.get(seat.id) ?? []).filter(({ abortedMs }) => plan.nowMs - abortedMs >= retryMs);
    const heir = plan.seat(heirs.get(seat.id) ?? null);
    if (heir === undefined) spread(plan, seat, pieces, movesMax);
    else handOver(plan, seat, heir, { pieces, movesMax });
  }
  for (const [seat, load] of expected) seat.load -= load;
}

function findHeir(plan: Plan, heirs: Heirs, seat: Seat): void {
  if (plan.seat(heirs.get(seat.id) ?? null)?.state === "running") return;
  heirs.delete(seat.id);
  const taken = new Set(heirs.values());
  const empty = plan.running().filter(({ id, pieces, movesOut }) => pieces === 0 && movesOut === 0 && !taken.has(id));
  const heir = empty.toSorted((a, b) => a.joinedMs - b.joinedMs)[0];
  if (heir !== undefined) heirs.set(seat.id, heir.id);
}

/** An heir is not empty for the others: what it will get counts as there already. */
function reserve(plan: Plan, heirs: Heirs, staying: ReadonlyMap<string, readonly Piece[]>): Map<Seat, number> {
  const expected = new Map<Seat, number>();
  for (const [from, to] of heirs) {
    const seat = plan.seat(to);
    const load = (staying.get(from) ?? []).reduce((sum, piece) => sum + piece.load, 0);
    if (seat === undefined) continue;
    seat.load += load;
    expected.set(seat, (expected.get(seat) ?? 0) + load);
  }
  return expected;
}

/** In the order of keys: neighbours that move under one number can be merged later. */
function handOver(plan: Plan, seat: Seat, heir: Seat, { pieces, movesMax }: { readonly pieces: readonly Piece[]; readonly movesMax: number }): void {
  for (const piece of pieces) {
    if (seat.movesOut >= movesMax || heir.movesIn >= movesMax) return;
    plan.move(piece, heir, "drain");
  }
}

function spread(plan: Plan, seat: Seat, pieces: readonly Piece[], movesMax: number): void {
  const seats = plan.running();
  for (const piece of pieces.toSorted((a, b) => b.load - a.load || a.low - b.low)) {
    if (seat.movesOut >= movesMax) return;
    const to = leastLoaded(seats, ({ movesIn }) => movesIn < movesMax);
    if (to === undefined) return;
    plan.move(piece, to, "drain");
  }
}
