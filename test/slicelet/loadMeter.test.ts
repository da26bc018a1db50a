// Plan: rates are true from the second reading on; a burst counts the less the longer a range was watched; new bounds take over what
// was known.
import { describe, expect, test } from "@jest/globals";
import { NO_GENERATION } from "#limpet/slice/generation.js";
import { LoadMeter } from "#limpet/slicelet/loadMeter.js";

type Counted = readonly [low: number, high: number, pairs: number];

function meter(): (nowMs: number, ...counted: readonly Counted[]) => number[] {
  const load = new LoadMeter();
  return (nowMs, ...counted) => {
    const held = counted.map(([low, high, pairs]) => ({ low, high, pairs, term: NO_GENERATION, frozen: false, bytes: 0, top: [] }));
    return load.read(nowMs, held).map(({ rate }) => Math.round(rate));
  };
}

describe("loadMeter", () => {
  test("loadMeter: a steady rate -> told from the second reading on", () => {
    const read = meter();
    expect(read(1000, [0, 100, 7])).toEqual([0]);
    expect(read(1500, [0, 100, 507])).toEqual([1000]);
    expect(read(2000, [0, 100, 1007])).toEqual([1000]);
  });

  test("loadMeter: a burst of a second after a quiet minute -> less than a tenth of it is told", () => {
    const read = meter();
    for (let at = 0; at <= 60_000; at += 500) read(at, [0, 100, at / 10]);
    expect(read(61_000, [0, 100, 6000 + 10_000])[0]).toBeLessThan(100 + 1000);
    for (let at = 61_500; at <= 110_000; at += 500) read(at, [0, 100, 16_000 + (at - 61_000) / 10]);
    expect(read(110_500, [0, 100, 20_950])[0]).toBeLessThan(115);
  });

  test("loadMeter: cut -> shared by width at once, and known anew within seconds; joined -> the sum", () => {
    const read = meter();
    for (let at = 0; at <= 30_000; at += 500) read(at, [0, 100, at]);
    expect(read(30_500, [0, 25, 30_500], [25, 100, 0])).toEqual([250, 750]);
    let told: number[] = [];
    // All of the load lies in the left part.
    for (let at = 31_000; at <= 36_000; at += 500) told = read(at, [0, 25, at], [25, 100, 0]);
    expect(told[0]).toBeGreaterThan(850);
    expect(told[1]).toBeLessThan(150);
    expect(read(36_500, [0, 100, 36_500])[0]).toBeCloseTo((told[0] ?? 0) + (told[1] ?? 0), -1);
  });

  test("loadMeter: a range that comes between others -> they are told as before", () => {
    const read = meter();
    read(0, [0, 10, 0], [20, 30, 0]);
    expect(read(1000, [0, 10, 50], [10, 20, 900], [20, 30, 70])).toEqual([50, 0, 70]);
    expect(read(2000, [0, 10, 100], [10, 20, 1000], [20, 30, 140])).toEqual([50, 100, 70]);
  });
});
