// Restart in place over a real engine: what lies in --data is served when it is granted, as if there had been no stop; windows that were due
// meanwhile wait for the routers; rows that no sink took go on with their range.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { BatchSaid } from "#limpet/aggregate/batch.js";
import type { Engine } from "#limpet/aggregate/engine.js";
import { takeSnapshot } from "#limpet/aggregate/snapshot.js";
import type { OutboxBlock } from "#limpet/aggregate/snapshotHeader.js";
import { EngineHoldings } from "#limpet/drive/engineHoldings.js";
import { KeptRows, restoreKept } from "#limpet/drive/keptState.js";
import { KEY_END, type KeyRange, WHOLE } from "#limpet/slice/keyRange.js";
import { disposeEngines, openEngine, rowTexts, tick } from "../aggregate/openEngine.js";
import { blockOf } from "../metric/blocks.js";

const RULES = "- { match: c_n, interval: 10s, grace: 5s, by: [s], outputs: [total], first_sample: zero }";
const TERM = { incarnation: 1, number: 7 };
const LOW: KeyRange = { low: 0, high: KEY_END / 2 };
const HIGH: KeyRange = { low: KEY_END / 2, high: KEY_END };

afterEach(disposeEngines);

function head(seq: number, prev: number, about: Partial<BatchSaid> & { readonly oldestMs?: number } = {}): BatchSaid {
  const { oldestMs, ...more } = about;
  return { router: "r.1", seq, statedMs: 0, ranges: [{ ...WHOLE, prev, kept: 1, oldestMs }], ...more };
}

function body(value: number, atMs: number): Buffer {
  return Buffer.from(Array.from({ length: 8 }, (_, i) => `c,s=s${String(i)} n=${String(value)} ${String(atMs)}000000\n`).join(""));
}

interface Back {
  readonly engine: Engine;
  readonly holdings: EngineHoldings;
  readonly served: string[];
}

/** An engine that served all in TERM, stopped at `stoppedMs`, and what comes back of it. */
function restart(before: Engine, stoppedMs: number, startedMs: number): Back {
  for (const part of before.parts.list) part.term = "1.7";
  const snapshot = takeSnapshot(before, WHOLE, { term: "0.0", number: 1 });
  const engine = openEngine(RULES, { startMs: startedMs });
  engine.parts.drop(WHOLE);
  const { offers } = restoreKept(engine, snapshot);
  expect(offers).toEqual(before.parts.list.map(({ low, high }) => ({ low, high, number: TERM })));
  const served: string[] = [];
  const holdings = new EngineHoldings({
    engine: () => engine,
    now: () => startedMs,
    warn: (message) => served.push(message),
    kept: {
      stoppedMs,
      onServed: () => served.push("used up"),
      onRange: ({ low }, isServed) => served.push(`${String(low / KEY_END)} ${isServed ? "served" : "dropped"}`),
    },
  });
  return { engine, holdings, served };
}

function serving(nowMs: number): Engine {
  const engine = openEngine(RULES, { startMs: nowMs });
  engine.batch(nowMs, head(1, 0, { oldestMs: nowMs, statedMs: nowMs }), body(5, nowMs));
  return engine;
}

