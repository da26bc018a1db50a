// Plan: bucketOf against a search in Prometheus' own bounds; a sketch against the sorted values: the same buckets in any order,
// halving when it must, quantiles within the error that is promised, and all memory given back.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { sketchQuantile } from "#limpet/aggregate/quantile.js";
import { octaveBounds } from "#limpet/kernel/constants.js";
import {
  BLOCK_BUCKETS,
  BLOCK_SHIFT,
  ROOT_FREE,
  ROOT_PAGES,
  SIDE_DIRECTORY,
  SIDE_FIRST,
  SIDE_LENGTH,
  SKETCH_BLOCKS,
  SKETCH_BLOCKS_MAX,
  SKETCH_COUNT,
  SKETCH_NEGATIVE,
  SKETCH_POSITIVE,
  SKETCH_SCHEMA,
  SKETCH_ZEROES,
} from "#limpet/kernel/layout.js";
import { PAGE_BYTES } from "#limpet/kernel/memory.js";
import { openOwner } from "#limpet/kernel/pages.js";
import { addSketch, bucketOf, openSketch, releaseSketch } from "#limpet/kernel/sketch.js";
import { seededRandom, shuffled } from "../reference/seededRandom.js";

const root = openOwner(ROOT_PAGES, 4096 * PAGE_BYTES);
const bounds = octaveBounds(6);
const positive = fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true });

/** The bucket by definition: the least i with value <= bound(i), bound(i) = bounds[i mod 64] * 2^(i div 64). */
function naiveBucket(value: number): number {
  let exponent = Math.floor(Math.log2(value)) - 1;
  const scaled = (shift: number): number => (shift > 1000 ? value * 2 ** 1000 * 2 ** (shift - 1000) : value * 2 ** -0 * 2 ** shift);
  while (scaled(-exponent) >= 1) exponent++;
  while (scaled(-exponent) < 0.5) exponent--;
  const fraction = scaled(-exponent);
  const bound = bounds.findIndex((upper) => fraction <= upper);
  return (exponent - 1) * 64 + (bound < 0 ? 64 : bound);
}

function sketchOf(values: readonly number[]): number {
  const sketch = openSketch(root);
  for (const value of values) expect(addSketch(root, sketch, value)).toBe(1);
  return sketch;
}

/** Everything a sketch holds, as text. */
function contents(sketch: number): string {
  const sides = [SKETCH_POSITIVE, SKETCH_NEGATIVE].map((side) => {
    const counts: string[] = [];
    for (let entry = 0; entry < i32.load(sketch + side + SIDE_LENGTH); entry++) {
      const block = i32.load(i32.load(sketch + side + SIDE_DIRECTORY) + entry * 4);
      for (let k = 0; block !== 0 && k < BLOCK_BUCKETS; k++) {
        const count = f64.load(block + k * 8);
        if (count > 0) counts.push(`${String(((i32.load(sketch + side + SIDE_FIRST) + entry) << BLOCK_SHIFT) + k)}:${String(count)}`);
      }
    }
    return counts.join(" ");
  });
  return `schema ${String(i32.load(sketch + SKETCH_SCHEMA))} zeroes ${String(f64.load(sketch + SKETCH_ZEROES))} count ${String(f64.load(sketch + SKETCH_COUNT))} | ${sides.join(" | ")}`;
}

