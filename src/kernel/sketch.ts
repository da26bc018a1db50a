// Exponential-bucket sketch on Prometheus' native-histogram boundaries. Bucket i of schema s holds (2^((i-1)/2^s), 2^(i/2^s)];
// schema 6 has 64 buckets per octave, so that the middle of a bucket is within 0.54 % of every value in it. Integer counts:
// merging is exact and in any order. A side that would span more than SKETCH_SPAN_MAX buckets halves the resolution of both;
// the final schema depends on the extreme values alone, never on their order.
import { allocate, release } from "./alloc.js";
import { copy } from "./leaf.js";
import {
  BITS,
  BOUND_GUESS,
  BOUNDS,
  SIDE_COUNTS,
  SIDE_FIRST,
  SIDE_LENGTH,
  SIDE_ROOM,
  SKETCH_BYTES,
  SKETCH_COUNT,
  SKETCH_MAX,
  SKETCH_MIN,
  SKETCH_NEGATIVE,
  SKETCH_POSITIVE,
  SKETCH_SCHEMA,
  SKETCH_SPAN_MAX,
  SKETCH_ZEROES,
} from "./layout.js";

/** Bucket index at schema 6 of a positive finite value. */
export function bucketOf(value: f64): i32 {
  let octaves: i32 = 0;
  f64.store(BITS, value);
  let high: i32 = i32.load(BITS + 4);
  if (high < 1048576) {
    // Subnormal: scale by 2^64 first.
    f64.store(BITS, value * 18446744073709551616.0);
    high = i32.load(BITS + 4);
    octaves = -64;
  }
  octaves = octaves + (high >> 20) - 1022;
  // The same mantissa in [0.5, 1)
  i32.store(BITS + 4, (high & 1048575) | (1022 << 20));
  const fraction: f64 = f64.load(BITS);
  let bound: i32 = i32.load(BOUND_GUESS + (((high >> 12) & 255) << 2));
  if (bound < 64 && f64.load(BOUNDS + (bound << 3)) < fraction) bound = bound + 1;
  return ((octaves - 1) << 6) + bound;
}

/** A schema-6 index at `down` steps lower resolution. */
function coarser(index: i32, down: i32): i32 {
  return (index + (1 << down) - 1) >> down;
}

/** Makes an empty sketch; 0 without memory. */
export function openSketch(root: i32): i32 {
  const sketch: i32 = allocate(root, SKETCH_BYTES);
  if (sketch == 0) return 0;
  i32.store(sketch + SKETCH_SCHEMA, 6);
  f64.store(sketch + SKETCH_MIN, Infinity);
  f64.store(sketch + SKETCH_MAX, -Infinity);
  return sketch;
}

/** Gives a sketch back. */
export function releaseSketch(root: i32, sketch: i32): void {
  releaseSide(root, sketch + SKETCH_POSITIVE);
  releaseSide(root, sketch + SKETCH_NEGATIVE);
  release(root, sketch, SKETCH_BYTES);
}

function releaseSide(root: i32, side: i32): void {
  const counts: i32 = i32.load(side + SIDE_COUNTS);
  if (counts != 0) release(root, counts, i32.load(side + SIDE_ROOM) << 3);
}

/** Counts one value. Returns 1, or 0 when there was no memory for its bucket. */
export function addSketch(root: i32, sketch: i32, value: f64): i32 {
  if (value == 0.0) {
    f64.store(sketch + SKETCH_ZEROES, f64.load(sketch + SKETCH_ZEROES) + 1.0);
  } else if (value > 0.0) {
    if (addBucket(root, sketch, sketch + SKETCH_POSITIVE, bucketOf(value), 1.0) == 0) return 0;
  } else if (addBucket(root, sketch, sketch + SKETCH_NEGATIVE, bucketOf(-value), 1.0) == 0) return 0;
  f64.store(sketch + SKETCH_COUNT, f64.load(sketch + SKETCH_COUNT) + 1.0);
  if (value < f64.load(sketch + SKETCH_MIN)) f64.store(sketch + SKETCH_MIN, value);
  if (value > f64.load(sketch + SKETCH_MAX)) f64.store(sketch + SKETCH_MAX, value);
  return 1;
}

