// Why a Slice is where it is: one record for every change that a Generation makes to who holds what. They go with the published
// Assignment, for the log, the metrics and the web page.
import type { KeyRange } from "../slice/keyRange.js";

/**
 * first: given out for the first time. returned: its own state came back and was granted. serving: found served there in a newer
 * term. drain, balance: handed over by its owner. held: kept for nobody, until its state comes back. lost: its owner died or did not
 * come back, given away empty.
 */
export type ChangeReason = "first" | "returned" | "serving" | "drain" | "balance" | "held" | "lost";

/** changed: has another owner now. moving: its owner shall hand it over. aborted: its owner called that off. */
export interface Decision extends KeyRange {
  readonly kind: "changed" | "moving" | "aborted";
  readonly reason: ChangeReason;
  /** Resource ids; null: nobody. */
  readonly from: string | null;
  readonly to: string | null;
}
