// Plan: an engine may hold any Parts of the key space, and what it does with them is what one that holds all of it does: cut and
// joined at any time it yields the same rows and counts; two engines that share the key space, and hand Parts over by snapshot,
// yield the same rows together. Keys that were admitted before a change follow it.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine } from "#limpet/aggregate/engine.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { GROUP_NEXT, GROUP_SERIES, GROUP_SLICE_KEY, LEDGER_GROUP_COUNT, LEDGER_GROUPS, LEDGER_SERIES_COUNT } from "#limpet/kernel/layout.js";
import { KEY_END, type KeyRange, WHOLE } from "#limpet/slice/keyRange.js";
import { counts, drain, FLEET_RULES, lines, run } from "./fleet.js";
import { disposeEngines, feedLines, imbalance, openEngine, tick } from "./openEngine.js";

const MIDDLE = KEY_END / 2;

afterEach(disposeEngines);

/** That every Group lies in its Part's list and the counts are those of the lists. */
function expectSound(engine: Engine): void {
  for (const part of engine.parts.list) {
    for (const { at } of part.ledgers) {
      let groups = 0;
      let series = 0;
      for (let group = i32.load(at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
        const key = i32.load(group + GROUP_SLICE_KEY) >>> 0;
        expect(key >= part.low && key < part.high).toBe(true);
        groups++;
        series += i32.load(group + GROUP_SERIES);
      }
      expect([i32.load(at + LEDGER_GROUP_COUNT), i32.load(at + LEDGER_SERIES_COUNT)]).toEqual([groups, series]);
    }
  }
}

const rangesOf = (engine: Engine): KeyRange[] => engine.parts.list.map(({ low, high }) => ({ low, high }));

/** An engine that holds one range. */
function openPart(range: KeyRange): Engine {
  const engine = openEngine(FLEET_RULES, { startMs: 100_000 });
  engine.parts.drop({ low: 0, high: range.low });
  engine.parts.drop({ low: range.high, high: KEY_END });
  return engine;
}

/** Hands a range over. */
function move(from: Engine, to: Engine, range: KeyRange): void {
  const bytes = takeSnapshot(from, range, { term: "1.1", number: 1 });
  from.parts.drop(range);
  restoreSnapshot(to, bytes, { startMs: 100_000, completeMs: 100_000 });
}

describe("parts", () => {
  test("parts: cut and joined between any two seconds -> the rows and counts of one that never was", () => {
    const plain = openEngine(FLEET_RULES, { startMs: 100_000 });
    const cut = openEngine(FLEET_RULES, { startMs: 100_000 });
    const expected = [...run([plain], 0, 40), ...drain([plain])];
    const rows: string[] = [];
    for (let i = 0; i < 40; i++) {
      if (i % 5 === 4) cut.parts.merge();
      else cut.parts.split(Math.floor(((i * 0.37) % 1) * KEY_END));
      expectSound(cut);
      rows.push(...run([cut], i, i + 1));
    }
    expect([...rows.sort(), ...drain([cut])]).toEqual(expected);
    cut.parts.merge();
    expect(rangesOf(cut)).toEqual([WHOLE]);
    expect(counts([cut])).toEqual(counts([plain]));
    expect(imbalance(cut)).toEqual([0, 0, 0, 0, 0]);
  });

  test("parts: neighbours that differ in a cursor, a term, a mode, a closed mark or completeness -> not joined", () => {
    const changes: ((engine: Engine) => void)[] = [
      ({ parts }) => parts.at(0)?.cursors.set("r", { applied: 1, oldestMs: undefined, statedMs: 0, heardMs: 0 }),
      ({ parts }) => Object.assign(parts.at(0) ?? {}, { term: "7.7" }),
      ({ parts }) => {
        for (const part of parts.list.slice(0, 1)) parts.setMode(part, "frozen");
      },
      ({ parts }) => f64.store((parts.at(0)?.ledgers[1]?.at ?? 0) + 24, 5),
      ({ parts }) => f64.store((parts.at(0)?.ledgers[1]?.at ?? 0) + 32, 5),
    ];
    for (const change of changes) {
      const engine = openEngine(FLEET_RULES);
      engine.parts.split(MIDDLE);
      change(engine);
      engine.parts.merge();
      expect(rangesOf(engine)).toHaveLength(2);
    }
  });

  test("parts: two engines share the key space -> together the rows and pairs of one", () => {
    const plain = openEngine(FLEET_RULES, { startMs: 100_000 });
    const both = [openPart({ low: 0, high: MIDDLE }), openPart({ low: MIDDLE, high: KEY_END })];
    expect(run(both, 0, 30)).toEqual(run([plain], 0, 30));
    expect(counts(both)).toEqual(counts([plain]));
    for (const engine of both) expect(imbalance(engine)).toEqual([0, 0, 0, 0, 0]);
  });

  test.each([0.1, 0.5, 0.9])("parts: the range from %d on moves to and fro while lines flow -> the rows of an engine that kept all", (share) => {
    const plain = openEngine(FLEET_RULES, { startMs: 100_000 });
    const both = [openEngine(FLEET_RULES, { startMs: 100_000 }), openPart({ low: 0, high: 1 })] as const;
    both[1].parts.drop(WHOLE);
    const expected = [...run([plain], 0, 42), ...drain([plain])];
    const range = { low: Math.floor(share * KEY_END), high: KEY_END };
    const rows: string[] = [];
    for (let i = 0; i < 42; i += 7) {
      rows.push(...run(both, i, i + 7));
      for (const engine of both) expect(imbalance(engine)).toEqual([0, 0, 0, 0, 0]);
      if (i % 2 === 0) move(both[0], both[1], range);
      else move(both[1], both[0], range);
      for (const engine of both) expectSound(engine);
    }
    expect([...rows.sort(), ...drain(both)]).toEqual(expected);
    expect(counts(both)).toEqual(counts([plain]));
  });

  test("parts: nothing held -> nothing matched or applied; opened again -> known keys are admitted anew", () => {
    const engine = openEngine(FLEET_RULES, { startMs: 100_000 });
    run([engine], 0, 3);
    engine.parts.drop(WHOLE);
    run([engine], 3, 6);
    expect(Object.values(counts([engine])).every((count) => count === 0)).toBe(true);
    engine.parts.open(WHOLE, { term: "1.2", startMs: 107_000, completeMs: 107_000 });
    const before = engine.ledger().rules.map(({ pairsMatched }) => pairsMatched);
    run([engine], 6, 8);
    expect(before).toEqual([0, 0, 0, 0]);
    expect(engine.ledger().rules.map(({ pairsMatched }) => pairsMatched)).toEqual([12, 12, 12, 12]);
  });

  test("parts: dropped -> its memory comes back with the next sweep", () => {
    const engine = openEngine(FLEET_RULES, { startMs: 100_000 });
    run([engine], 0, 15);
    engine.parts.drop(WHOLE);
    tick(engine, 116_000);
    expect(engine.ledger().keys).toBeGreaterThan(0);
    tick(engine, 161_000);
    expect(engine.ledger()).toMatchObject({ keys: 0, series: 0 });
  });

  test.each([
    ["memory is short", FLEET_RULES, 0.8],
    ["its series are needed under max_series", FLEET_RULES.replaceAll(" }", ", max_series: 60 }"), 0.1],
  ])("parts: dropped, and %s -> comes back with the next tick, whatever the keys do", (_, rules, used) => {
    const sized = openEngine(rules, { startMs: 100_000 });
    run([sized], 0, 15);
    const engine = openEngine(rules, { startMs: 100_000, memoryBytesMax: Math.ceil(sized.memory().bytes / used / 65_536) * 65_536 });
    run([engine], 0, 15);
    const { bytes } = engine.memory();
    for (let round = 0; round < 50; round++) {
      engine.parts.drop(WHOLE);
      tick(engine, 116_000);
      expect(engine.ledger()).toMatchObject({ keys: 0 });
      engine.parts.open(WHOLE, { term: "1.2", startMs: 100_000, completeMs: 100_000 });
      feedLines(engine, 116_000, ...Array.from({ length: 15 }, (_, i) => lines(i)).flat());
    }
    expect(engine.memory().bytes).toBe(bytes);
    expect(engine.ledger().rules.map(({ pairsDropped }) => pairsDropped)).toEqual([{}, {}, {}, {}]);
  });

  test("parts: frozen -> takes no sample and closes nothing; thawed -> goes on", () => {
    const engine = openEngine(FLEET_RULES, { startMs: 100_000 });
    run([engine], 0, 3);
    const [part] = engine.parts.list;
    if (part === undefined) throw new Error("no part");
    engine.parts.setMode(part, "frozen");
    const before = counts([engine]);
    feedLines(engine, 104_000, ...lines(3));
    expect(tick(engine, 160_000)).toEqual([]);
    expect(counts([engine])).toEqual(before);
    engine.parts.setMode(part, "serving");
    expect(tick(engine, 160_000).length).toBeGreaterThan(0);
  });
});
