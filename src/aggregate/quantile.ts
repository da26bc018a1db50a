// Reads a sketch (kernel/sketch.ts): the value at a rank. Nearest rank, as vmagent's quantiles(): floor(phi * (n - 1) + 0.5).
import {
  SIDE_COUNTS,
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
  if (!Number.isFinite(upper)) return Number.MAX_VALUE;
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
  let left = rank;
  const negative = sketch + SKETCH_NEGATIVE;
  for (let i = i32.load(negative + SIDE_LENGTH) - 1; i >= 0; i--) {
    left -= f64.load(i32.load(negative + SIDE_COUNTS) + i * 8);
    if (left < 0) return -middleOf(i32.load(negative + SIDE_FIRST) + i, schema);
  }
  left -= f64.load(sketch + SKETCH_ZEROES);
  if (left < 0) return 0;
  const positive = sketch + SKETCH_POSITIVE;
  const length = i32.load(positive + SIDE_LENGTH);
  for (let i = 0; i < length; i++) {
    left -= f64.load(i32.load(positive + SIDE_COUNTS) + i * 8);
    if (left < 0) return middleOf(i32.load(positive + SIDE_FIRST) + i, schema);
  }
  return f64.load(sketch + SKETCH_MAX);
}
