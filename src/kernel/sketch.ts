// Exponential-bucket sketch on Prometheus' native-histogram boundaries. Bucket i of schema s holds (2^((i-1)/2^s), 2^(i/2^s)];
// schema 6 has 64 buckets per octave, so that the middle of a bucket is within 0.54 % of every value in it. Integer counts:
// merging is exact and in any order. Counts lie in blocks of 16 buckets, made when a value falls into them, behind a directory
// per side (positive, negative). A sketch of more than SKETCH_BLOCKS_MAX blocks halves its resolution until it has fewer; the
// final schema depends on the set of values alone, never on their order.
//
//   side ─▶ directory [ · | ─▶ 16 counts | · | · | ─▶ 16 counts ]      block = bucket index >> 4
import { allocate, release } from "./alloc.js";
import {
  BITS,
  BLOCK_BUCKETS,
  BLOCK_BYTES,
  BLOCK_SHIFT,
  BOUND_GUESS,
  BOUNDS,
  SIDE_DIRECTORY,
  SIDE_FIRST,
  SIDE_LENGTH,
  SIDE_ROOM,
  SKETCH_BLOCKS,
  SKETCH_BLOCKS_MAX,
  SKETCH_BYTES,
  SKETCH_COUNT,
  SKETCH_MAX,
  SKETCH_MIN,
  SKETCH_NEGATIVE,
  SKETCH_POSITIVE,
  SKETCH_SCHEMA,
  SKETCH_ZEROES,
} from "./layout.js";
import { copy } from "./leaf.js";

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

/** Gives a side's blocks and directory back. */
export function releaseSide(root: i32, side: i32): void {
  const directory: i32 = i32.load(side + SIDE_DIRECTORY);
  if (directory == 0) return;
  const length: i32 = i32.load(side + SIDE_LENGTH);
  for (let i: i32 = 0; i < length; i = i + 1) {
    const block: i32 = i32.load(directory + (i << 2));
    if (block != 0) release(root, block, BLOCK_BYTES);
  }
  release(root, directory, i32.load(side + SIDE_ROOM) << 2);
}

/** Counts one value. Returns 1, or 0 when there was no memory for its bucket (the sketch is as before). */
export function addSketch(root: i32, sketch: i32, value: f64): i32 {
  if (value == 0.0) {
    f64.store(sketch + SKETCH_ZEROES, f64.load(sketch + SKETCH_ZEROES) + 1.0);
  } else if (value > 0.0) {
    if (addBucket(root, sketch, sketch + SKETCH_POSITIVE, bucketOf(value)) == 0) return 0;
  } else if (addBucket(root, sketch, sketch + SKETCH_NEGATIVE, bucketOf(-value)) == 0) return 0;
  f64.store(sketch + SKETCH_COUNT, f64.load(sketch + SKETCH_COUNT) + 1.0);
  if (value < f64.load(sketch + SKETCH_MIN)) f64.store(sketch + SKETCH_MIN, value);
  if (value > f64.load(sketch + SKETCH_MAX)) f64.store(sketch + SKETCH_MAX, value);
  return 1;
}

/** Counts one value in the bucket that holds schema-6 index `fine`. */
function addBucket(root: i32, sketch: i32, side: i32, fine: i32): i32 {
  const index: i32 = coarser(fine, 6 - i32.load(sketch + SKETCH_SCHEMA));
  const entry: i32 = (index >> BLOCK_SHIFT) - i32.load(side + SIDE_FIRST);
  let block: i32 = 0;
  if (entry >= 0 && entry < i32.load(side + SIDE_LENGTH)) block = i32.load(i32.load(side + SIDE_DIRECTORY) + (entry << 2));
  if (block == 0) return addNewBlock(root, sketch, side, fine);
  const bucket: i32 = block + ((index & (BLOCK_BUCKETS - 1)) << 3);
  f64.store(bucket, f64.load(bucket) + 1.0);
  return 1;
}

function addNewBlock(root: i32, sketch: i32, side: i32, fine: i32): i32 {
  const index: i32 = coarser(fine, 6 - i32.load(sketch + SKETCH_SCHEMA));
  const bucket: i32 = bucketAt(root, side, index, sketch);
  if (bucket == 0) return 0;
  f64.store(bucket, f64.load(bucket) + 1.0);
  // Without memory to rebuild in, the finer resolution stays.
  let halved: i32 = 1;
  while (halved == 1 && i32.load(sketch + SKETCH_BLOCKS) > SKETCH_BLOCKS_MAX) halved = halve(root, sketch);
  return 1;
}

