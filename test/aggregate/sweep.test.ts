// Plan: a sweep in the smallest steps, with lines, cuts, drops, copies and other ticks between them. It frees all that has expired and
// nothing else (engineServe.test.ts compares the rows), each Key that may be used points at what is there, the counts come out at zero,
// and no tick does more than its share.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine } from "#limpet/aggregate/engine.js";
import { isObsolete } from "#limpet/aggregate/keyTargets.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { sweep } from "#limpet/aggregate/sweep.js";
import { KEY_EPOCH, KEY_NEXT, ROOT_EPOCH, ROOT_KEYS, ROOT_PREVIOUS, ROOT_STALE, TABLE_MASK } from "#limpet/kernel/layout.js";
import { tableAt } from "#limpet/kernel/table.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import { type Random, seededRandom } from "../reference/seededRandom.js";
import { disposeEngines, feedLines, imbalance, openEngine, tick } from "./openEngine.js";

const RULES = `
- { match: m_f, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, count_series], series_memory: 10s }
- { match: c_n, interval: 10s, grace: 5s, by: [s], outputs: [total], series_memory: 10s }
- { match: m_f, interval: 10s, grace: 5s, by: [h], outputs: [max] }
- { match: m_f, interval: 20s, grace: 5s, dedup_interval: 4s, series_memory: 20s, by: [s], outputs: [sum_samples] }`;
const SMALL = { everyMs: 5000, recordsMax: 12, step: 1, idleSweeps: 2 };
const MINUTE = 60_000;

afterEach(disposeEngines);

/** Keys that the next line would use as they are, though they point at what a sweep has marked; and those said to come next that are not there. */
function wrongKeys({ root }: Engine): number {
  const keys = new Set<number>();
  for (let i = i32.load(root + ROOT_KEYS + TABLE_MASK); i >= 0; i--) keys.add(tableAt(root + ROOT_KEYS, i));
  keys.delete(0);
  const isThere = (key: number): boolean => key === 0 || keys.has(key);
  let wrong = isThere(i32.load(root + ROOT_PREVIOUS)) ? 0 : 1;
  for (const key of keys) {
    if (i32.load(key + KEY_EPOCH) >= i32.load(root + ROOT_STALE) && isObsolete(key, false)) wrong++;
    if (!isThere(i32.load(key + KEY_NEXT))) wrong++;
  }
  return wrong;
}

function between(engine: Engine, nowMs: number, random: Random): void {
  const kind = random();
  const key = Math.floor(random() * KEY_END);
  const series = Math.floor(random() * 40);
  if (kind < 0.3) feedLines(engine, nowMs, `m,s=s${String(series)},h=h${String(series % 7)} f=1 ${String(nowMs)}`);
  else if (kind < 0.5) feedLines(engine, nowMs, `c,s=s${String(series % 11)},pod=p${String(series)} n=${String(nowMs)} ${String(nowMs)}`);
  // Too late for its Window: it uses its Group and its Last and leaves them as they are.
  else if (kind < 0.6) feedLines(engine, nowMs, `c,s=s${String(series % 11)},pod=p${String(series)} n=1 ${String(nowMs - 50_000)}`);
  else if (kind < 0.63) engine.parts.split(key);
  else if (kind < 0.65) engine.parts.merge();
  else if (kind < 0.67) restoreSnapshot(engine, takeSnapshot(engine, { low: key, high: KEY_END }, { term: "0.0", number: 1 }));
}

