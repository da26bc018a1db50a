// What earlier incarnations left in --data (PROTOCOL P8): it lies unserved, is offered to the assigner with every report, and then
//
//   an Assignment says of the range            so it is
//   owner: me, in that very term               granted: served from now on
//   anybody, in that term, or moving in it     still on offer: the assigner has not decided, or has not heard
//   older than the offer                       still on offer: the Assignment lags behind
//   anybody, in a newer term                   lost: given away empty meanwhile, what is here is of no use to anybody
//   anybody, in an older term                  spare: the move it came by was called off, its owner has it all
import { type Assignment, type Slice, sliceIndexOf } from "../slice/assignment.js";
import { compareGenerations, formatGeneration, type Generation, isNewer } from "../slice/generation.js";
import { type KeyRange, overlap, without } from "../slice/keyRange.js";
import type { NumberedRange } from "../slice/report.js";

/** A range that is not on offer any more. */
export interface Refused extends KeyRange {
  readonly isLost: boolean;
  readonly reason: string;
}

export class Offers {
  /** Invariant: disjoint. */
  #offers: readonly NumberedRange[];

  constructor(offers: readonly NumberedRange[]) {
    this.#offers = offers;
  }

  get all(): readonly NumberedRange[] {
    return this.#offers;
  }

  /** What of a range is offered in that term; it is on offer no longer. */
  take(range: KeyRange, term: Generation): KeyRange[] {
    const granted = this.#offers.flatMap((offer) => (compareGenerations(offer.number, term) === 0 ? (overlap(offer, range) ?? []) : []));
    this.#withdraw(granted);
    return granted;
  }

  /** What an Assignment rules out; it is on offer no longer. */
  refused(assignment: Assignment): Refused[] {
    const refused = this.#offers.flatMap((offer) => refusedOf(offer, assignment));
    this.#withdraw(refused);
    return refused;
  }

  /** What of a range is on offer, in any term; it is no longer. */
  withdraw(range: KeyRange): KeyRange[] {
    const all = this.#offers.flatMap((offer) => overlap(offer, range) ?? []);
    this.#withdraw(all);
    return all;
  }

  #withdraw(ranges: readonly KeyRange[]): void {
    if (ranges.length === 0) return;
    this.#offers = this.#offers.flatMap((offer) => without([offer], ranges).map((part) => ({ ...part, number: offer.number })));
  }
}

function refusedOf(offer: NumberedRange, { generation, slices }: Assignment): Refused[] {
  if (isNewer(offer.number, generation)) return [];
  const refused: Refused[] = [];
  for (let i = sliceIndexOf(slices, offer.low); i < slices.length; i++) {
    const slice = slices[i];
    const part = slice === undefined ? undefined : overlap(slice, offer);
    if (slice === undefined || part === undefined) break;
    const reason = reasonOf(offer.number, slice);
    if (reason !== undefined) refused.push({ ...part, ...reason });
  }
  return refused;
}

function reasonOf(number: Generation, { term, move, owner }: Slice): Pick<Refused, "isLost" | "reason"> | undefined {
  if (compareGenerations(term, number) === 0 || (move !== null && compareGenerations(move, number) === 0)) return undefined;
  const [kept, now] = [formatGeneration(number), formatGeneration(term)];
  return isNewer(term, number)
    ? { isLost: true, reason: `kept in --data in term ${kept}, but given away empty in term ${now} before it was back (--stay of the assigner)` }
    : { isLost: false, reason: `${owner ?? "its owner"} never handed it over in move ${kept}` };
}