/** Address of a bucket's count, its block made if need be and counted in `sketch`. 0: no memory. */
export function bucketAt(root: i32, side: i32, index: i32, sketch: i32): i32 {
  const number: i32 = index >> BLOCK_SHIFT;
  if (cover(root, side, number) == 0) return 0;
  const slot: i32 = i32.load(side + SIDE_DIRECTORY) + ((number - i32.load(side + SIDE_FIRST)) << 2);
  let block: i32 = i32.load(slot);
  if (block == 0) {
    block = allocate(root, BLOCK_BYTES);
    if (block == 0) return 0;
    i32.store(slot, block);
    i32.store(sketch + SKETCH_BLOCKS, i32.load(sketch + SKETCH_BLOCKS) + 1);
  }
  return block + ((index & (BLOCK_BUCKETS - 1)) << 3);
}

/** Lets a side's directory cover block `number`. Returns 1, or 0 without memory. */
function cover(root: i32, side: i32, number: i32): i32 {
  const directory: i32 = i32.load(side + SIDE_DIRECTORY);
  const length: i32 = i32.load(side + SIDE_LENGTH);
  const first: i32 = i32.load(side + SIDE_FIRST);
  if (length != 0 && number >= first && number < first + length) return 1;
  let newFirst: i32 = number;
  let newEnd: i32 = number + 1;
  if (length != 0) {
    if (first < newFirst) newFirst = first;
    if (first + length > newEnd) newEnd = first + length;
  }
  const newLength: i32 = newEnd - newFirst;
  const room: i32 = i32.load(side + SIDE_ROOM);
  const shift: i32 = length == 0 ? 0 : first - newFirst;
  let target: i32 = directory;
  let newRoom: i32 = room;
  if (newLength > room) {
    newRoom = newLength < 4 ? 4 : newLength + (newLength >> 1);
    target = allocate(root, newRoom << 2);
    if (target == 0) return 0;
  }
  if (length != 0) copy(target + (shift << 2), directory, length << 2);
  for (let i: i32 = 0; i < shift; i = i + 1) i32.store(target + (i << 2), 0);
  for (let i: i32 = shift + length; i < newLength; i = i + 1) i32.store(target + (i << 2), 0);
  if (target != directory) {
    if (directory != 0) release(root, directory, room << 2);
    i32.store(side + SIDE_DIRECTORY, target);
    i32.store(side + SIDE_ROOM, newRoom);
  }
  i32.store(side + SIDE_FIRST, newFirst);
  i32.store(side + SIDE_LENGTH, newLength);
  return 1;
}

/** Joins neighbouring buckets of both sides: index i goes to ceil(i / 2). Returns 1, or 0 without memory (nothing is changed). */
function halve(root: i32, sketch: i32): i32 {
  const fresh: i32 = openSketch(root);
  if (fresh == 0) return 0;
  if (
    halveSide(root, sketch + SKETCH_POSITIVE, fresh + SKETCH_POSITIVE, fresh) == 0 ||
    halveSide(root, sketch + SKETCH_NEGATIVE, fresh + SKETCH_NEGATIVE, fresh) == 0
  ) {
    releaseSketch(root, fresh);
    return 0;
  }
  releaseSide(root, sketch + SKETCH_POSITIVE);
  releaseSide(root, sketch + SKETCH_NEGATIVE);
  copy(sketch + SKETCH_POSITIVE, fresh + SKETCH_POSITIVE, SKETCH_COUNT - SKETCH_POSITIVE);
  i32.store(sketch + SKETCH_BLOCKS, i32.load(fresh + SKETCH_BLOCKS));
  i32.store(sketch + SKETCH_SCHEMA, i32.load(sketch + SKETCH_SCHEMA) - 1);
  release(root, fresh, SKETCH_BYTES);
  return 1;
}

function halveSide(root: i32, from: i32, to: i32, fresh: i32): i32 {
  const directory: i32 = i32.load(from + SIDE_DIRECTORY);
  const length: i32 = i32.load(from + SIDE_LENGTH);
  for (let i: i32 = 0; i < length; i = i + 1) {
    const block: i32 = i32.load(directory + (i << 2));
    if (block == 0) continue;
    const first: i32 = (i32.load(from + SIDE_FIRST) + i) << BLOCK_SHIFT;
    for (let k: i32 = 0; k < BLOCK_BUCKETS; k = k + 1) {
      const count: f64 = f64.load(block + (k << 3));
      if (count == 0.0) continue;
      const bucket: i32 = bucketAt(root, to, (first + k + 1) >> 1, fresh);
      if (bucket == 0) return 0;
      f64.store(bucket, f64.load(bucket) + count);
    }
  }
  return 1;
}