describe("kept state", () => {
  test("not granted -> held by nobody, batches go elsewhere, nothing is closed", () => {
    const { engine, holdings } = restart(serving(101_000), 102_000, 130_000);
    expect(holdings.held()).toEqual([]);
    expect(engine.batch(130_000, head(2, 1), body(6, 130_000))).toMatchObject([{ answer: "elsewhere" }]);
    expect(tick(engine, 300_000)).toEqual([]);
  });

  test("granted -> used up before it is served; cursors, totals and start times go on", () => {
    const { engine, holdings, served } = restart(serving(101_000), 102_000, 103_000);
    holdings.restore(WHOLE, TERM, 103_000);
    expect(served).toEqual(["used up", "0 served"]);
    expect(engine.batch(103_000, head(1, 0), body(5, 101_000))).toMatchObject([{ answer: "duplicate" }]);
    expect(engine.batch(103_100, head(2, 1, { statedMs: 125_000 }), body(7, 103_000))).toMatchObject([{ answer: "applied" }]);
    const uninterrupted = serving(101_000);
    uninterrupted.batch(103_100, head(2, 1, { statedMs: 125_000 }), body(7, 103_000));
    expect(tick(engine, 125_000)).toEqual(tick(uninterrupted, 125_000));
  });

  test("another term, or another range -> an error, for nobody can have granted that", () => {
    const { holdings } = restart(serving(101_000), 102_000, 103_000);
    expect(() => {
      holdings.restore(WHOLE, { incarnation: 1, number: 8 }, 103_000);
    }).toThrow("nothing in --data of slice 00000000-100000000 in term 1.8");
    holdings.restore(LOW, TERM, 103_000);
    expect(() => {
      holdings.restore(LOW, TERM, 103_000);
    }).toThrow("nothing in --data");
  });

  test("windows due meanwhile -> wait for the routers that were heard before, and are not late for them", () => {
    const { engine, holdings } = restart(serving(101_000), 102_000, 180_000);
    holdings.restore(WHOLE, TERM, 180_000);
    // Its last word was 79 s ago: as long as that is no more than hold after the return, it may still come.
    expect(tick(engine, 186_000)).toEqual([]);
    engine.batch(186_100, head(2, 1, { statedMs: 186_000, oldestMs: 186_000 }), body(9, 109_000));
    expect(tick(engine, 186_200)[0]).toMatch(/ 9 110000 from /);
  });

  test("a router never comes back -> its windows close hold after the return", () => {
    const { engine, holdings } = restart(serving(101_000), 102_000, 180_000);
    holdings.restore(WHOLE, TERM, 180_000);
    expect(tick(engine, 239_000)).toEqual([]);
    expect(tick(engine, 241_000)[0]).toMatch(/ 5 110000 from /);
  });

  test("a router that began while it was away -> has 5 s to say so", () => {
    const before = openEngine(RULES, { startMs: 101_000 });
    before.batch(101_500, head(1, 0, { statedMs: 101_500 }), body(5, 101_000));
    const { engine, holdings } = restart(before, 102_000, 130_000);
    holdings.restore(WHOLE, TERM, 130_000);
    expect(tick(engine, 134_000)).toEqual([]);
    expect(engine.batch(134_500, head(1, 0, { router: "new.1", statedMs: 134_500 }), body(1, 105_000))).toMatchObject([{ answer: "applied" }]);
    expect(tick(engine, 136_000).filter((row) => row.includes(" 110000"))).toHaveLength(8);
    expect(engine.ledger().rules[0]?.pairsDropped).toEqual({});
  });

  test("windows closed before the stop -> stay closed", () => {
    const before = serving(101_000);
    before.batch(101_100, head(2, 1, { statedMs: 130_000 }), Buffer.alloc(0));
    expect(tick(before, 130_000).length).toBe(16);
    const { engine, holdings } = restart(before, 131_000, 131_500);
    holdings.restore(WHOLE, TERM, 131_500);
    expect(rowTexts(engine.step(131_600, { kind: "tick" })).filter((row) => row.includes(" 110000"))).toEqual([]);
  });

  test("a range that is dropped -> said, gone, and what is left is granted as before", () => {
    const { engine, holdings, served } = restart(serving(101_000), 102_000, 103_000);
    holdings.drop(HIGH);
    holdings.restore(LOW, TERM, 103_000);
    expect(served).toEqual(["0.5 dropped", "used up", "0 served"]);
    expect(engine.parts.list).toMatchObject([{ ...LOW, mode: "serving" }]);
  });
});

describe("kept rows", () => {
  const block = (sink: string, keys: readonly number[]): OutboxBlock => {
    const rows = keys.map((key) => ({ labels: [["__name__", `m${String(key)}`]] as [string, string][], timestamp: 1, value: key }));
    return { ...blockOf(rows), keys: Uint32Array.from(keys), sink };
  };

  test("a range is served -> its rows, block by block, and no others", () => {
    const rows = new KeptRows([block("a", [1, 5, 9]), block("b", [1])]);
    expect(rows.served({ low: 0, high: 6 }).map(({ sink, keys }) => [sink, [...(keys ?? [])]])).toEqual([
      ["a", [1, 5]],
      ["b", [1]],
    ]);
    expect(rows.blocks.map(({ sink, rowCount }) => [sink, rowCount])).toEqual([["a", 1]]);
    expect(rows.served({ low: 0, high: 6 })).toEqual([]);
  });

  test("a range is dropped -> its rows are counted as lost", () => {
    const rows = new KeptRows([block("a", [1, 5, 9])]);
    rows.dropped({ low: 4, high: 10 });
    expect([rows.rowsLost, rows.blocks[0]?.rowCount]).toEqual([2, 1]);
  });
});
