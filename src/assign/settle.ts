// What has happened, as the Slicelets tell it, and what follows for each Slice. In this order, because words come before deaths:
//
//   | the Slice's owner   | told                                        | then                                                       |
//   |---------------------|---------------------------------------------|------------------------------------------------------------|
//   | anybody             | somebody serves it in a newer term          | that is its owner, in that term (go was said, or the store |
//   |                     |                                             | has lost a Generation)                                     |
//   | moving              | owner: moved, in this move                  | target owns it, term = move                                |
//   | moving              | owner: aborted, this move                   | the move is dead; another may be published                 |
//   | gone or staying     | somebody offers, or serves, its very term   | that one owns it, the term stays: its state is back        |
//   | gone or staying     | move target offers the term of the move     | the same, term = move                                      |
//   | gone, moving        | target heard since, serves nothing          | as gone, not moving                                        |
//   | gone, moving        | target not heard since                      | wait for it                                                |
//   | staying             | new incarnation at its address: no offer    | it came back without its state: lost                       |
//   | gone, was staying   | -                                           | held (owner null, term kept), `stay` long; then lost       |
//   | gone, was not       | -                                           | held for `orphanAfter` (default: not at all); then lost    |
//   | draining, running,  | -                                           | stays as it is; a move whose target is gone goes on until  |
//   | staying             |                                             | the owner calls it off                                     |
//
// Lost: given away empty, in a new term. None of this happens while nobody is there who could own anything.
import { type Assignment, sliceIndexOf } from "../slice/assignment.js";
import { compareGenerations, type Generation, isNewer } from "../slice/generation.js";
import { type KeyRange, overlap, without } from "../slice/keyRange.js";
import type { NumberedRange, Report, ServedSlice } from "../slice/report.js";
import type { Piece, Plan } from "./algorithm/plan.js";
import type { Member, Members } from "./health.js";
import type { AssignerLimits } from "./limits.js";

export interface Facts {
  readonly nowMs: number;
  readonly members: Members;
  readonly limits: AssignerLimits;
}

/** Applies the words of the Slicelets. */
export function hearAll(plan: Plan, members: Members): void {
  for (const { report } of members.all()) if (report !== undefined) hear(plan, report);
  // Those that leave too: what was theirs is theirs to hand on, or stays theirs when they came back and went again at once.
  const back = members
    .all()
    .filter(({ state, replaced }) => state !== "gone" && !replaced)
    .flatMap((member) => (member.report === undefined ? [] : [{ member, offers: [...member.report.offers, ...strays(plan, member.report)] }]));
  if (plan.pieces.every(({ term }) => isNever(term))) return claim(plan, back);
  for (const { member, offers } of back) grant(plan, member, offers, members);
}

export interface Buried {
  /** To be given away empty. */
  readonly lost: Piece[];
  /** When to look again without any event; ms. */
  readonly dueMs: number;
}

/** Applies the deaths. */
export function bury(plan: Plan, facts: Facts): Buried {
  let dueMs = Number.POSITIVE_INFINITY;
  const lost = plan.pieces.filter((piece) => {
    const fate = fateOf(plan, piece, facts);
    if (typeof fate === "number") dueMs = Math.min(dueMs, fate);
    return fate === "lost";
  });
  return { lost, dueMs };
}

/** Whether a report says anything that changes the Assignment. */
export function isNews({ slices }: Assignment, report: Report, members: Members): boolean {
  const some = (range: KeyRange, says: (slice: Assignment["slices"][number]) => boolean): boolean => {
    for (let i = sliceIndexOf(slices, range.low); i < slices.length; i++) {
      const slice = slices[i];
      if (slice === undefined || slice.low >= range.high) return false;
      if (says(slice)) return true;
    }
    return false;
  };
  const ends = (word: NumberedRange): boolean => some(word, ({ move }) => isEqual(move, word.number));
  return (
    report.moved.some(ends) ||
    report.aborted.some(ends) ||
    report.serves.some((served) =>
      some(served, ({ term, owner }) => isNewer(served.term, term) || (owner !== report.id && isEqual(term, served.term))),
    ) ||
    report.offers.some((offer) =>
      some(offer, ({ term, move, owner }) => {
        return isAway(members.get(owner), report.address) && (isEqual(term, offer.number) || isEqual(move, offer.number));
      }),
    )
  );
}

function hear(plan: Plan, { id, serves, moved, aborted }: Report): void {
  for (const served of serves) {
    if (!isAhead(plan, served)) continue;
    plan.cut(served.low);
    plan.cut(served.high);
    for (const piece of plan.within(served)) {
      if (isNewer(served.term, piece.term)) plan.give(piece, id, served.term, isEqual(piece.move, served.term) ? reasonOf(plan, piece) : "serving");
    }
  }
  for (const { number, ...range } of moved) {
    for (const piece of plan.within(range)) {
      if (piece.owner === id && isEqual(piece.move, number)) plan.give(piece, piece.movingTo, number, reasonOf(plan, piece));
    }
  }
  for (const { number, ...range } of aborted) {
    for (const piece of plan.within(range)) if (piece.owner === id && isEqual(piece.move, number)) plan.abort(piece, reasonOf(plan, piece));
  }
}

