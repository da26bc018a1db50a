// Plan: what an engine does at its bounds. Each is reached, counted under its name, and left again: series and group caps, one
// output identity wanted twice, the memory cap, the length of a line. And input that is no line protocol is told with its place.

import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine, EngineAction } from "#limpet/aggregate/engine.js";
import { ROOT_PAGES } from "#limpet/kernel/layout.js";
import { disposeEngines, feedLines, finish, imbalance, openEngine, rowTexts, tick } from "./openEngine.js";

const SUM = "- { interval: 10s, grace: 5s, by: [s], outputs: [sum_samples] }";
const MIB = 1_048_576;

afterEach(disposeEngines);

/** Ticks once a minute, so that each one sweeps. */
function sweeps(engine: Engine, fromMs: number, minutes: number, lines: (nowMs: number) => readonly string[] = () => []): void {
  for (let i = 1; i <= minutes; i++) {
    feedLines(engine, fromMs + i * 60_000, ...lines(fromMs + i * 60_000));
    tick(engine, fromMs + i * 60_000);
  }
}

describe("caps", () => {
  test("cap: max_groups reached -> dropped series_cap; a group retired and swept -> the next one is let in", () => {
    const engine = openEngine(SUM.replace("by", "max_groups: 2, by"), { startMs: 0 });
    feedLines(engine, 0, "m,s=a f=1 1", "m,s=b f=2 1", "m,s=c f=4 1");
    expect(engine.ledger().rules[0]).toMatchObject({ groups: 2, pairsDropped: { series_cap: 1 } });
    expect(tick(engine, 15_000)).toHaveLength(2);
    sweeps(engine, 60_000, 3, (now) => [`m,s=a f=1 ${String(now)}`, `m,s=c f=4 ${String(now)}`]);
    expect(tick(engine, 255_000).filter((row) => row.endsWith("250000"))).toEqual([
      'm_f:10s_by_s_sum_samples{s="a"} 1 250000',
      'm_f:10s_by_s_sum_samples{s="c"} 4 250000',
    ]);
    expect(engine.ledger().rules[0]?.groups).toBe(2);
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("cap: max_series of a rule without counters -> idle series make room, though their group lives on", () => {
    const engine = openEngine("- { interval: 10s, grace: 5s, max_series: 2, without: [host], outputs: [sum_samples] }", { startMs: 0 });
    feedLines(engine, 0, "m,host=1 f=1 1", "m,host=2 f=2 1", "m,host=3 f=4 1");
    expect(tick(engine, 15_000)).toEqual(["m_f:10s_without_host_sum_samples 3 10000"]);
    sweeps(engine, 0, 70, (now) => [`m,host=1 f=1 ${String(now)}`, `m,host=3 f=4 ${String(now)}`]);
    feedLines(engine, 70 * 60_000 + 30_000, "m,host=1 f=1 4230000", "m,host=3 f=4 4230000");
    expect(finish(engine, 4_245_000)).toContain("m_f:10s_without_host_sum_samples 5 4240000");
    expect(engine.ledger().rules[0]?.series).toBe(2);
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("cap: max_series of a rule with counters -> its Lasts are counted, an expired one makes room", () => {
    const engine = openEngine(SUM.replace("sum_samples", "increase").replace("by", "max_series: 1, series_memory: 1m, first_sample: zero, by"), {
      startMs: 0,
    });
    feedLines(engine, 0, "m,s=a f=1 1", "m,s=b f=2 1");
    expect(engine.ledger().rules[0]).toMatchObject({ series: 1, pairsDropped: { series_cap: 1 } });
    sweeps(engine, 0, 6, (now) => [`m,s=b f=2 ${String(now)}`]);
    feedLines(engine, 365_000, "m,s=b f=5 365000");
    expect(finish(engine, 375_000).at(-1)).toBe('m_f:10s_by_s_increase{s="b"} 3 370000');
    expect(imbalance(engine)).toEqual([0, 0]);
  });
});

describe("identity", () => {
  const two = `
- { match: '{__name__="a_f"}', interval: 10s, grace: 5s, by: [s], outputs: [sum_samples], output_name: same }
- { match: '{__name__="b_f"}', interval: 10s, grace: 5s, by: [s], outputs: [sum_samples], output_name: same }`;

  test("identity: wanted by two rules -> the first has it, the second is counted; the first gone -> the second has it", () => {
    const engine = openEngine(two, { startMs: 0 });
    expect(engine.rules).toHaveLength(2);
    feedLines(engine, 0, "a,s=x f=1 1", "b,s=x f=2 1", "b,s=y f=4 1");
    expect(engine.ledger().rules.map(({ pairsDropped }) => pairsDropped)).toEqual([{}, { identity: 1 }]);
    expect(tick(engine, 15_000)).toEqual(['same{s="x"} 1 10000', 'same{s="y"} 4 10000']);
    sweeps(engine, 0, 3, (now) => [`b,s=x f=2 ${String(now)}`]);
    feedLines(engine, 190_000, "b,s=x f=2 190000");
    expect(finish(engine, 200_000)).toContain('same{s="x"} 2 200000');
    expect(imbalance(engine)).toEqual([0, 0, 0]);
  });

  test("identity: label values that hold the old separator of the name cache -> groups of their own", () => {
    const engine = openEngine("- { interval: 10s, grace: 5s, without: [host], outputs: [sum_samples] }", { startMs: 0 });
    feedLines(engine, 0, "m,a=xÿbÿy f=1 1", "m,a=x,b=y f=2 1");
    expect(tick(engine, 15_000)).toEqual([
      'm_f:10s_without_host_sum_samples{a="x",b="y"} 2 10000',
      'm_f:10s_without_host_sum_samples{a="xÿbÿy"} 1 10000',
    ]);
  });
});

describe("memory", () => {
  const QUANTILES = "- { interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, 'quantiles(0, 1)'] }";

  test("memory: cap reached -> ignored or dropped memory, rows of what was applied, and after a sweep everything is as before", () => {
    const engine = openEngine(QUANTILES, { startMs: 0, memoryBytesMax: (ROOT_PAGES + 13) * 65_536 });
    const lines = (nowMs: number): string[] =>
      Array.from({ length: 4000 }, (_, i) => `m,s=g${String(i)},h=${"x".repeat(40)} f=${String(i)} ${String(nowMs)}`);
    feedLines(engine, 1000, ...lines(1000));
    const { samplesIgnored, rules } = engine.ledger();
    const lost = (samplesIgnored["memory"] ?? 0) + (rules[0]?.pairsDropped["memory"] ?? 0);
    const applied = rules[0]?.pairsApplied ?? 0;
    expect(lost).toBeGreaterThan(0);
    expect(applied + lost).toBe(4000);
    expect(tick(engine, 15_000)).toHaveLength(applied * 3);
    expect(engine.memory().bytes).toBeLessThanOrEqual(engine.memory().bytesMax);
    sweeps(engine, 60_000, 63);
    expect(engine.ledger()).toMatchObject({ keys: 0, series: 0, rules: [{ groups: 0, series: 0 }] });
    const now = 4_000_000;
    feedLines(engine, now, ...lines(now).slice(0, 100));
    expect(engine.ledger().rules[0]?.pairsApplied).toBe(applied + 100);
    expect(tick(engine, now + 15_000)).toHaveLength(300);
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("memory: the same refused line a thousand times -> nothing leaks, the series count stays", () => {
    const engine = openEngine(SUM, { startMs: 0, memoryBytesMax: (ROOT_PAGES + 5) * 65_536 });
    for (let i = 0; engine.ledger().samplesIgnored["memory"] === undefined; i++)
      feedLines(engine, 1000, `m,s=g${String(i)},h=${"x".repeat(90)} f=1 1000`);
    const before = engine.ledger();
    for (let i = 0; i < 1000; i++) feedLines(engine, 1000, `m,s=never,h=${"x".repeat(90)} f=1 1000`);
    const after = engine.ledger();
    expect({ ...after.rules[0], keys: after.keys }).toEqual({ ...before.rules[0], keys: before.keys });
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("memory: too little even for the rules -> an error with its cure, and everything given back, every time", () => {
    for (let i = 0; i < 1000; i++) expect(() => openEngine(SUM, { memoryBytesMax: 0 })).toThrow(/raise --memory-max/);
  });
});

describe("lines", () => {
  const invalid = (actions: readonly EngineAction[]): string[] =>
    actions.flatMap((action) => (action.kind === "invalid" ? [`${action.reason} ${String(action.line)}:${String(action.column)}`] : []));
  const good = "m,s=a f=1 1700000001000000000\n";

  test.each([1, 7, 65_536, 1 << 22])("lines: errors among good lines, in chunks of %d -> line, column in bytes, and the lines after them", (size) => {
    const engine = openEngine(SUM, { startMs: Number.NEGATIVE_INFINITY });
    const text = Buffer.from(`${good}# comment\n\nm,s=é f=x\n${good}${good}m f="two\nlines" 1700000001000000000\nm,s=a f=1 17z\n${good}`);
    const actions: EngineAction[] = [];
    for (let at = 0; at < text.length; at += size) actions.push(...engine.feed(0, text.subarray(at, at + size), at + size >= text.length));
    expect(invalid(actions)).toEqual(["syntax 4:10", "syntax 9:13"]);
    expect(engine.ledger()).toMatchObject({ linesRead: 7, linesInvalid: { syntax: 2 }, samplesReceived: 5 });
  });

  test.each([32_768, 65_537, 1 << 21])(
    "lines: one byte over 1 MiB in chunks of %d -> given up, the next line counts; at 1 MiB it is read",
    (size) => {
      const fill = (bytes: number): string => `m,s=a f=1,t="${"x".repeat(bytes - 34)}" 1700000001000000000`;
      for (const [bytes, end, errors] of [
        [MIB, "\n", []],
        [MIB, "\r\n", []],
        [MIB + 1, "\n", ["too_long 2:1"]],
        [MIB + 1, "\r\n", ["too_long 2:1"]],
      ] as const) {
        expect(fill(bytes)).toHaveLength(bytes);
        const engine = openEngine(SUM, { startMs: Number.NEGATIVE_INFINITY });
        const text = Buffer.from(`${good.replace("f=1", 'f=1,t=""')}${fill(bytes)}${end}${good}`);
        const actions: EngineAction[] = [];
        for (let at = 0; at < text.length; at += size) actions.push(...engine.feed(0, text.subarray(at, at + size)));
        expect([bytes, end, invalid(actions)]).toEqual([bytes, end, errors]);
        expect(engine.ledger().samplesMatched).toBe(errors.length === 0 ? 3 : 2);
        disposeEngines();
      }
    },
  );

  test("lines: an open quote and 2 MiB of good lines behind it, in one chunk -> one line given up, all others read at once", () => {
    const engine = openEngine(SUM, { startMs: Number.NEGATIVE_INFINITY });
    const count = Math.floor((2 * MIB) / good.length);
    const actions = engine.feed(0, Buffer.from(`m,s=a t="\n${good.repeat(count)}`));
    expect(invalid(actions)).toEqual(["too_long 1:1"]);
    expect(engine.ledger().samplesMatched).toBe(count);
  });

  test("lines: 600 kB of nothing but errors -> each is told", () => {
    const engine = openEngine(SUM, { startMs: Number.NEGATIVE_INFINITY });
    expect(engine.feed(0, Buffer.from("x\n".repeat(300_000)))).toHaveLength(300_000);
  });

  test("lines: one of 20 000 fields -> each counted, in time that grows with their number, not its square", () => {
    const engine = openEngine(SUM, { startMs: Number.NEGATIVE_INFINITY });
    const fields = Array.from({ length: 20_000 }, (_, i) => `f${String(i)}=1`).join(",");
    engine.feed(0, Buffer.from(`m,s=a ${fields} 1700000001000000000\n`));
    expect(engine.ledger().samplesMatched).toBe(20_000);
    expect(rowTexts(engine.step(0, { kind: "finish" }))).toHaveLength(20_000);
  });
});

describe("engine: a key without an end", () => {
  test("engine: a series key of 2 MB that comes in one read -> given up at once, what follows counts", () => {
    const engine = openEngine("- { match: m, interval: 10s, outputs: [count_samples] }", { startMs: 0 });
    const text = Buffer.from(`${"y".repeat(2_000_000)} a=1 1000000000\nm value=1 1000000000\n`);
    const started = performance.now();
    const actions = engine.feed(1000, text);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(actions.map(({ kind }) => kind)).toEqual(["invalid"]);
    const { linesRead, linesInvalid, rules } = engine.ledger();
    expect([linesRead, linesInvalid, rules[0]?.pairsApplied]).toEqual([2, { too_long: 1 }, 1]);
  });
});
