// Reads a sketch (kernel/sketch.ts): the value at a rank. Nearest rank, as vmagent's quantiles(): floor(phi * (n - 1) + 0.5).
import {
  BLOCK_BUCKETS,
  BLOCK_SHIFT,
  SIDE_DIRECTORY,
  SIDE_FIRST,
  SIDE_LENGTH,
  SKETCH_COUNT,
  SKETCH_MAX,
  SKETCH_MIN,
  SKETCH_NEGATIVE,
  SKETCH_POSITIVE,
  SKETCH_SCHEMA,
  SKETCH_ZEROES,
} from "../kernel/layout.js";

/** The point of bucket `index` whose relative distance to both its ends is equal: the harmonic mean of the ends. */
function middleOf(index: number, schema: number): number {
  const width = 2 ** -schema;
  const upper = 2 ** (index * width);
  const ratio = 2 ** width;
  // Only the end of the topmost bucket is no double; its middle is.
  if (!Number.isFinite(upper)) return 2 ** (index * width - 1) * (4 / (ratio + 1));
  return (2 * upper) / (ratio + 1);
}

/** Value at rank phi (0..1) of a sketch with at least one value: exact at the extremes, elsewhere within half a bucket. */
export function sketchQuantile(sketch: number, phi: number): number {
  const count = f64.load(sketch + SKETCH_COUNT);
  const rank = Math.min(count - 1, Math.max(0, Math.floor(phi * (count - 1) + 0.5)));
  const min = f64.load(sketch + SKETCH_MIN);
  const max = f64.load(sketch + SKETCH_MAX);
  if (rank === 0) return min;
  if (rank === count - 1) return max;
  return Math.min(max, Math.max(min, valueAt(sketch, rank)));
}

function valueAt(sketch: number, rank: number): number {
  const schema = i32.load(sketch + SKETCH_SCHEMA);
  const negative = sketch + SKETCH_NEGATIVE;
  const found = walk(negative, i32.load(negative + SIDE_LENGTH) - 1, -1, rank);
  if (found.index !== undefined) return -middleOf(found.index, schema);
  const left = found.left - f64.load(sketch + SKETCH_ZEROES);
  if (left < 0) return 0;
  const index = walk(sketch + SKETCH_POSITIVE, 0, 1, left).index;
  return index === undefined ? f64.load(sketch + SKETCH_MAX) : middleOf(index, schema);
}

/** Walks a side's buckets from directory entry `from` upwards (step 1) or downwards (-1) until `left` ranks are passed. */
function walk(side: number, from: number, step: 1 | -1, left: number): { readonly index?: number; readonly left: number } {
  const length = i32.load(side + SIDE_LENGTH);
  const directory = i32.load(side + SIDE_DIRECTORY);
  let rest = left;
  for (let entry = from; entry >= 0 && entry < length; entry += step) {
    const block = i32.load(directory + entry * 4);
    if (block === 0) continue;
    for (let k = 0; k < BLOCK_BUCKETS; k++) {
      const bucket = step === 1 ? k : BLOCK_BUCKETS - 1 - k;
      rest -= f64.load(block + bucket * 8);
      if (rest < 0) return { index: ((i32.load(side + SIDE_FIRST) + entry) << BLOCK_SHIFT) + bucket, left: rest };
    }
  }
  return { left: rest };
}

/** Count in bucket `index` of a side. */
export function countAt(side: number, index: number): number {
  const entry = (index >> BLOCK_SHIFT) - i32.load(side + SIDE_FIRST);
  if (entry < 0 || entry >= i32.load(side + SIDE_LENGTH)) return 0;
  const block = i32.load(i32.load(side + SIDE_DIRECTORY) + entry * 4);
  return block === 0 ? 0 : f64.load(block + (index & (BLOCK_BUCKETS - 1)) * 8);
}