describe("sweep", () => {
  test.each([1, 2, 3, 4, 5, 6])("sweep: anything between its steps, seed %i -> no Key points at what was marked, all counts end at zero", (seed) => {
    const engine = openEngine(RULES, { startMs: 0, sweepPace: SMALL });
    const random = seededRandom(seed);
    let nowMs = MINUTE;
    for (let i = 0; i < 6000; i++) {
      nowMs += Math.floor(random() * 60);
      // Most are silent now and then, for long enough to be forgotten.
      if (random() < 0.002) nowMs += 50_000;
      between(engine, nowMs, random);
      engine.step(nowMs, { kind: "tick" });
      if (i % 4 === 0) expect(wrongKeys(engine)).toBe(0);
    }
    expect(imbalance(engine)).toEqual([0, 0, 0, 0, 0]);
    for (let i = 1; i <= 12; i++) tick(engine, nowMs + i * 10 * MINUTE);
    expect(engine.ledger()).toMatchObject({ keys: 0, series: 0 });
    for (const rule of engine.ledger().rules) expect(rule).toMatchObject({ groups: 0, series: 0 });
  });

  test("sweep: a Key used between its drop and its end -> it lives on, with its own targets", () => {
    const engine = openEngine(RULES, { startMs: 0, sweepPace: { ...SMALL, everyMs: MINUTE, idleSweeps: 0 } });
    const line = (i: number, nowMs: number): string => `m,s=s${String(i)},h=x f=1 ${String(nowMs)}`;
    feedLines(engine, 1000, ...Array.from({ length: 50 }, (_, i) => line(i, 1000)));
    tick(engine, 50_000);
    i32.store(engine.root + ROOT_EPOCH, i32.load(engine.root + ROOT_EPOCH) + 1);
    const before = engine.ledger().keys;
    expect(before).toBe(50);
    let used = 0;
    do {
      engine.step(MINUTE, { kind: "tick" });
      feedLines(engine, MINUTE, line(used++ % 50, MINUTE));
    } while (engine.busy);
    expect(used).toBeGreaterThan(100);
    expect(engine.ledger().keys).toBe(50);
    expect(tick(engine, MINUTE + 30_000).filter((row) => row.includes("by_s_sum_samples") && row.endsWith("70000"))).toHaveLength(50);
    expect(imbalance(engine)).toEqual([0, 0, 0, 0, 0]);
  });

  test("sweep: much expires at once -> each tick marks and frees its share, and no more", () => {
    const pace = { everyMs: MINUTE, recordsMax: 500, step: 100, idleSweeps: 60 };
    const engine = openEngine("- { interval: 10s, grace: 5s, by: [s], outputs: [increase], series_memory: 10s }", { startMs: 0, sweepPace: pace });
    // Half in Groups of their own, half in one.
    const lines = Array.from({ length: 6000 }, (_, i) => `m,s=${i % 2 === 0 ? "all" : String(i)},i=${String(i)} f=1 1000`);
    feedLines(engine, 1000, ...lines);
    tick(engine, 40_000);
    const held = (): number[] => {
      const { keys, rules } = engine.ledger();
      return [keys, rules[0]?.series ?? 0, rules[0]?.groups ?? 0];
    };
    let last = held();
    expect(last).toEqual([6000, 6000, 3001]);
    let ticks = 0;
    do {
      engine.step(20 * MINUTE, { kind: "tick" });
      const now = held();
      for (const [i, count] of now.entries()) expect((last[i] ?? 0) - count).toBeLessThanOrEqual(pace.recordsMax + pace.step);
      last = now;
      ticks++;
    } while (engine.busy);
    expect(last).toEqual([0, 0, 0]);
    expect(wrongKeys(engine)).toBe(0);
    // Lasts, Groups, two walks through a table of 16 384 slots, and what is freed.
    expect(ticks).toBeGreaterThan((6000 + 3001 + 2 * 16_384 + 15_001) / (pace.recordsMax + pace.step));
  });

  test("sweep: to its end in one go -> the same goes", () => {
    const engine = openEngine(RULES, { startMs: 0 });
    feedLines(engine, 1000, "m,s=a,h=b f=1 1000", "c,s=a n=1 1000");
    // Closes and retires without a sweep that would take them.
    tick(engine, 59_000);
    i32.store(engine.root + ROOT_EPOCH, i32.load(engine.root + ROOT_EPOCH) + 1);
    expect(sweep(engine, i32.load(engine.root + ROOT_EPOCH)).keys).toBe(2);
    expect(engine.ledger().keys).toBe(0);
  });
});
