// Exact sets of 64-bit values (series hashes, sample values) for the distinct counts of a Window. Open addressing over
// { low, high } pairs, at most 5/8 full; the pair (0, 0) marks an empty slot and is itself remembered in a flag.
import { allocate, release } from "./alloc.js";
import { SET_BYTES, SET_COUNT, SET_MASK, SET_SLOTS, SET_ZERO } from "./layout.js";
import { imul } from "./leaf.js";

const FIRST_SLOTS: i32 = 8;

/** Makes an empty set; 0 without memory. */
export function openSet(root: i32): i32 {
  const set: i32 = allocate(root, SET_BYTES);
  if (set == 0) return 0;
  const slots: i32 = allocate(root, FIRST_SLOTS << 3);
  if (slots == 0) {
    release(root, set, SET_BYTES);
    return 0;
  }
  i32.store(set + SET_SLOTS, slots);
  i32.store(set + SET_MASK, FIRST_SLOTS - 1);
  return set;
}

/** Gives a set back. */
export function releaseSet(root: i32, set: i32): void {
  release(root, i32.load(set + SET_SLOTS), (i32.load(set + SET_MASK) + 1) << 3);
  release(root, set, SET_BYTES);
}

/** Adds a value. Returns 1, or 0 when the set would have to grow and there is no memory. */
export function addToSet(root: i32, set: i32, low: i32, high: i32): i32 {
  if (low == 0 && high == 0) {
    if (i32.load(set + SET_ZERO) == 0) i32.store(set + SET_COUNT, i32.load(set + SET_COUNT) + 1);
    i32.store(set + SET_ZERO, 1);
    return 1;
  }
  const slot: i32 = slotOf(set, low, high);
  if (i32.load(slot) != 0 || i32.load(slot + 4) != 0) return 1;
  const size: i32 = i32.load(set + SET_MASK) + 1;
  if (i32.load(set + SET_COUNT) + 1 > (size >> 1) + (size >> 3)) {
    if (grow(root, set, size) == 0) return 0;
    return addToSet(root, set, low, high);
  }
  i32.store(slot, low);
  i32.store(slot + 4, high);
  i32.store(set + SET_COUNT, i32.load(set + SET_COUNT) + 1);
  return 1;
}

/** The slot that holds the value, or the empty one where it belongs. */
function slotOf(set: i32, low: i32, high: i32): i32 {
  const slots: i32 = i32.load(set + SET_SLOTS);
  const mask: i32 = i32.load(set + SET_MASK);
  let hash: i32 = imul(low ^ imul(high, -1640531535), -2048144789);
  hash = hash ^ (hash >>> 15);
  let slot: i32 = slots + ((hash & mask) << 3);
  while ((i32.load(slot) != 0 || i32.load(slot + 4) != 0) && (i32.load(slot) != low || i32.load(slot + 4) != high)) {
    slot = slots + ((slot - slots + 8) & ((mask << 3) | 7));
  }
  return slot;
}

function grow(root: i32, set: i32, size: i32): i32 {
  const old: i32 = i32.load(set + SET_SLOTS);
  const fresh: i32 = allocate(root, size << 4);
  if (fresh == 0) return 0;
  i32.store(set + SET_SLOTS, fresh);
  i32.store(set + SET_MASK, (size << 1) - 1);
  for (let i: i32 = 0; i < size; i = i + 1) {
    const low: i32 = i32.load(old + (i << 3));
    const high: i32 = i32.load(old + (i << 3) + 4);
    if (low == 0 && high == 0) continue;
    const slot: i32 = slotOf(set, low, high);
    i32.store(slot, low);
    i32.store(slot + 4, high);
  }
  release(root, old, size << 3);
  return 1;
}
