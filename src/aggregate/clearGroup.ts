// Empties a Group that a copy is about to say anew.
import { releaseCell } from "../kernel/cell.js";
import { releaseHeld } from "../kernel/held.js";
import { releaseHistogram } from "../kernel/histogram.js";
import { FLAG_DEDUP, GROUP_HISTOGRAM, GROUP_LASTS, GROUP_OLDEST, LAST_HELD, LAST_NEXT } from "../kernel/layout.js";
import type { CompiledRule } from "./compile.js";

/** Takes what a Group has of Windows and held samples off it, before an increment says what it has now. Its Lasts stay, to be overwritten. */
export function clearGroup(root: number, { flags }: CompiledRule, group: number): void {
  for (let cell = i32.load(group + GROUP_OLDEST); cell !== 0; cell = i32.load(group + GROUP_OLDEST)) releaseCell(root, group, cell);
  const histogram = i32.load(group + GROUP_HISTOGRAM);
  if (histogram !== 0) releaseHistogram(root, histogram);
  i32.store(group + GROUP_HISTOGRAM, 0);
  if ((flags & FLAG_DEDUP) === 0) return;
  for (let last = i32.load(group + GROUP_LASTS); last !== 0; last = i32.load(last + LAST_NEXT)) {
    for (let held = i32.load(last + LAST_HELD); held !== 0; ) held = releaseHeld(root, held);
    i32.store(last + LAST_HELD, 0);
  }
}
