// A new Group: its record and the bytes of its identity, in the table of Groups and in its Ledger's list.
import { allocate, release } from "../kernel/alloc.js";
import {
  DROPPED_MEMORY,
  GROUP_BYTES,
  GROUP_HASH,
  GROUP_IDENTITY,
  GROUP_IDENTITY_BYTES,
  GROUP_LEDGER,
  GROUP_NAMES,
  GROUP_NEXT,
  GROUP_SEEN,
  GROUP_SLICE_KEY,
  GROUP_STAMP,
  LEDGER_GROUP_COUNT,
  LEDGER_GROUPS,
  ROOT_COPY,
  ROOT_GROUPS,
} from "../kernel/layout.js";
import { heapBuffer } from "../kernel/memory.js";
import { tableAdd } from "../kernel/table.js";

export interface GroupMarks {
  /** GROUP_NAMES */
  readonly names: number;
  readonly hash: number;
  /** uint32 */
  readonly sliceKey: number;
}

/** Adds a Group of a Ledger (its address). Returns it, or -1 - DROPPED_MEMORY. */
export function addGroup(root: number, ledger: number, identity: Buffer, { names, hash, sliceKey }: GroupMarks): number {
  const group = allocate(root, GROUP_BYTES);
  const at = group === 0 ? 0 : allocate(root, identity.length);
  if (at === 0 || tableAdd(root, root + ROOT_GROUPS, hash, group) === 0) {
    if (at !== 0) release(root, at, identity.length);
    if (group !== 0) release(root, group, GROUP_BYTES);
    return -1 - DROPPED_MEMORY;
  }
  identity.copy(heapBuffer, at);
  i32.store(group + GROUP_LEDGER, ledger);
  i32.store(group + GROUP_IDENTITY, at);
  i32.store(group + GROUP_IDENTITY_BYTES, identity.length);
  i32.store(group + GROUP_SLICE_KEY, sliceKey | 0);
  i32.store(group + GROUP_NAMES, names);
  i32.store(group + GROUP_HASH, hash);
  i32.store(group + GROUP_STAMP, i32.load(root + ROOT_COPY));
  f64.store(group + GROUP_SEEN, Number.NEGATIVE_INFINITY);
  i32.store(group + GROUP_NEXT, i32.load(ledger + LEDGER_GROUPS));
  i32.store(ledger + LEDGER_GROUPS, group);
  i32.store(ledger + LEDGER_GROUP_COUNT, i32.load(ledger + LEDGER_GROUP_COUNT) + 1);
  return group;
}
