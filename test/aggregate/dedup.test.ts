// Plan: dedup_interval by itself: which sample counts, what is counted of the others, lateness, idle series, memory of series, and the
// books while samples are held. The rows of random scenarios are compared with the reference (test/conformance).
import { afterEach, describe, expect, test } from "@jest/globals";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { disposeEngines, feedLines, finish, imbalance, openEngine, tick } from "./openEngine.js";

const RULE = "- { interval: 10s, dedup_interval: 5s, grace: 5s, by: [s], outputs: [sum_samples], late: carry }";

afterEach(disposeEngines);

const pairs = (engine: ReturnType<typeof openEngine>): unknown => {
  const [rule] = engine.ledger().rules;
  return { applied: rule?.pairsApplied, duplicate: rule?.pairsDuplicate, pending: rule?.pairsPending, dropped: rule?.pairsDropped };
};

describe("dedup", () => {
  test("dedup: several samples of a series in an interval -> the newest counts, of equal times the larger value", () => {
    const engine = openEngine(RULE, { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a f=1 104000", "m,s=a f=100 103999", "m,s=a f=2 104000", "m,s=a f=1.5 104000", "m,s=a f=10 105000");
    expect(pairs(engine)).toEqual({ applied: 0, duplicate: 3, pending: 2, dropped: {} });
    expect(imbalance(engine)).toEqual([0, 0]);
    expect(tick(engine, 115_000)).toEqual(['m_f:10s_by_s_sum_samples{s="a"} 12 110000']);
    expect(pairs(engine)).toEqual({ applied: 2, duplicate: 3, pending: 0, dropped: {} });
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("dedup: two series of a group -> each has a sample of its own", () => {
    const engine = openEngine(RULE, { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a,h=1 f=1 104000", "m,s=a,h=2 f=2 103000", "m,s=a,h=2 f=4 102000");
    expect(tick(engine, 115_000)).toEqual(['m_f:10s_by_s_sum_samples{s="a"} 3 110000']);
  });

  test("dedup: labels taken off before -> the merged series is one (vmagent: 5, 7, 8 -> 8)", () => {
    const engine = openEngine(`${RULE.slice(0, -2)}, drop_input_labels: [h] }`, { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a,h=1 f=5 101000", "m,s=a,h=2 f=7 102000", "m,s=a,h=3 f=8 103000");
    expect(tick(engine, 115_000)).toEqual(['m_f:10s_by_s_sum_samples{s="a"} 8 110000']);
  });

  test("dedup: a sample of a closed window -> dropped late, though the rule carries: it may be a duplicate", () => {
    const engine = openEngine(RULE.replace("sum_samples", "sum_samples_total"), { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a f=1 104000");
    tick(engine, 115_000);
    feedLines(engine, 115_001, "m,s=a f=5 104000");
    expect(pairs(engine)).toEqual({ applied: 1, duplicate: 0, pending: 0, dropped: { late: 1 } });
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_sum_samples_total{s="a"} 1 120000 from 100000']);
  });

  test("dedup: counters out of order within the grace -> added in the order of time, nothing superseded", () => {
    const engine = openEngine("- { interval: 10s, dedup_interval: 1s, grace: 5s, by: [s], outputs: [increase], first_sample: zero }", {
      startMs: 100_000,
    });
    feedLines(engine, 104_000, "m,s=a f=30 103000", "m,s=a f=10 101000", "m,s=a f=20 102000", "m,s=a f=45 112000");
    expect(tick(engine, 115_000)).toEqual(['m_f:10s_by_s_increase{s="a"} 30 110000']);
    expect(tick(engine, 125_000)).toEqual(['m_f:10s_by_s_increase{s="a"} 15 120000']);
    expect(engine.ledger().rules[0]?.pairsIgnored).toEqual({});
  });

  test("dedup: a sweep before the first window closes -> what is held stays", () => {
    const engine = openEngine("- { interval: 3m, dedup_interval: 1m, by: [s], outputs: [sum_samples] }", { startMs: 180_000 });
    feedLines(engine, 181_000, "m,s=a f=3 181000");
    for (const nowMs of [245_000, 306_000]) tick(engine, nowMs);
    feedLines(engine, 306_000, "m,s=a f=4 306000");
    expect(tick(engine, 370_000)).toEqual(['m_f:3m_by_s_sum_samples{s="a"} 7 360000']);
  });

  test("dedup: a sample that only a histogram wanted is negative -> ignored when its window closes", () => {
    const engine = openEngine(RULE.replace("sum_samples", "histogram_bucket"), { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a f=-1 104000");
    expect(tick(engine, 115_000)).toEqual([]);
    expect(engine.ledger().rules[0]).toMatchObject({ pairsIgnored: { negative: 1 }, pairsPending: 0 });
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("dedup: moved by a snapshot while samples are held -> they count there, and the books go on", () => {
    const engine = openEngine(RULE, { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a f=1 104000", "m,s=a f=2 103000", "m,s=a f=4 107000", "m,s=a f=8 112000");
    const snapshot = takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 });
    const other = openEngine(RULE, { startMs: 105_000 });
    restoreSnapshot(other, snapshot);
    expect(pairs(other)).toEqual({ applied: 0, duplicate: 1, pending: 3, dropped: {} });
    feedLines(other, 105_000, "m,s=a f=16 104500");
    expect(tick(other, 115_000)).toEqual(['m_f:10s_by_s_sum_samples{s="a"} 20 110000']);
    expect(finish(other, 116_000)).toEqual(['m_f:10s_by_s_sum_samples{s="a"} 8 116000']);
  });

  test("dedup: series of a rule without counters -> expire after series_memory, and count no more", () => {
    const engine = openEngine(`${RULE.slice(0, -2)}, series_memory: 1m }`, { startMs: 100_000 });
    feedLines(engine, 104_000, "m,s=a f=1 104000");
    expect(engine.ledger().rules[0]?.series).toBe(1);
    for (let nowMs = 115_000; nowMs < 400_000; nowMs += 10_000) {
      feedLines(engine, nowMs, `m,s=b f=1 ${String(nowMs)}`);
      tick(engine, nowMs);
    }
    expect(engine.ledger().rules[0]?.series).toBe(1);
  });
});
