// Plan: sketch: tdigest gives quantiles near the exact ones, the same for the same input, survives snapshots with its very centroids, stays
// bounded under input that grows steadily, and is given back by windows that close and engines that end.
import { afterEach, describe, expect, test } from "@jest/globals";
import { centroidsHeld } from "#limpet/aggregate/digests.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { seededRandom } from "../reference/seededRandom.js";
import { disposeEngines, feedLines, imbalance, openEngine, tick } from "./openEngine.js";

const RULE = '- { interval: 10s, grace: 1s, by: [s], outputs: ["quantiles(0, 0.01, 0.5, 0.99, 1)"], sketch: tdigest }';

afterEach(disposeEngines);

function values(seed: number, count: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => Math.exp(random() * 6 - 3));
}

function lines(of: readonly number[]): string[] {
  return of.map((value) => `m,s=a f=${String(value)} 1000`);
}

function quantiles(rows: readonly string[]): number[] {
  return rows.map((row) => Number(row.split(" ")[1]));
}

describe("tdigest", () => {
  test("tdigest: 20 000 samples -> each quantile between the exact values of ranks 1 % around; ends exact; the same again", () => {
    const all = values(1, 20_000);
    const rows = ["a", "b"].map(() => {
      const engine = openEngine(RULE, { startMs: 0 });
      feedLines(engine, 1000, ...lines(all));
      return tick(engine, 11_000);
    });
    expect(rows[1]).toEqual(rows[0]);
    const sorted = [...all].sort((a, b) => a - b);
    const exact = (phi: number): number => sorted[Math.min(sorted.length - 1, Math.max(0, Math.floor(phi * (sorted.length - 1))))] ?? Number.NaN;
    const [least = 0, p1 = 0, p50 = 0, p99 = 0, greatest = 0] = quantiles(rows[0] ?? []).sort((a, b) => a - b);
    expect([least, greatest]).toEqual([sorted[0], sorted.at(-1)]);
    for (const [phi, got] of [
      [0.01, p1],
      [0.5, p50],
      [0.99, p99],
    ] as const) {
      expect(got).toBeGreaterThanOrEqual(exact(phi - 0.01));
      expect(got).toBeLessThanOrEqual(exact(phi + 0.01));
    }
  });

  test("tdigest: samples that grow steadily -> bounded centroids, the median still near", () => {
    const engine = openEngine(RULE, { startMs: 0 });
    feedLines(engine, 1000, ...lines(Array.from({ length: 20_000 }, (_, i) => i + 1)));
    expect(centroidsHeld(engine.root)).toBeLessThan(4001);
    const [median = 0] = quantiles(tick(engine, 11_000).filter((row) => row.includes('quantile="0.5"')));
    expect(Math.abs(median - 10_000)).toBeLessThan(200);
    expect(centroidsHeld(engine.root)).toBe(0);
  });

  test("tdigest: moved by a snapshot -> the rows of an engine that stayed", () => {
    const stayed = openEngine(RULE, { startMs: 0 });
    const left = openEngine(RULE, { startMs: 0 });
    for (const engine of [stayed, left]) feedLines(engine, 1000, ...lines(values(2, 3000)));
    const snapshot = takeSnapshot(left, WHOLE, { term: "0.0", number: 1 });
    const other = openEngine(RULE, { startMs: 1000 });
    restoreSnapshot(other, snapshot);
    expect(centroidsHeld(other.root)).toBe(centroidsHeld(stayed.root));
    const expected = tick(stayed, 11_000);
    expect(expected).toHaveLength(5);
    expect(tick(other, 11_000)).toEqual(expected);
    disposeEngines();
    expect([left.root, other.root].map(centroidsHeld)).toEqual([0, 0]);
  });

  test("tdigest: the rule is gone when the snapshot is read -> skipped, what follows is read", () => {
    const both = `${RULE}\n- { interval: 10s, grace: 1s, outputs: [max], by: [s] }`;
    const engine = openEngine(both, { startMs: 0 });
    feedLines(engine, 1000, ...lines([1, 2, 3]));
    const snapshot = takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 });
    const other = openEngine("- { interval: 10s, grace: 1s, outputs: [max], by: [s] }", { startMs: 1000 });
    expect(restoreSnapshot(other, snapshot)).toMatchObject({ groups: 1, forgottenGroups: 1 });
    expect(tick(other, 11_000)).toEqual(['m_f:10s_by_s_max{s="a"} 3 10000']);
    expect(centroidsHeld(other.root)).toBe(0);
    expect(imbalance(other)).toEqual([0, 0]);
  });
});
