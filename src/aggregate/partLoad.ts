// What a Part costs: how many pairs it has seen, and about how many bytes its state has. For the load meter and the mover.
import { GROUP_BYTES, LAST_BYTES, LEDGER_GROUP_COUNT, LEDGER_MATCHED, LEDGER_SERIES_COUNT } from "../kernel/layout.js";
import type { Part } from "./part.js";

/** A Cell with a few states, and the identity of its Group: a guess that needs no walk through the Groups. */
const GROUP_EXTRA_BYTES = 160;

/** (sample, rule) pairs matched since the Part began anywhere. */
export function partPairs({ ledgers }: Part): number {
  let pairs = 0;
  for (const { at } of ledgers) pairs += f64.load(at + LEDGER_MATCHED);
  return pairs;
}

/** Bytes of its Groups and Lasts, roughly. */
export function partBytes({ ledgers }: Part): number {
  let bytes = 0;
  for (const { at } of ledgers) {
    bytes += i32.load(at + LEDGER_GROUP_COUNT) * (GROUP_BYTES + GROUP_EXTRA_BYTES) + i32.load(at + LEDGER_SERIES_COUNT) * LAST_BYTES;
  }
  return bytes;
}
