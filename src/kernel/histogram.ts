// VictoriaMetrics' vmrange histogram: 18 buckets per decade from 1e-9 to 1e18, one below and one above; negative values are
// not in it (VictoriaMetrics/metrics, histogram.go). Counts lie in the same sparse blocks as a sketch's (sketch.ts).
//
//   index 0: [0, 1e-9)   1 .. 486: (10^(i-1)/18, 10^i/18] * 1e-9   487: [1e18, +Inf)
import { allocate, release } from "./alloc.js";
import { BLOCK_BUCKETS, BLOCK_SHIFT, HISTOGRAM_BYTES, HISTOGRAM_SIDE, RANGE_BUCKETS, SIDE_DIRECTORY, SIDE_FIRST, SIDE_LENGTH } from "./layout.js";
import { truncate } from "./leaf.js";
import { bucketAt, releaseSide } from "./sketch.js";

/** Makes an empty histogram; 0 without memory. */
export function openHistogram(root: i32): i32 {
  return allocate(root, HISTOGRAM_BYTES);
}

/** Gives a histogram back. */
export function releaseHistogram(root: i32, histogram: i32): void {
  releaseSide(root, histogram + HISTOGRAM_SIDE);
  release(root, histogram, HISTOGRAM_BYTES);
}

/** Index of a value's bucket; the value must not be negative. */
export function rangeOf(value: f64): i32 {
  const position: f64 = (Math.log10(value) + 9.0) * 18.0;
  if (position < 0.0) return 0;
  if (position >= 486.0) return RANGE_BUCKETS - 1;
  let index: i32 = truncate(position);
  // A power of the base belongs to the bucket it ends, as `le` has it.
  const whole: f64 = index;
  if (position == whole && index > 0) index = index - 1;
  return index + 1;
}

/** Adds `count` to a bucket. Returns 1, or 0 without memory. */
export function addToRange(root: i32, histogram: i32, index: i32, count: f64): i32 {
  const bucket: i32 = bucketAt(root, histogram + HISTOGRAM_SIDE, index, histogram);
  if (bucket == 0) return 0;
  f64.store(bucket, f64.load(bucket) + count);
  return 1;
}

/** Adds all counts of one histogram to another. Returns 1, or 0 without memory (then some are missing). */
export function mergeHistogram(root: i32, into: i32, from: i32): i32 {
  const side: i32 = from + HISTOGRAM_SIDE;
  const length: i32 = i32.load(side + SIDE_LENGTH);
  for (let i: i32 = 0; i < length; i = i + 1) {
    const block: i32 = i32.load(i32.load(side + SIDE_DIRECTORY) + (i << 2));
    if (block == 0) continue;
    const first: i32 = (i32.load(side + SIDE_FIRST) + i) << BLOCK_SHIFT;
    for (let k: i32 = 0; k < BLOCK_BUCKETS; k = k + 1) {
      const count: f64 = f64.load(block + (k << 3));
      if (count != 0.0 && addToRange(root, into, first + k, count) == 0) return 0;
    }
  }
  return 1;
}

/** The first bucket at or after `from` that holds something, RANGE_BUCKETS when there is none. */
export function nextRange(histogram: i32, from: i32): i32 {
  const side: i32 = histogram + HISTOGRAM_SIDE;
  const first: i32 = i32.load(side + SIDE_FIRST) << BLOCK_SHIFT;
  const end: i32 = first + (i32.load(side + SIDE_LENGTH) << BLOCK_SHIFT);
  let index: i32 = from < first ? first : from;
  while (index < end) {
    const block: i32 = i32.load(i32.load(side + SIDE_DIRECTORY) + (((index - first) >> BLOCK_SHIFT) << 2));
    if (block == 0) index = ((index >> BLOCK_SHIFT) + 1) << BLOCK_SHIFT;
    else if (f64.load(block + ((index & (BLOCK_BUCKETS - 1)) << 3)) != 0.0) return index;
    else index = index + 1;
  }
  return RANGE_BUCKETS;
}