describe("bucketOf", () => {
  test("bounds: schema 6 -> 64 of them from 0.5, and every second is schema 5's", () => {
    expect([bounds.length, bounds[0], bounds[32]]).toEqual([64, 0.5, 0.7071067811865475]);
    expect(bounds.filter((_, i) => i % 2 === 0)).toEqual(octaveBounds(5));
    expect(bounds.every((bound, i) => Math.abs(bound / (0.5 * 2 ** (i / 64)) - 1) < 1e-14)).toBe(true);
  });

  test("bucket: any positive double, subnormals too -> as by search in the bounds", () => {
    fc.assert(
      fc.property(positive, (value) => expect([value, bucketOf(value)]).toEqual([value, naiveBucket(value)])),
      { numRuns: 5000 },
    );
  });

  test("bucket: on a bound -> below it; one step beyond -> the next bucket", () => {
    const view = new DataView(new ArrayBuffer(8));
    for (const octave of [-1000, -30, 0, 1, 2, 30, 1000]) {
      for (const [i, bound] of bounds.entries()) {
        const value = bound * 2 ** octave;
        view.setFloat64(0, value);
        view.setBigInt64(0, view.getBigInt64(0) + 1n);
        expect([bucketOf(value), bucketOf(view.getFloat64(0))]).toEqual([(octave - 1) * 64 + i, (octave - 1) * 64 + i + 1]);
      }
    }
  });

  test.each([
    [1, 0],
    [2, 64],
    [0.5, -64],
    [Number.MIN_VALUE, -1074 * 64],
    [2 ** -1022, -1022 * 64],
    [Number.MAX_VALUE, 1024 * 64],
  ])("bucket: %d -> %d", (value, bucket) => {
    expect(bucketOf(value)).toBe(bucket);
  });
});

describe("sketch", () => {
  const any = fc.oneof(
    positive,
    positive.map((value) => -value),
    fc.constantFrom(0, -0, 1, 2, 1e-300, -1e300),
    fc.double({ min: -1000, max: 1000, noNaN: true }),
  );

  test("sketch: any values in any order -> the same buckets at the same schema", () => {
    fc.assert(
      fc.property(fc.array(any, { maxLength: 600, size: "max" }), fc.integer(), (values, seed) => {
        const sketches = [values, [...values].reverse(), shuffled(seededRandom(seed), values)].map(sketchOf);
        const texts = sketches.map(contents);
        for (const sketch of sketches) releaseSketch(root, sketch);
        expect(texts[1]).toBe(texts[0]);
        expect(texts[2]).toBe(texts[0]);
      }),
      { numRuns: 40 },
    );
  });

  test("sketch: as wide as doubles go -> halved to at most SKETCH_BLOCKS_MAX blocks, nothing lost", () => {
    const values = Array.from({ length: 2098 }, (_, i) => 2 ** (i - 1074));
    const sketch = sketchOf([...values, ...values.map((value) => -value)]);
    expect(i32.load(sketch + SKETCH_BLOCKS)).toBeLessThanOrEqual(SKETCH_BLOCKS_MAX);
    expect(i32.load(sketch + SKETCH_SCHEMA)).toBe(-1);
    expect(
      contents(sketch)
        .match(/:\d+/g)
        ?.reduce((total, count) => total + Number(count.slice(1)), 0),
    ).toBe(4196);
    releaseSketch(root, sketch);
  });

  test("quantile: any values of either sign -> within 0.5415 % of the value at that rank, the extremes exact", () => {
    const value = fc.oneof(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), fc.double({ min: -1e6, max: -1e-3, noNaN: true }), fc.constant(0));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), (values, phi) => {
        const sketch = sketchOf(values);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.floor(phi * (values.length - 1) + 0.5)] ?? Number.NaN;
        expect(Math.abs(sketchQuantile(sketch, phi) - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.005415 + 1e-12);
        expect([sketchQuantile(sketch, 0), sketchQuantile(sketch, 1)]).toEqual([sorted[0], sorted.at(-1)]);
        releaseSketch(root, sketch);
      }),
    );
  });

  test("quantile: values in the topmost bucket -> within the same error, not the greatest double", () => {
    const top = Array.from({ length: 9 }, (_, i) => Number.MAX_VALUE * (0.9895 + i * 0.0001));
    const sketch = sketchOf(top);
    expect(Math.abs(sketchQuantile(sketch, 0.5) / (top[4] ?? 0) - 1)).toBeLessThan(0.005415);
    releaseSketch(root, sketch);
  });

  test("sketch: released -> every record back on its free list", () => {
    const free = (): number => {
      let records = 0;
      for (let list = 0; list < 80; list++) for (let at = i32.load(root + ROOT_FREE + list * 4); at !== 0; at = i32.load(at)) records++;
      return records;
    };
    const values = Array.from({ length: 500 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 1.9 ** (i - 250));
    releaseSketch(root, sketchOf(values));
    const before = free();
    for (let i = 0; i < 50; i++) releaseSketch(root, sketchOf(values));
    expect(free()).toBe(before);
  });
});
