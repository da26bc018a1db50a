// Plan: the heavy keys of a Part against exact counts. The summary alone, for any stream: what it tells of a key is at most the truth
// and at least the truth less 1/16. In the engine the stream is picked at random from the samples, so that chance comes on top:
// with n picks three standard deviations, 3 * sqrt(share / n).
import { afterEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Engine } from "#limpet/aggregate/engine.js";
import { HeavyKeys } from "#limpet/aggregate/heavyKeys.js";
import { sliceBytes } from "#limpet/aggregate/sliceBytes.js";
import { createRng } from "#limpet/base/rng.js";
import { xxh64High } from "#limpet/base/xxh64.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import { disposeEngines, openEngine } from "./openEngine.js";

const RULES = "- { interval: 1h, by: [g], outputs: [count_samples] }";
const keyOf = (group: number): number => xxh64High(sliceBytes("m_f:1h_by_g", [["g", `g${String(group)}`]]));
const PICK_EVERY = 256;

afterEach(disposeEngines);

/** Groups drawn by weight, as a stream. */
function draw(weights: readonly number[], count: number, seed: number): number[] {
  const rng = createRng(seed);
  const sums: number[] = [];
  for (const weight of weights) sums.push((sums.at(-1) ?? 0) + weight);
  const all = sums.at(-1) ?? 0;
  return Array.from({ length: count }, () => {
    const at = rng.next() * all;
    let from = 0;
    for (let to = sums.length - 1; from < to; ) {
      const middle = (from + to) >>> 1;
      if (at < (sums[middle] ?? 0)) to = middle;
      else from = middle + 1;
    }
    return from;
  });
}

function feed(engine: Engine, groups: readonly number[], fields = "f=1"): void {
  for (let from = 0; from < groups.length; from += 10_000) {
    const lines = groups.slice(from, from + 10_000).map((group) => `m,g=g${String(group)} ${fields} 1000000000\n`);
    engine.feed(2000, Buffer.from(lines.join("")));
  }
}

function sharesOf(groups: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  return new Map([...counts].map(([group, count]) => [keyOf(group), count / groups.length]));
}

const topOf = (engine: Engine, part = 0): [number, number][] => engine.parts.list[part]?.heavy.top() ?? [];

/** Told shares are true but for the summary's error and chance, and all that must be told is. */
function expectTrue(told: readonly [number, number][], groups: readonly number[]): void {
  const shares = sharesOf(groups);
  const chance = (share: number): number => 3 * Math.sqrt(share / (groups.length / PICK_EVERY));
  for (const [key, share] of told) {
    const truth = shares.get(key) ?? 0;
    expect(share).toBeLessThan(truth + chance(truth));
    expect(share).toBeGreaterThan(truth - 1 / 16 - chance(truth));
  }
  const due = [...shares].filter(([, share]) => share - chance(share) - 1 / 16 > 0.05).map(([key]) => key);
  expect(told.map(([key]) => key)).toEqual(expect.arrayContaining(due));
  expect(due.length).toBeGreaterThan(0);
}

describe("heavyKeys", () => {
  test("summary: any stream -> at most the truth, at least the truth less 1/16, sorted, at most 8", () => {
    const streams = fc.array(fc.oneof(fc.nat(5), fc.nat(400)), { minLength: 32, maxLength: 600 });
    fc.assert(
      fc.property(streams, (keys) => {
        const heavy = new HeavyKeys();
        for (const key of keys) heavy.add(key);
        const told = heavy.top();
        expect(told.length).toBeLessThanOrEqual(8);
        expect(told.map(([, share]) => share)).toEqual(told.map(([, share]) => share).toSorted((a, b) => b - a));
        for (const [key, share] of told) {
          const truth = keys.filter((other) => other === key).length / keys.length;
          expect(share).toBeLessThanOrEqual(truth + 1e-9);
          expect(share).toBeGreaterThanOrEqual(truth - 1 / 16 - 1e-9);
        }
        for (const key of new Set(keys)) {
          const count = keys.filter((other) => other === key).length;
          if (count / keys.length > 1 / 16 + 0.05 + 4 / keys.length) expect(told.some(([named]) => named === key)).toBe(true);
        }
      }),
    );
  });

  test("engine: Zipf 1.1 over 2000 groups -> the heaviest are told, with shares that are true", () => {
    const weights = Array.from({ length: 2000 }, (_, i) => 1 / (i + 1) ** 1.1);
    const engine = openEngine(RULES);
    const groups = draw(weights, 120_000, 1);
    feed(engine, groups);
    expectTrue(topOf(engine), groups);
    expect(topOf(engine)[0]?.[0]).toBe(keyOf(0));
  });

  test("engine: one group of 1001 has 30 % -> it alone is told", () => {
    const engine = openEngine(RULES);
    const groups = draw([0.3, ...Array.from({ length: 1000 }, () => 0.0007)], 60_000, 4);
    feed(engine, groups);
    expectTrue(topOf(engine), groups);
    expect(topOf(engine)).toHaveLength(1);
  });

  test("engine: a fleet in a fixed order of 512 samples -> no key looks heavier than it is", () => {
    const engine = openEngine(RULES);
    const groups = Array.from({ length: 60_000 }, (_, i) => (i % 256 < 64 ? 0 : i % 256));
    // Two samples a line, one of which no rule has a number for.
    feed(engine, groups, 'f=1,s="text"');
    expect(topOf(engine)).toHaveLength(1);
    expect(topOf(engine)[0]?.[1]).toBeCloseTo(0.25, 1);
  });

  test("cut and joined: what is known goes with the keys", () => {
    const engine = openEngine(RULES);
    feed(engine, draw([0.3, ...Array.from({ length: 1000 }, () => 0.0007)], 30_000, 5));
    const hot = keyOf(0);
    const [[, before] = [0, 0]] = topOf(engine);
    engine.parts.cut({ low: hot, high: hot + 1 });
    expect(engine.parts.list.map(({ heavy }) => heavy.top().map(([key]) => key))).toEqual([[], [hot], []]);
    expect(topOf(engine, 1)[0]?.[1]).toBeCloseTo(1, 6);
    engine.parts.merge();
    expect(engine.parts.list).toHaveLength(1);
    expect(topOf(engine)[0]?.[0]).toBe(hot);
    expect(topOf(engine)[0]?.[1]).toBeCloseTo(before, 9);
  });

  test("time: load that is over fades, and a Part that accepts nothing learns nothing", () => {
    const engine = openEngine(RULES);
    feed(engine, draw([1], 20_000, 6));
    const [part] = engine.parts.list;
    if (part === undefined) throw new Error("an engine has a part");
    engine.parts.setMode(part, "frozen");
    feed(engine, draw([0, 1], 20_000, 7));
    expect(topOf(engine).map(([key]) => key)).toEqual([keyOf(0)]);
    engine.parts.setMode(part, "serving");
    for (let i = 0; i < 6; i++) engine.parts.age(0);
    feed(engine, draw([0, 1], 20_000, 8));
    expect(topOf(engine).map(([key]) => key)).toEqual([keyOf(1)]);
    expect(keyOf(1)).toBeLessThan(KEY_END);
  });
});