/** Whether it is served in a newer term than the plan says, anywhere. Asked for every Slice there is: it allocates nothing. */
function isAhead(plan: Plan, { low, high, term }: ServedSlice): boolean {
  for (let i = plan.indexOf(low); i < plan.pieces.length; i++) {
    const piece = plan.pieces[i];
    if (piece === undefined || piece.low >= high) return false;
    if (isNewer(term, piece.term)) return true;
  }
  return false;
}

/** What it serves in the very term of somebody else: it came back with its state while nobody could grant it, or that was forgotten. */
function strays(plan: Plan, { id, serves }: Report): NumberedRange[] {
  const found: NumberedRange[] = [];
  for (const { low, high, term } of serves) {
    for (let i = plan.indexOf(low); i < plan.pieces.length; i++) {
      const piece = plan.pieces[i];
      if (piece === undefined || piece.low >= high) break;
      if (piece.owner === id || !isEqual(piece.term, term)) continue;
      found.push({ low, high, number: term });
      break;
    }
  }
  return found;
}

function overlapping(plan: Plan, range: KeyRange): Piece[] {
  const found: Piece[] = [];
  for (let i = plan.indexOf(range.low); i < plan.pieces.length; i++) {
    const piece = plan.pieces[i];
    if (piece === undefined || piece.low >= range.high) break;
    found.push(piece);
  }
  return found;
}

/** A move's reason, from what its owner is: moves are published for nothing else. */
export function reasonOf(plan: Plan, { owner }: { readonly owner: string | null }): "drain" | "balance" {
  return plan.seat(owner)?.state === "running" ? "balance" : "drain";
}

/** Without any Assignment known to anybody: the newest state of each key wins. */
function claim(plan: Plan, back: readonly { readonly member: Member; readonly offers: readonly NumberedRange[] }[]): void {
  const offers = back.flatMap(({ member, offers: own }) => own.map((offer) => ({ id: member.id, offer })));
  for (const { id, offer } of offers.toSorted((a, b) => compareGenerations(a.offer.number, b.offer.number))) {
    plan.cut(offer.low);
    plan.cut(offer.high);
    for (const piece of plan.within(offer)) plan.give(piece, id, offer.number, "returned");
  }
}

/** State that came back. A Slice is granted when offers of its term cover all of it. */
function grant(plan: Plan, { id, address }: Member, offers: readonly NumberedRange[], members: Members): void {
  for (const offer of offers) {
    for (const piece of overlapping(plan, offer)) {
      if (!isAway(members.get(piece.owner), address)) continue;
      for (const term of [piece.term, piece.move]) {
        if (term === null || !isEqual(term, offer.number)) continue;
        const parts = offers.filter(({ number, ...range }) => isEqual(term, number) && overlap(range, piece) !== undefined);
        if (without([piece], parts).length === 0) plan.give(piece, id, term, "returned");
      }
    }
  }
}

/** Whether state of its own may be granted to a new incarnation at this address. */
function isAway(owner: Member | undefined, address: string): boolean {
  return owner === undefined || owner.state === "gone" || (owner.state === "staying" && owner.address === address);
}

/** A number: not before then, ms. */
function fateOf(plan: Plan, piece: Piece, { nowMs, members, limits }: Facts): "fine" | "lost" | number {
  if (piece.owner === null) return isNever(piece.term) || nowMs >= piece.heldUntilMs ? "lost" : piece.heldUntilMs;
  const owner = members.get(piece.owner);
  const isForsaken = isWithoutState(owner, piece, members);
  if (owner !== undefined && owner.state !== "gone" && !isForsaken) return "fine";
  if (piece.movingTo !== null) {
    const target = members.get(piece.movingTo);
    if (target !== undefined && target.state !== "gone" && target.heardMs <= (owner?.sinceMs ?? 0)) return nowMs;
    plan.abort(piece, "lost");
  }
  const holdFor = isForsaken ? 0 : holdMs(owner, limits);
  if (holdFor <= 0) return "lost";
  plan.give(piece, null, piece.term, "held");
  return nowMs + holdFor;
}

/** Whether it said that it stays, and has come back without the state of the piece. */
function isWithoutState(owner: Member | undefined, piece: Piece, members: Members): boolean {
  const heir = owner?.said === "staying" ? members.heirOf(owner) : undefined;
  return heir?.report?.offers.every((offer) => overlap(offer, piece) === undefined) === true;
}

/** How long Slices are held for a Resource that is gone. */
export function holdMs(owner: Member | undefined, { stayMs, orphanAfterMs }: AssignerLimits): number {
  return owner?.said === "staying" ? stayMs : orphanAfterMs;
}

/** Owned by nobody so far. */
function isNever({ incarnation, number }: Generation): boolean {
  return incarnation === 0 && number === 0;
}

function isEqual(a: Generation | null, b: Generation): boolean {
  return a !== null && compareGenerations(a, b) === 0;
}
