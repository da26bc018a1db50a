// Plan: the engine's clock rules, one event at a time: grace, lateness, carry, the future, windows before the start, idleness,
// staleness, arrival time, and the stamps of a stop. Interval 10 s and grace 5 s unless a test says otherwise.
import { afterEach, describe, expect, test } from "@jest/globals";
import { disposeEngines, feedLines, finish, imbalance, openEngine, tick } from "./openEngine.js";

const SUMS = "- { interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, count_samples] }";
const TOTAL = "- { interval: 10s, grace: 5s, by: [s], outputs: [total], first_sample: zero }";

afterEach(disposeEngines);

const dropped = (engine: ReturnType<typeof openEngine>): unknown => engine.ledger().rules[0]?.pairsDropped;

describe("window", () => {
  test("window: sample inside grace -> counted in its own window", () => {
    const engine = openEngine(SUMS, { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a f=1 104000");
    expect(tick(engine, 114_999)).toEqual([]);
    feedLines(engine, 114_999, "m,s=a f=2 109999", "m,s=a f=8 110000");
    expect(tick(engine, 115_000)).toEqual(['m_f:10s_by_s_count_samples{s="a"} 2 110000', 'm_f:10s_by_s_sum_samples{s="a"} 3 110000']);
    expect(dropped(engine)).toEqual({});
  });

  test("window: sample after its close -> dropped late, the next window untouched", () => {
    const engine = openEngine(SUMS, { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a f=1 104000", "m,s=a f=10 111000");
    tick(engine, 115_000);
    feedLines(engine, 115_001, "m,s=a f=2 109999");
    expect(dropped(engine)).toEqual({ late: 1 });
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_count_samples{s="a"} 1 120000', 'm_f:10s_by_s_sum_samples{s="a"} 10 120000']);
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("window: its end + grace lies before the engine's start -> closed from the beginning", () => {
    const engine = openEngine(SUMS, { startMs: 115_000 });
    feedLines(engine, 115_000, "m,s=a f=1 109999", "m,s=a f=2 110000");
    expect(dropped(engine)).toEqual({ late: 1 });
    expect(tick(engine, 125_000)).toContain('m_f:10s_by_s_sum_samples{s="a"} 2 120000');
  });

  test("window: sample later than max_future -> dropped future, at the edge it counts", () => {
    const engine = openEngine(SUMS, { startMs: 100_000 });
    feedLines(engine, 100_000, "m,s=a f=1 160000", "m,s=a f=2 160001");
    expect(dropped(engine)).toEqual({ future: 1 });
    expect(tick(engine, 175_000)).toContain('m_f:10s_by_s_sum_samples{s="a"} 1 170000');
  });

  test("window: several opened out of order -> closed in order, each once, by one late tick", () => {
    const engine = openEngine(SUMS, { startMs: 100_000 });
    feedLines(engine, 130_000, "m,s=a f=4 131000", "m,s=a f=1 101000", "m,s=a f=2 115000", "m,s=b f=3 121000");
    expect(tick(engine, 145_000).filter((row) => row.includes("count"))).toEqual([
      'm_f:10s_by_s_count_samples{s="a"} 1 110000',
      'm_f:10s_by_s_count_samples{s="a"} 1 120000',
      'm_f:10s_by_s_count_samples{s="a"} 1 140000',
      'm_f:10s_by_s_count_samples{s="b"} 1 130000',
    ]);
    expect(tick(engine, 145_001)).toEqual([]);
  });

  test("time: arrival -> the arrival decides, the line's own time is not even late", () => {
    const engine = openEngine("- { interval: 10s, grace: 5s, by: [s], outputs: [sum_samples], time: arrival }", { startMs: 100_000 });
    feedLines(engine, 101_000, "m,s=a f=1 5000", "m,s=a f=2 999000", "m,s=a f=4");
    feedLines(engine, 111_000, "m,s=a f=8 101000");
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_sum_samples{s="a"} 7 110000', 'm_f:10s_by_s_sum_samples{s="a"} 8 120000']);
    expect(dropped(engine)).toEqual({});
  });

  test("time: missing timestamp -> the arrival", () => {
    const engine = openEngine(SUMS, { startMs: 100_000 });
    feedLines(engine, 119_999, "m,s=a f=1");
    expect(tick(engine, 125_000)).toContain('m_f:10s_by_s_sum_samples{s="a"} 1 120000');
  });

  test("time: before 1970 -> windows aligned to the epoch, not to zero towards it", () => {
    const engine = openEngine(SUMS, { startMs: Number.NEGATIVE_INFINITY });
    engine.feed(0, Buffer.from("m,s=a f=1 -1\nm,s=a f=2 -10000000000\nm,s=a f=4 -10000000001\n"));
    expect(finish(engine, 0).filter((row) => row.includes("sum"))).toEqual([
      'm_f:10s_by_s_sum_samples{s="a"} 3 0',
      'm_f:10s_by_s_sum_samples{s="a"} 4 -10000',
    ]);
  });
});

describe("total", () => {
  test("total: late increase, late: carry -> in the next total, once", () => {
    const engine = openEngine(TOTAL, { startMs: 100_000 });
    feedLines(engine, 101_000, "m,s=a f=5 101000");
    expect(tick(engine, 115_000)).toEqual(['m_f:10s_by_s_total{s="a"} 5 110000 from 100000']);
    feedLines(engine, 116_000, "m,s=a f=7 109000");
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_total{s="a"} 7 120000 from 100000']);
    feedLines(engine, 126_000, "m,s=a f=9 126000");
    expect(tick(engine, 135_000)).toEqual(['m_f:10s_by_s_total{s="a"} 9 130000 from 100000']);
    expect(dropped(engine)).toEqual({});
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("total: late increase, late: drop -> dropped, but the next sample of its series contains it", () => {
    const engine = openEngine(TOTAL.replace("first", "late: drop, first"), { startMs: 100_000 });
    feedLines(engine, 101_000, "m,s=a f=5 101000");
    tick(engine, 115_000);
    feedLines(engine, 116_000, "m,s=a f=7 109000");
    expect(dropped(engine)).toEqual({ late: 1 });
    feedLines(engine, 116_000, "m,s=a f=9 116000");
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_total{s="a"} 9 120000 from 100000']);
  });

  test("total: sample older than its series' last -> superseded, whether its window is open or closed", () => {
    const engine = openEngine(TOTAL, { startMs: 100_000 });
    feedLines(engine, 101_000, "m,s=a f=5 112000", "m,s=a f=4 111000", "m,s=a f=3 101000");
    tick(engine, 115_000);
    feedLines(engine, 116_000, "m,s=a f=2 102000");
    expect(engine.ledger().rules[0]).toMatchObject({ pairsMatched: 4, pairsApplied: 1, pairsIgnored: { superseded: 3 } });
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_total{s="a"} 5 120000 from 110000']);
  });

  test("total: silent for staleness_interval -> repeated, then gone; back -> from its window's start, anew", () => {
    const engine = openEngine(TOTAL.replace("first", "staleness_interval: 20s, series_memory: 1m, first"), { startMs: 100_000 });
    feedLines(engine, 101_000, "m,s=a f=5 105000");
    expect(tick(engine, 115_000)).toEqual(['m_f:10s_by_s_total{s="a"} 5 110000 from 100000']);
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_total{s="a"} 5 120000 from 100000']);
    expect(tick(engine, 135_000)).toEqual([]);
    expect(tick(engine, 145_000)).toEqual([]);
    feedLines(engine, 146_000, "m,s=a f=8 146000");
    expect(tick(engine, 155_000)).toEqual(['m_f:10s_by_s_total{s="a"} 3 150000 from 140000']);
  });

  test("total: sweeps on the way -> the rows of one tick at the end", () => {
    const rows = [true, false].map((sweeps) => {
      const engine = openEngine(TOTAL.replace("first", "series_memory: 2m, first"), { startMs: 0 });
      const all: string[] = [];
      for (let now = 0; now < 1_500_000; now += 30_000) {
        const visitor = `m,s=b${String((now / 30_000) % 17)} f=${String(now / 1000)} ${String(now)}`;
        feedLines(engine, now, `m,s=a f=${String(now / 1000)} ${String(now)}`, visitor);
        if (sweeps) all.push(...tick(engine, now + 15_000));
      }
      if (sweeps) expect(engine.ledger().rules[0]?.groups).toBeLessThan(18);
      return [...all, ...tick(engine, 1_600_000)].sort();
    });
    expect(rows[0]).toEqual(rows[1]);
  });
});

describe("finish", () => {
  test("finish: complete windows -> their end; running ones -> now, the second one ms later", () => {
    const engine = openEngine(SUMS, { startMs: 100_000 });
    feedLines(engine, 112_000, "m,s=a f=1 105000", "m,s=a f=2 112000", "m,s=a f=4 121000");
    expect(finish(engine, 113_000).filter((row) => row.includes("sum"))).toEqual([
      'm_f:10s_by_s_sum_samples{s="a"} 1 110000',
      'm_f:10s_by_s_sum_samples{s="a"} 2 113000',
      'm_f:10s_by_s_sum_samples{s="a"} 4 113001',
    ]);
    expect(engine.ledger().rules[0]).toMatchObject({ windowsFlushed: 3, windowsPartial: 2 });
  });

  test("finish: exactly at a window's end -> the one that begins there gets another timestamp", () => {
    const engine = openEngine(SUMS, { startMs: 100_000 });
    feedLines(engine, 109_000, "m,s=a f=1 105000", "m,s=a f=2 110000");
    expect(finish(engine, 110_000).filter((row) => row.includes("sum"))).toEqual([
      'm_f:10s_by_s_sum_samples{s="a"} 1 110000',
      'm_f:10s_by_s_sum_samples{s="a"} 2 110001',
    ]);
  });

  test("finish: nothing open -> nothing, not even for living groups", () => {
    const engine = openEngine(TOTAL, { startMs: 100_000 });
    feedLines(engine, 101_000, "m,s=a f=5 101000");
    tick(engine, 115_000);
    expect(finish(engine, 116_000)).toEqual([]);
  });
});
