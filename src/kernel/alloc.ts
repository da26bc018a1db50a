// Allocation in size classes. Records come from chunks of pages and go back to a free list of their class; sizes above
// 32 KiB are runs of pages. The caller knows each record's size, so there are no headers.

import { ROOT_BUMP, ROOT_BUMP_END, ROOT_FREE } from "./layout.js";
import { clear, pages, unpages } from "./leaf.js";

const CHUNK_PAGES: i32 = 4;
const PAGED: i32 = 32768;

/** Class of a size: steps of 16 up to 1 KiB, then powers of two up to 32 KiB. */
function classOf(bytes: i32): i32 {
  if (bytes <= 1024) return (bytes + 15) >> 4;
  let size: i32 = 2048;
  let index: i32 = 65;
  while (bytes > size) {
    size = size << 1;
    index = index + 1;
  }
  return index;
}

/** Bytes really taken for a request. */
export function roomOf(bytes: i32): i32 {
  if (bytes > PAGED) return (bytes + 65535) & -65536;
  const index: i32 = classOf(bytes);
  if (index <= 64) return index << 4;
  return 2048 << (index - 65);
}

/** Address of `bytes` zeroed bytes, 8-aligned; 0 when the engine's cap is reached. */
export function allocate(root: i32, bytes: i32): i32 {
  if (bytes > PAGED) return pages(root, (bytes + 65535) >> 16);
  const slot: i32 = root + ROOT_FREE + (classOf(bytes) << 2);
  const head: i32 = i32.load(slot);
  const room: i32 = roomOf(bytes);
  if (head != 0) {
    i32.store(slot, i32.load(head));
    clear(head, room);
    return head;
  }
  let at: i32 = i32.load(root + ROOT_BUMP);
  if (at + room > i32.load(root + ROOT_BUMP_END)) {
    // What is left of the old chunk is lost: at most one record per 256 KiB.
    at = pages(root, CHUNK_PAGES);
    if (at == 0) return 0;
    i32.store(root + ROOT_BUMP_END, at + (CHUNK_PAGES << 16));
  }
  i32.store(root + ROOT_BUMP, at + room);
  return at;
}

/** Gives a record back; `bytes` as asked for. */
export function release(root: i32, at: i32, bytes: i32): void {
  if (bytes > PAGED) {
    unpages(root, at);
    return;
  }
  const slot: i32 = root + ROOT_FREE + (classOf(bytes) << 2);
  i32.store(at, i32.load(slot));
  i32.store(slot, at);
}
