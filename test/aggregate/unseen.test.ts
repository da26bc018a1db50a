// Plan: "never seen" is evidence that a counter is new only while nothing was refused: a series that comes in once there is room again
// must not add all it has counted since its own beginning.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine } from "#limpet/aggregate/engine.js";
import { LEDGER_COMPLETE, ROOT_PAGES } from "#limpet/kernel/layout.js";
import { disposeEngines, feedLines, openEngine, tick } from "./openEngine.js";

const RULE = "- { interval: 10s, grace: 1s, by: [s], outputs: [increase], series_memory: 1m, MORE }";

afterEach(disposeEngines);

/** Every 10 s a line; returns the rows of the group. */
function beat(engine: Engine, group: string, { fromMs, toMs, line }: { fromMs: number; toMs: number; line: (nowMs: number) => string }): string[] {
  const rows: string[] = [];
  for (let nowMs = fromMs; nowMs < toMs; nowMs += 10_000) {
    feedLines(engine, nowMs, `${line(nowMs)} ${String(nowMs)}`);
    rows.push(...tick(engine, nowMs + 1).filter((row) => row.includes(`s="${group}"`)));
  }
  return rows.map((row) => row.split(" ")[1] ?? "");
}

describe("unseen", () => {
  test("unseen: refused by max_series, let in later -> its first sample is a baseline", () => {
    const engine = openEngine(RULE.replace("MORE", "max_series: 1"), { startMs: 0 });
    beat(engine, "a", { fromMs: 0, toMs: 100_000, line: (nowMs) => `m,s=a f=${String(nowMs)}` });
    const values = beat(engine, "b", { fromMs: 100_000, toMs: 400_000, line: (nowMs) => `m,s=b f=${String(1_000_000 + nowMs)}` });
    expect(engine.ledger().rules[0]?.pairsDropped["series_cap"]).toBeGreaterThan(10);
    expect(values.length).toBeGreaterThan(5);
    expect(values[0]).toBe("0");
    expect(new Set(values.slice(1))).toEqual(new Set(["10000"]));
  });

  test("unseen: new with nothing refused for series_memory -> counts from zero", () => {
    const engine = openEngine(RULE.replace("MORE", "max_series: 9"), { startMs: 0 });
    beat(engine, "a", { fromMs: 0, toMs: 100_000, line: (nowMs) => `m,s=a f=${String(nowMs)}` });
    const values = beat(engine, "b", { fromMs: 100_000, toMs: 150_000, line: (nowMs) => `m,s=b f=${String(1_000_000 + nowMs)}` });
    expect(values[0]).toBe("1100000");
  });

  test("unseen: no memory for a new key -> no rule's memory of series is complete since before", () => {
    const engine = openEngine(RULE.replace("MORE", "max_series: 1000000"), { startMs: 0, memoryBytesMax: (ROOT_PAGES + 8) * 65_536 });
    const complete = (): number[] => engine.parts.ledgers().map(({ at }) => f64.load(at + LEDGER_COMPLETE));
    for (let i = 0; engine.ledger().samplesIgnored["memory"] === undefined; i++)
      feedLines(engine, 100_000, `m,s=g${String(i)},h=${"x".repeat(90)} f=1 100000`);
    tick(engine, 100_001);
    expect(complete()).toEqual([100_001]);
    tick(engine, 100_002);
    expect(complete()).toEqual([100_001]);
  });
});
