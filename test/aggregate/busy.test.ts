// Plan: a tick closes so much and says that more is due. In pieces the rows are those of one piece: whole windows, each once, also when
// lines, a snapshot or a stop come in between; the sweep waits for its turn.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine } from "#limpet/aggregate/engine.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { disposeEngines, feedLines, finish, openEngine, rowTexts, tick } from "./openEngine.js";

const RULES = [1, 2, 3]
  .map((i) => `- { name: r${String(i)}, interval: 10s, grace: 1s, by: [s], outputs: [max, sum_samples, count_samples], labels: {r: "${String(i)}"} }`)
  .join("\n");
const GROUPS = 6000;

afterEach(disposeEngines);

function opened(): Engine {
  const engine = openEngine(RULES, { startMs: 0 });
  feedLines(engine, 1000, ...Array.from({ length: GROUPS }, (_, i) => `m,s=g${String(i)} f=${String(i)} 1000`));
  return engine;
}

function one(engine: Engine, nowMs: number): string[] {
  return rowTexts(engine.step(nowMs, { kind: "tick" }));
}

describe("busy", () => {
  test("busy: more is due than a tick closes -> whole windows per tick, until all are closed, each once", () => {
    const engine = opened();
    const ticks: string[][] = [];
    do ticks.push(one(engine, 11_000));
    while (engine.busy);
    expect(ticks.length).toBeGreaterThan(2);
    for (const rows of ticks) expect(rows.length % (3 * GROUPS)).toBe(0);
    expect(new Set(ticks.flat()).size).toBe(9 * GROUPS);
    expect(ticks.flat()).toHaveLength(9 * GROUPS);
    expect(one(engine, 11_000)).toEqual([]);
  });

  test("busy: lines in between -> those of closed windows late, all others counted", () => {
    const engine = opened();
    const rows = one(engine, 11_000);
    const closed = engine.ledger().rules.map(({ windowsFlushed }) => windowsFlushed);
    expect(closed).toEqual([1, 0, 0]);
    feedLines(engine, 11_000, "m,s=g0 f=100000 1000", "m,s=g0 f=1 11000");
    rows.push(...tick(engine, 11_000));
    expect(rows).toHaveLength(9 * GROUPS);
    expect(engine.ledger().rules.map(({ pairsDropped }) => pairsDropped)).toEqual([{ late: 1 }, {}, {}]);
    expect(
      rows.filter((row) => row.includes('_max{r="') && row.includes('s="g0"')).map((row) => row.replace(/^.*r="(\d)".* (\d+) \d+$/, "$1 $2")),
    ).toEqual(["1 0", "2 100000", "3 100000"]);
  });

  test("busy: moved by a snapshot in between -> the rest of the rows there", () => {
    const engine = opened();
    const rows = one(engine, 11_000);
    const snapshot = takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 });
    const other = openEngine(RULES, { startMs: 11_000 });
    restoreSnapshot(other, snapshot);
    rows.push(...tick(other, 11_000));
    expect(new Set(rows).size).toBe(9 * GROUPS);
    expect(rows).toHaveLength(9 * GROUPS);
  });

  test("busy: a stop in between -> the windows that were due are whole", () => {
    const engine = opened();
    const rows = [...one(engine, 11_000), ...finish(engine, 11_000)];
    expect(rows).toHaveLength(9 * GROUPS);
    expect(engine.ledger().rules.map(({ windowsPartial }) => windowsPartial)).toEqual([0, 0, 0]);
  });
});
