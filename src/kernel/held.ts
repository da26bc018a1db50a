// Deduplication: of the samples that one Series has within one dedup interval the newest counts, of equal times the larger value.
// They are held until their Window closes, so that the order in which they come decides nothing; then they are added, oldest first.
//
//   Last ─▶ Held (newest interval) ─▶ Held ─▶ Held (oldest)      one per dedup interval with a sample
import { allocate, release } from "./alloc.js";
import { HELD_BYTES, HELD_OLDER, HELD_TIME, HELD_VALUE, LAST_HELD, RULE_DEDUP } from "./layout.js";

/** Answers of hold. */
export const HOLD_NO_MEMORY: i32 = 0;
export const HOLD_NEW: i32 = 1;
/** One of two samples is gone: the one that is held stays or is replaced. */
export const HOLD_DUPLICATE: i32 = 2;

/** Takes a sample whose Window is open into a Series' list. */
export function hold(root: i32, rule: i32, last: i32, time: f64, value: f64): i32 {
  const interval: f64 = f64.load(rule + RULE_DEDUP);
  const bucket: f64 = Math.floor(time / interval);
  let link: i32 = last + LAST_HELD;
  let held: i32 = i32.load(link);
  while (held != 0 && Math.floor(f64.load(held + HELD_TIME) / interval) > bucket) {
    link = held + HELD_OLDER;
    held = i32.load(link);
  }
  if (held != 0 && Math.floor(f64.load(held + HELD_TIME) / interval) == bucket) {
    const known: f64 = f64.load(held + HELD_TIME);
    if (time > known || (time == known && value > f64.load(held + HELD_VALUE))) {
      f64.store(held + HELD_TIME, time);
      f64.store(held + HELD_VALUE, value);
    }
    return HOLD_DUPLICATE;
  }
  const fresh: i32 = allocate(root, HELD_BYTES);
  if (fresh == 0) return HOLD_NO_MEMORY;
  f64.store(fresh + HELD_TIME, time);
  f64.store(fresh + HELD_VALUE, value);
  i32.store(fresh + HELD_OLDER, held);
  i32.store(link, fresh);
  return HOLD_NEW;
}

/** Takes everything held from before `end` off the list. Returns it oldest first (HELD_OLDER then leads to the next newer one), 0: nothing. */
export function takeHeld(last: i32, end: f64): i32 {
  let link: i32 = last + LAST_HELD;
  let held: i32 = i32.load(link);
  while (held != 0 && f64.load(held + HELD_TIME) >= end) {
    link = held + HELD_OLDER;
    held = i32.load(link);
  }
  i32.store(link, 0);
  let taken: i32 = 0;
  while (held != 0) {
    const older: i32 = i32.load(held + HELD_OLDER);
    i32.store(held + HELD_OLDER, taken);
    taken = held;
    held = older;
  }
  return taken;
}

/** Gives one record back. Returns the one behind it. */
export function releaseHeld(root: i32, held: i32): i32 {
  const next: i32 = i32.load(held + HELD_OLDER);
  release(root, held, HELD_BYTES);
  return next;
}
