// A new Key: its record with the bytes, in the table of Keys.
import { allocate, release } from "../kernel/alloc.js";
import { KEY_BYTES, KEY_EPOCH, KEY_HASH, KEY_LENGTH, ROOT_EPOCH, ROOT_HASH, ROOT_KEYS } from "../kernel/layout.js";
import { heap8 } from "../kernel/memory.js";
import { tableAdd } from "../kernel/table.js";

/** Makes the Key of the `length` bytes at `from`, which was not found; ROOT_HASH holds its hash. Returns it, 0 without memory. */
export function addKey(root: number, from: number, length: number): number {
  const key = allocate(root, KEY_BYTES + length + 4);
  if (key === 0) return 0;
  const hash = i32.load(root + ROOT_HASH);
  heap8.copyWithin(key + KEY_BYTES, from, from + length);
  i32.store8(key + KEY_BYTES + length, 32);
  i32.store(key + KEY_HASH, hash);
  i32.store(key + KEY_LENGTH, length);
  i32.store(key + KEY_EPOCH, i32.load(root + ROOT_EPOCH));
  if (tableAdd(root, root + ROOT_KEYS, hash, key) === 1) return key;
  release(root, key, KEY_BYTES + length + 4);
  return 0;
}
