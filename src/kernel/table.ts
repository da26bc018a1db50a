// Open-addressing hash tables over { hash, address } slots. A table does not compare: it walks the slots of a hash, and the
// caller looks at the records. A record that is removed leaves no mark: those behind it in its run move up, so slots may change then.
import { allocate, release } from "./alloc.js";
import { TABLE_COUNT, TABLE_MASK, TABLE_SLOTS } from "./layout.js";
import { clear } from "./leaf.js";

/** Makes an empty table with room for 5/8 of `slots` (a power of two) records. Returns 1, or 0 without memory. */
export function tableOpen(root: i32, table: i32, slots: i32): i32 {
  const at: i32 = allocate(root, slots << 3);
  if (at == 0) return 0;
  i32.store(table + TABLE_SLOTS, at);
  i32.store(table + TABLE_MASK, slots - 1);
  i32.store(table + TABLE_COUNT, 0);
  return 1;
}

/** The slot index at or after `from` (-1: the hash's home) that holds `hash`; -1 at the end of the hash's run. */
export function tableProbe(table: i32, hash: i32, from: i32): i32 {
  const slots: i32 = i32.load(table + TABLE_SLOTS);
  const mask: i32 = i32.load(table + TABLE_MASK);
  let index: i32 = hash & mask;
  if (from >= 0) index = (from + 1) & mask;
  while (i32.load(slots + (index << 3) + 4) != 0) {
    if (i32.load(slots + (index << 3)) == hash) return index;
    index = (index + 1) & mask;
  }
  return -1;
}

/** The record in a slot. */
export function tableAt(table: i32, index: i32): i32 {
  return i32.load(i32.load(table + TABLE_SLOTS) + (index << 3) + 4);
}

function place(table: i32, hash: i32, record: i32): void {
  const slots: i32 = i32.load(table + TABLE_SLOTS);
  const mask: i32 = i32.load(table + TABLE_MASK);
  let index: i32 = hash & mask;
  for (;;) {
    const slot: i32 = slots + (index << 3);
    if (i32.load(slot + 4) == 0) {
      i32.store(slot, hash);
      i32.store(slot + 4, record);
      i32.store(table + TABLE_COUNT, i32.load(table + TABLE_COUNT) + 1);
      return;
    }
    index = (index + 1) & mask;
  }
}

/** Adds a record. Returns 1, or 0 when the table would have to grow and there is no memory. */
export function tableAdd(root: i32, table: i32, hash: i32, record: i32): i32 {
  const size: i32 = i32.load(table + TABLE_MASK) + 1;
  if (i32.load(table + TABLE_COUNT) + 1 > (size >> 1) + (size >> 3)) {
    const old: i32 = i32.load(table + TABLE_SLOTS);
    if (tableOpen(root, table, size << 1) == 0) return 0;
    for (let i: i32 = 0; i < size; i = i + 1) {
      const kept: i32 = i32.load(old + (i << 3) + 4);
      if (kept != 0) place(table, i32.load(old + (i << 3)), kept);
    }
    release(root, old, size << 3);
  }
  place(table, hash, record);
  return 1;
}

/** Removes a record, which must be there under that hash. */
export function tableRemove(table: i32, hash: i32, record: i32): void {
  const slots: i32 = i32.load(table + TABLE_SLOTS);
  const mask: i32 = i32.load(table + TABLE_MASK);
  let hole: i32 = hash & mask;
  while (i32.load(slots + (hole << 3) + 4) != record) hole = (hole + 1) & mask;
  let next: i32 = hole;
  for (;;) {
    next = (next + 1) & mask;
    const slot: i32 = slots + (next << 3);
    if (i32.load(slot + 4) == 0) break;
    // Whoever would not be found with the hole before it moves there.
    if (((next - i32.load(slot)) & mask) >= ((next - hole) & mask)) {
      i32.store(slots + (hole << 3), i32.load(slot));
      i32.store(slots + (hole << 3) + 4, i32.load(slot + 4));
      hole = next;
    }
  }
  i32.store(slots + (hole << 3), 0);
  i32.store(slots + (hole << 3) + 4, 0);
  i32.store(table + TABLE_COUNT, i32.load(table + TABLE_COUNT) - 1);
}

/** Empties a table, keeping its room. */
export function tableClear(table: i32): void {
  clear(i32.load(table + TABLE_SLOTS), (i32.load(table + TABLE_MASK) + 1) << 3);
  i32.store(table + TABLE_COUNT, 0);
}
