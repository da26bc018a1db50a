// Which rules keep a Last per Series, and of what size (kernel/layout.ts).
import { FLAG_DEDUP, FLAG_DELTA, FLAG_RATE, KIND_COUNTER, KIND_SERIES, LAST_BYTES, LAST_DEDUP_BYTES, LAST_RATE_BYTES } from "../kernel/layout.js";
import type { CompiledRule } from "./compile.js";

/** Whether a rule keeps a Last per Series: for cumulative counters, to tell series apart, and to deduplicate. */
export function remembersSeries({ flags }: CompiledRule): boolean {
  return (flags & (KIND_SERIES | FLAG_DEDUP)) !== 0 || ((flags & KIND_COUNTER) !== 0 && (flags & FLAG_DELTA) === 0);
}

/** Size of a rule's Lasts. */
export function lastBytesOf(compiled: CompiledRule): number {
  return (compiled.flags & FLAG_DEDUP) === 0 ? lastNumbersEnd(compiled) : LAST_DEDUP_BYTES;
}

/** Where the f64s of a rule's Lasts, which begin at LAST_TIME, end. */
export function lastNumbersEnd(compiled: CompiledRule): number {
  return (compiled.flags & FLAG_RATE) === 0 ? LAST_BYTES : LAST_RATE_BYTES;
}
