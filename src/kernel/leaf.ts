// The kernel's leaves: what the shared subset cannot say. One JavaScript body here; in the WebAssembly build each is an
// instruction (imul, unaligned, truncate) or an import from the host (decimal, pages, digests).
import { addToDigest, dropDigest } from "./boxed.js";
import { heap8, heapBuffer, heapView } from "./memory.js";
import { returnPages, takePages } from "./pages.js";

/** 32-bit wrapping product. */
export function imul(a: i32, b: i32): i32 {
  return Math.imul(a, b);
}

/** Four bytes from any address. */
export function unaligned(address: i32): i32 {
  return heapView.getInt32(address, true);
}

/** f64 to i32, towards zero; the value must fit. */
export function truncate(value: f64): i32 {
  return value | 0;
}

/** Copies bytes; the areas may overlap. */
export function copy(to: i32, from: i32, bytes: i32): void {
  heap8.copyWithin(to, from, from + bytes);
}

/** Zeroes bytes. */
export function clear(at: i32, bytes: i32): void {
  heap8.fill(0, at, at + bytes);
}

/** The double nearest to the decimal text at [from, to), which is known to be a number. */
export function decimal(from: i32, to: i32): f64 {
  return Number(heapBuffer.toString("latin1", from, to));
}

/** Address of `count` zeroed pages for the engine `root`, 0 when its cap is reached. */
export function pages(root: i32, count: i32): i32 {
  return takePages(root, count);
}

/** Adds a value to the boxed digest `id`, 0: to a new one. Its number; 0 when there is no room. */
export function digest(root: i32, id: i32, value: f64): i32 {
  return addToDigest(root, id, value);
}

/** Gives a boxed digest back. */
export function undigest(id: i32): void {
  dropDigest(id);
}

/** Gives back a run that pages() returned. */
export function unpages(root: i32, address: i32): void {
  returnPages(root, address);
}
