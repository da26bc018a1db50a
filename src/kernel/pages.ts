// Hands out the memory in pages of 64 KiB. Every run of pages has an owner (an engine's root address), so that dropping an
// engine gives everything back at once, and a cap per owner keeps each engine bounded.
//
//   free runs: sorted by address, neighbours joined; first fit. Cold: called once per 64 KiB, never per sample.
//
// Not part of the AssemblyScript subset.
import { heap8, PAGE_BYTES, PAGE_COUNT } from "./memory.js";

interface Run {
  page: number;
  count: number;
}

/** Page 0 holds the constants of layout.ts and makes address 0 a null. */
const free: Run[] = [{ page: 1, count: PAGE_COUNT - 1 }];
/** Pages at and above this one were never handed out: the system still has them as zeroes. */
let untouched = 1;

interface Owner {
  readonly pagesMax: number;
  pages: number;
  /** page -> count */
  readonly runs: Map<number, number>;
}

const owners = new Map<number, Owner>();

function take(count: number): number {
  for (let i = 0; i < free.length; i++) {
    const run = free[i];
    if (run === undefined || run.count < count) continue;
    const page = run.page;
    run.page += count;
    run.count -= count;
    if (run.count === 0) free.splice(i, 1);
    const dirtyEnd = Math.min(page + count, untouched);
    if (page < dirtyEnd) heap8.fill(0, page * PAGE_BYTES, dirtyEnd * PAGE_BYTES);
    untouched = Math.max(untouched, page + count);
    return page;
  }
  return 0;
}

function give(page: number, count: number): void {
  let at = free.findIndex((run) => run.page > page);
  if (at < 0) at = free.length;
  const before = free[at - 1];
  const after = free[at];
  const joinsBefore = before !== undefined && before.page + before.count === page;
  const joinsAfter = after !== undefined && page + count === after.page;
  if (joinsBefore && joinsAfter) {
    before.count += count + after.count;
    free.splice(at, 1);
  } else if (joinsBefore) before.count += count;
  else if (joinsAfter) {
    after.page = page;
    after.count += count;
  } else free.splice(at, 0, { page, count });
}

/** Makes a new owner; its address is that of its first pages (zeroed). Throws when not even those are left. */
export function openOwner(firstPages: number, bytesMax: number): number {
  const page = take(firstPages);
  if (page === 0) throw new Error("flat memory is exhausted; close another engine first");
  const root = page * PAGE_BYTES;
  const pagesMax = Math.max(firstPages, Math.floor(bytesMax / PAGE_BYTES));
  owners.set(root, { pagesMax, pages: firstPages, runs: new Map([[page, firstPages]]) });
  return root;
}

/** Zeroed pages for an owner; 0 when its cap or the memory is reached. */
export function takePages(root: number, count: number): number {
  const owner = owners.get(root);
  if (owner === undefined) throw new Error(`no engine at ${String(root)}`);
  if (owner.pages + count > owner.pagesMax) return 0;
  const page = take(count);
  if (page === 0) return 0;
  owner.pages += count;
  owner.runs.set(page, count);
  return page * PAGE_BYTES;
}

/** Gives back one run that takePages returned. */
export function returnPages(root: number, address: number): void {
  const owner = owners.get(root);
  const page = address / PAGE_BYTES;
  const count = owner?.runs.get(page);
  if (owner === undefined || count === undefined) throw new Error(`no run of engine ${String(root)} at ${String(address)}`);
  owner.runs.delete(page);
  owner.pages -= count;
  give(page, count);
}

/** Gives back everything but an owner's first run: a reader may still be writing into its input area. */
export function shrinkOwner(root: number): void {
  const owner = owners.get(root);
  if (owner === undefined) throw new Error(`no engine at ${String(root)}`);
  for (const [page, count] of owner.runs) {
    if (page === root / PAGE_BYTES) continue;
    owner.runs.delete(page);
    owner.pages -= count;
    give(page, count);
  }
}

/** Gives everything of an owner back. Its addresses must not be used any more. */
export function closeOwner(root: number): void {
  const owner = owners.get(root);
  if (owner === undefined) throw new Error(`no engine at ${String(root)}`);
  for (const [page, count] of owner.runs) give(page, count);
  owners.delete(root);
}

/** Bytes an owner holds, and its cap. */
export function ownedBytes(root: number): { readonly bytes: number; readonly bytesMax: number } {
  const owner = owners.get(root);
  if (owner === undefined) throw new Error(`no engine at ${String(root)}`);
  return { bytes: owner.pages * PAGE_BYTES, bytesMax: owner.pagesMax * PAGE_BYTES };
}
