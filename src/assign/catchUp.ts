// When Slicelets know more than the store. Generations only grow, so a store that was lost or rolled back must never issue a number
// twice with another content.
//
//   level ──a live Slicelet reports a newer Generation──▶ behind ──store read again and found newer──▶ level
//                                                           │ ──the highest Assignment was PUT, one lease has passed──▶ adopt it
//                                                           └─ ──nobody PUTs it for PATIENCE leases──▶ go on with what is there
//
// What is issued next has a higher incarnation than anything seen, so that it beats every copy of the lost history.
import type { Assignment } from "../slice/assignment.js";
import { type Generation, isNewer, NO_GENERATION } from "../slice/generation.js";
import type { Member } from "./health.js";

const PATIENCE = 3;

export type CatchUp =
  | { readonly state: "level" }
  | { readonly state: "wait" }
  | { readonly state: "adopt"; readonly assignment: Assignment }
  | { readonly state: "give_up"; readonly highest: Generation };

export class Seen {
  /** The newest Assignment that a Slicelet has PUT. */
  #put: Assignment | undefined;
  #behindMs: number | undefined;

  put(assignment: Assignment): void {
    if (this.#put === undefined || isNewer(assignment.generation, this.#put.generation)) this.#put = assignment;
  }

  /** `own`: the newest that was committed here. */
  compare(nowMs: number, own: Generation, { members, leaseMs }: { readonly members: readonly Member[]; readonly leaseMs: number }): CatchUp {
    const highest = highestOf(members);
    if (!isNewer(highest, own)) {
      this.#behindMs = undefined;
      if (this.#put !== undefined && !isNewer(this.#put.generation, own)) this.#put = undefined;
      return { state: "level" };
    }
    this.#behindMs ??= nowMs;
    const behindMs = nowMs - this.#behindMs;
    if (behindMs < leaseMs) return { state: "wait" };
    if (this.#put !== undefined && !isNewer(highest, this.#put.generation)) return { state: "adopt", assignment: this.#put };
    if (behindMs < PATIENCE * leaseMs) return { state: "wait" };
    if (this.#put !== undefined && isNewer(this.#put.generation, own)) return { state: "adopt", assignment: this.#put };
    return { state: "give_up", highest };
  }
}

/** The newest Generation that any live Slicelet has seen or serves in. */
export function highestOf(members: readonly Member[]): Generation {
  let newest = NO_GENERATION;
  for (const { highest, state } of members) if (state !== "gone" && isNewer(highest, newest)) newest = highest;
  return newest;
}