/** Adds `count` to the bucket that holds schema-6 index `fine`. Returns 1, or 0 without memory. */
export function addBucket(root: i32, sketch: i32, side: i32, fine: i32, count: f64): i32 {
  let index: i32 = coarser(fine, 6 - i32.load(sketch + SKETCH_SCHEMA));
  const offset: i32 = index - i32.load(side + SIDE_FIRST);
  if (offset < 0 || offset >= i32.load(side + SIDE_LENGTH)) {
    index = reach(root, sketch, side, fine);
    if (index == NOWHERE) return 0;
  }
  const bucket: i32 = i32.load(side + SIDE_COUNTS) + ((index - i32.load(side + SIDE_FIRST)) << 3);
  f64.store(bucket, f64.load(bucket) + count);
  return 1;
}

const NOWHERE: i32 = -2147483648;

/** Makes room for a new bucket, lowering the resolution if the span demands it. Returns its index, NOWHERE without memory. */
function reach(root: i32, sketch: i32, side: i32, fine: i32): i32 {
  for (;;) {
    const index: i32 = coarser(fine, 6 - i32.load(sketch + SKETCH_SCHEMA));
    const length: i32 = i32.load(side + SIDE_LENGTH);
    let first: i32 = i32.load(side + SIDE_FIRST);
    let end: i32 = first + length;
    if (length == 0) {
      first = index;
      end = index + 1;
    }
    if (index < first) first = index;
    if (index >= end) end = index + 1;
    if (end - first <= SKETCH_SPAN_MAX) return resize(root, side, first, end - first) == 0 ? NOWHERE : index;
    halve(sketch + SKETCH_POSITIVE);
    halve(sketch + SKETCH_NEGATIVE);
    i32.store(sketch + SKETCH_SCHEMA, i32.load(sketch + SKETCH_SCHEMA) - 1);
  }
}

/** Lets a side cover [first, first + length), which includes what it covers now. Returns 1, or 0 without memory. */
function resize(root: i32, side: i32, first: i32, length: i32): i32 {
  const counts: i32 = i32.load(side + SIDE_COUNTS);
  const kept: i32 = i32.load(side + SIDE_LENGTH);
  const shift: i32 = kept == 0 ? 0 : i32.load(side + SIDE_FIRST) - first;
  let room: i32 = i32.load(side + SIDE_ROOM);
  let target: i32 = counts;
  if (length > room) {
    room = length < 8 ? 8 : length + (length >> 1);
    target = allocate(root, room << 3);
    if (target == 0) return 0;
  }
  if (kept != 0) copy(target + (shift << 3), counts, kept << 3);
  for (let i: i32 = 0; i < shift; i = i + 1) f64.store(target + (i << 3), 0.0);
  for (let i: i32 = shift + kept; i < length; i = i + 1) f64.store(target + (i << 3), 0.0);
  if (target != counts) {
    if (counts != 0) release(root, counts, i32.load(side + SIDE_ROOM) << 3);
    i32.store(side + SIDE_COUNTS, target);
    i32.store(side + SIDE_ROOM, room);
  }
  i32.store(side + SIDE_FIRST, first);
  i32.store(side + SIDE_LENGTH, length);
  return 1;
}

/** Joins neighbouring buckets: index i goes to ceil(i / 2). */
function halve(side: i32): void {
  const length: i32 = i32.load(side + SIDE_LENGTH);
  if (length == 0) return;
  const counts: i32 = i32.load(side + SIDE_COUNTS);
  const first: i32 = i32.load(side + SIDE_FIRST);
  const coarseFirst: i32 = (first + 1) >> 1;
  const coarseLength: i32 = ((first + length) >> 1) - coarseFirst + 1;
  let written: i32 = -1;
  for (let i: i32 = 0; i < length; i = i + 1) {
    const at: i32 = ((first + i + 1) >> 1) - coarseFirst;
    const count: f64 = f64.load(counts + (i << 3));
    if (at > written) {
      f64.store(counts + (at << 3), count);
      written = at;
    } else f64.store(counts + (at << 3), f64.load(counts + (at << 3)) + count);
  }
  i32.store(side + SIDE_FIRST, coarseFirst);
  i32.store(side + SIDE_LENGTH, coarseLength);
}
