// The reference against hand-computed rows. Plan: naming and selectors, grouping and output names, each output, counters
// (order, resets, memory, first samples), rates, idle windows and staleness, and that differences are seen.
import { describe, expect, test } from "@jest/globals";
import { differences } from "./compareRows.js";
import { exactly, rounded } from "./expectedRow.js";
import { labelName, metricName, samplesOf, timeMsOf } from "./naming.js";
import type { FieldValue, Point } from "./point.js";
import { divide, fromInteger, ZERO } from "./rational.js";
import { referenceRows } from "./reference.js";
import { type LabelTest, matches, type ReferenceRule } from "./referenceRule.js";

const SECOND = 1_000_000_000;

function rule(changes: Partial<ReferenceRule> & { outputs: ReferenceRule["outputs"] }): ReferenceRule {
  return {
    match: [],
    interval: "10s",
    intervalMs: 10_000,
    dedupMs: 0,
    by: undefined,
    without: undefined,
    keepMetricNames: false,
    outputName: undefined,
    labels: [],
    firstSample: "baseline",
    seriesMemoryMs: 3_600_000,
    stalenessMs: 60_000,
    temporality: "cumulative",
    ...changes,
  };
}

function outputs(...names: string[]): ReferenceRule["outputs"] {
  return names.map((name) => ({ name, args: [] }));
}

const float = (value: number): FieldValue => ({ kind: "float", value });

/** A point of metric `m` at a time in seconds. */
function at(seconds: number, value: number | FieldValue, tags: Record<string, string> = {}): Point {
  return {
    measurement: "m",
    tags,
    fields: [["value", typeof value === "number" ? float(value) : value]],
    timeNs: BigInt(Math.round(seconds * SECOND)),
  };
}

/** Rows as `name{label="value"} value @seconds`, by time then text. */
function run(rules: ReferenceRule | readonly ReferenceRule[], points: readonly Point[]): string[] {
  return referenceRows([rules].flat(), points)
    .map(({ name, labels, value, timestamp }) => {
      const inner = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
      return { timestamp, text: `${name}${inner.length > 0 ? `{${inner.join(",")}}` : ""} ${value} @${timestamp / 1000}` };
    })
    .sort((a, b) => a.timestamp - b.timestamp || (a.text < b.text ? -1 : 1))
    .map(({ text }) => text);
}

describe("naming", () => {
  test.each([
    ["cpu", "usage", "cpu_usage"],
    ["prometheus", "http_requests", "http_requests"],
    ["prometheus_remote_write", "up", "up"],
    ["m", "value", "m"],
    ["m", "counter", "m"],
    ["m", "gauge", "m"],
    ["m_x", "f", "m_x_f"],
    ["m", "x_f", "m_x_f"],
    ["9bad.name", "f", "bad_name_f"],
    ["disk io", "a-b", "disk_io_a_b"],
    ["_ok_", "value", "_ok_"],
    ["_trim.", "value", "trim"],
    ["1", "value", undefined],
  ])("metric: %s field %s -> %s", (measurement, field, expected) => {
    expect(metricName(measurement, field)).toBe(expected);
  });

  test.each([
    ["a.b", "a_b"],
    ["a:b", "a_b"],
    ["9x", "x"],
    ["région", "r_gion"],
    ["--", undefined],
  ])("label: %s -> %s", (tag, expected) => {
    expect(labelName(tag)).toBe(expected);
  });

  test("labels: a-b and a.b collide -> the first in key order wins", () => {
    const [sample] = samplesOf(at(0, 1, { "a.b": "dot", "a-b": "dash" }));
    expect([...(sample?.labels ?? [])]).toEqual([["a_b", "dash"]]);
  });

  test("samples: bool, int, uint, string -> 1 or 0, nearest double, nearest double, none", () => {
    const fields: [string, FieldValue][] = [
      ["t", { kind: "bool", value: true }],
      ["i", { kind: "int", value: -(2n ** 53n) - 1n }],
      ["u", { kind: "uint", value: 2n ** 64n - 1n }],
      ["s", { kind: "string", value: "5" }],
    ];
    const samples = samplesOf({ measurement: "m", tags: {}, fields, timeNs: 0n });
    expect(samples.map(({ name, value }) => [name, value])).toEqual([
      ["m_t", 1],
      ["m_i", -(2 ** 53)],
      ["m_u", 2 ** 64],
    ]);
  });

  test("time: nanoseconds around whole milliseconds -> floor", () => {
    expect([1_999_999n, 2_000_000n, -1n].map(timeMsOf)).toEqual([1, 2, -1]);
  });
});

describe("selector", () => {
  const sample = samplesOf(at(0, 1, { host: "a1" }))[0];
  const cases: [LabelTest, boolean][] = [
    [{ label: "__name__", op: "=", value: "m" }, true],
    [{ label: "host", op: "=~", value: "a." }, true],
    [{ label: "host", op: "=~", value: "a" }, false],
    [{ label: "region", op: "=", value: "" }, true],
    [{ label: "region", op: "!=", value: "x" }, true],
    [{ label: "host", op: "!~", value: "a.|b" }, false],
  ];
  test.each(cases)("match: %j -> %p", (labelTest, expected) => {
    expect(sample !== undefined && matches(rule({ outputs: [], match: [[labelTest]] }), sample)).toBe(expected);
  });

  test("match: second alternative holds -> matches", () => {
    const match: LabelTest[][] = [[{ label: "host", op: "=", value: "b" }], [{ label: "host", op: "=", value: "a1" }]];
    expect(sample !== undefined && matches(rule({ outputs: [], match }), sample)).toBe(true);
  });
});

describe("groups", () => {
  const three = [at(1, 1, { host: "a", region: "eu" }), at(2, 2, { host: "b", region: "eu" }), at(3, 4, { host: "c" })];

  test("by: a label absent on a series -> group without it", () => {
    expect(run(rule({ outputs: outputs("sum_samples"), by: ["region"] }), three)).toEqual([
      "m:10s_by_region_sum_samples 4 @10",
      'm:10s_by_region_sum_samples{region="eu"} 3 @10',
    ]);
  });

  test("by: __name__ alone -> one group per name, no suffix", () => {
    expect(run(rule({ outputs: outputs("sum_samples"), by: ["__name__"] }), three)).toEqual(["m:10s_sum_samples 7 @10"]);
  });

  test("by: two labels in any order -> sorted in the name", () => {
    expect(run(rule({ outputs: outputs("max"), by: ["region", "host"] }), three.slice(0, 1))).toEqual([
      'm:10s_by_host_region_max{host="a",region="eu"} 1 @10',
    ]);
  });

  test("without: host -> the other labels stay", () => {
    expect(run(rule({ outputs: outputs("max"), without: ["host"] }), three)).toEqual([
      "m:10s_without_host_max 4 @10",
      'm:10s_without_host_max{region="eu"} 2 @10',
    ]);
  });

  test("neither, and by: [] -> per series", () => {
    for (const by of [undefined, []]) {
      expect(run(rule({ outputs: outputs("count_samples"), by }), three)).toHaveLength(3);
    }
  });

  test("keep_metric_names, labels -> the input's name, constants added", () => {
    const kept = rule({ outputs: outputs("max"), by: ["region"], keepMetricNames: true, labels: [["tier", "agg"]] });
    expect(run(kept, three.slice(2))).toEqual(['m{tier="agg"} 4 @10']);
  });

  test("output_name without {metric} -> metrics share a group", () => {
    const other = { ...at(4, 8), measurement: "n" };
    const named = rule({ outputs: outputs("sum_samples"), by: ["region"], outputName: "all:{interval}:{by}:{output}" });
    expect(run(named, [at(3, 4), other])).toEqual(["all:10s:region:sum_samples 12 @10"]);
  });

  test("one series under two spellings -> one group, both samples", () => {
    const fields: Point["fields"] = [["f", float(1)]];
    const one: Point = { measurement: "m_x", tags: {}, fields, timeNs: 0n };
    const two: Point = { measurement: "m", tags: {}, fields: [["x_f", float(2)]], timeNs: 0n };
    expect(run(rule({ outputs: outputs("sum_samples") }), [one, two])).toEqual(["m_x_f:10s_sum_samples 3 @10"]);
  });

  test("two rules on one sample -> rows of both", () => {
    const rules = [rule({ outputs: outputs("max") }), rule({ outputs: outputs("max"), interval: "1s", intervalMs: 1000 })];
    expect(run(rules, [at(1, 3)])).toEqual(["m:1s_max 3 @2", "m:10s_max 3 @10"]);
  });
});

describe("values", () => {
  const basic = outputs("avg", "count_samples", "last", "max", "min", "stddev", "stdvar", "sum_samples");

  test("basic and moments: 2 4 4 4 5 5 7 9 -> the textbook numbers", () => {
    const points = [2, 4, 4, 4, 5, 5, 7, 9].map((value, i) => at(i, value));
    expect(run(rule({ outputs: basic }), points)).toEqual([
      "m:10s_avg 5 @10",
      "m:10s_count_samples 8 @10",
      "m:10s_last 9 @10",
      "m:10s_max 9 @10",
      "m:10s_min 2 @10",
      "m:10s_stddev 2 @10",
      "m:10s_stdvar 4 @10",
      "m:10s_sum_samples 40 @10",
    ]);
  });

  test("sum_samples: cancellation -> exact", () => {
    const points = [1e16, 1, -1e16].map((value) => at(1, value));
    expect(run(rule({ outputs: outputs("sum_samples") }), points)).toEqual(["m:10s_sum_samples 1 @10"]);
  });

  test("last: equal times -> the larger value; arrival order is no matter", () => {
    const points = [at(5, 7), at(9, 2), at(9, 3), at(9, 1)];
    expect(run(rule({ outputs: outputs("last") }), points)).toEqual(["m:10s_last 3 @10"]);
  });

  test("windows: samples at the edges -> start inclusive, end exclusive", () => {
    expect(run(rule({ outputs: outputs("count_samples") }), [at(10, 1), at(9.9999, 1), at(20, 1)])).toEqual([
      "m:10s_count_samples 1 @10",
      "m:10s_count_samples 1 @20",
      "m:10s_count_samples 1 @30",
    ]);
  });

  test("quantiles: nearest rank floor(phi (n - 1) + 0.5) -> values of the samples", () => {
    const points = [5, 1, 4, 2].map((value) => at(1, value));
    const quantiles = [{ name: "quantiles", args: [0, 0.5, 0.9, 1] }];
    expect(run(rule({ outputs: quantiles }), points)).toEqual([
      'm:10s_quantiles{quantile="0"} 1 @10',
      'm:10s_quantiles{quantile="0.5"} 4 @10',
      'm:10s_quantiles{quantile="0.9"} 5 @10',
      'm:10s_quantiles{quantile="1"} 5 @10',
    ]);
  });
});

describe("counters", () => {
  const increase = outputs("increase");
  const increases = (changes: Partial<ReferenceRule>, points: readonly Point[]): string[] =>
    run(rule({ outputs: increase, ...changes }), points).map((row) => row.split(" ").slice(1).join(" "));

  test("increase: 5 8 9 in one window -> 4, the first is the baseline", () => {
    expect(increases({}, [at(1, 5), at(2, 8), at(3, 9)])).toEqual(["4 @10"]);
  });

  test("increase: across an edge -> belongs to the later sample's window; a lone baseline gives 0", () => {
    expect(increases({}, [at(1, 5), at(11, 8)])).toEqual(["0 @10", "3 @20"]);
  });

  test("increase: reset -> the new value counts", () => {
    expect(increases({}, [at(1, 5), at(2, 8), at(3, 2)])).toEqual(["5 @10"]);
  });

  test("increase: older than the last -> superseded; equal time -> counted", () => {
    expect(increases({}, [at(1, 5), at(3, 9), at(2, 100), at(3, 10)])).toEqual(["5 @10"]);
  });

  test("increase: only a superseded sample in an earlier window -> no window there", () => {
    expect(increases({}, [at(11, 5), at(1, 3)])).toEqual(["0 @20"]);
  });

  test("first_sample zero: first value -> counted, also negative", () => {
    expect(increases({ firstSample: "zero" }, [at(1, 5)])).toEqual(["5 @10"]);
    expect(increases({ firstSample: "zero" }, [at(1, -5)])).toEqual(["-5 @10"]);
  });

  test("first_sample auto: new series before and after series_memory of completeness -> baseline, counted", () => {
    const points = [at(1, 5, { host: "a" }), at(20.999, 7, { host: "b" }), at(21, 8, { host: "c" })];
    const auto = { firstSample: "auto", seriesMemoryMs: 20_000, by: ["__name__"] } as const;
    expect(increases(auto, points)).toEqual(["0 @10", "0 @20", "8 @30"]);
  });

  test("series_memory: gap of exactly memory, then more, then over twice -> delta, baseline, as new", () => {
    const memory = { seriesMemoryMs: 10_000, firstSample: "auto" } as const;
    expect(increases(memory, [at(0, 5), at(10, 8)])).toEqual(["0 @10", "3 @20"]);
    expect(increases(memory, [at(0, 5), at(10.001, 8)])).toEqual(["0 @10", "0 @20"]);
    expect(increases(memory, [at(0, 5), at(20, 8)])).toEqual(["0 @10", "0 @20", "0 @30"]);
    expect(increases(memory, [at(0, 5), at(20.001, 8)])).toEqual(["0 @10", "0 @20", "8 @30"]);
  });

  test("series_memory: a remembered series returns under zero -> counted from zero", () => {
    expect(increases({ seriesMemoryMs: 10_000, firstSample: "zero" }, [at(0, 5), at(15, 8)])).toEqual(["5 @10", "8 @20"]);
  });

  test("temporality delta: values -> summed, any order", () => {
    expect(increases({ temporality: "delta" }, [at(3, 5), at(1, 2), at(11, 4)])).toEqual(["7 @10", "4 @20"]);
  });

  test("increase: series of one group -> each its own, summed exactly", () => {
    const points = [at(1, 0.1, { host: "a" }), at(1, 10, { host: "b" }), at(2, 0.3, { host: "a" }), at(2, 12, { host: "b" })];
    expect(increases({ by: ["__name__"] }, points)).toEqual(["2.2 @10"]);
  });

  test("total: runs on over idle windows while the group lives", () => {
    expect(run(rule({ outputs: outputs("total") }), [at(1, 5), at(2, 8), at(31, 9)])).toEqual([
      "m:10s_total 3 @10",
      "m:10s_total 3 @20",
      "m:10s_total 3 @30",
      "m:10s_total 4 @40",
    ]);
  });

  test("total: retired and back within series_memory -> starts from 0, the last value stays", () => {
    const points = [at(1, 5), at(2, 8), at(41, 12)];
    expect(run(rule({ outputs: outputs("total"), stalenessMs: 10_000 }), points)).toEqual(["m:10s_total 3 @10", "m:10s_total 4 @50"]);
  });

  test("rate_sum: increments over time since the previous window's last sample -> per second, summed", () => {
    const points = [at(1, 0, { host: "a" }), at(5, 8, { host: "a" }), at(13, 24, { host: "a" }), at(12, 7, { host: "b" })];
    expect(run(rule({ outputs: outputs("rate_sum"), by: ["__name__"] }), points)).toEqual(["m:10s_rate_sum 2 @10", "m:10s_rate_sum 2 @20"]);
  });

  test("rate_sum: first sample counted by zero -> contributes nothing to the rate", () => {
    expect(run(rule({ outputs: outputs("rate_sum"), firstSample: "zero" }), [at(1, 100), at(3, 104)])).toEqual(["m:10s_rate_sum 2 @10"]);
  });

  test("rate_sum: no time between samples -> no row", () => {
    expect(run(rule({ outputs: outputs("rate_sum") }), [at(1, 1), at(1, 5)])).toEqual([]);
  });

  test("rate_sum: expired series returns -> starts anew", () => {
    const points = [at(1, 1), at(22, 50), at(24, 54)];
    expect(run(rule({ outputs: outputs("rate_sum"), seriesMemoryMs: 20_000 }), points)).toEqual(["m:10s_rate_sum 2 @30"]);
  });
});

describe("idle", () => {
  const other = at(41, 1, { host: "z" });

  test("idle windows: sum 0, increase 0, total repeats, others nothing, until staleness", () => {
    const all = rule({ outputs: outputs("sum_samples", "increase", "total", "max", "rate_sum"), stalenessMs: 20_000 });
    expect(run(all, [at(8, 5, { host: "a" }), other]).filter((row) => row.includes('host="a"'))).toEqual([
      'm:10s_increase{host="a"} 0 @10',
      'm:10s_max{host="a"} 5 @10',
      'm:10s_sum_samples{host="a"} 5 @10',
      'm:10s_total{host="a"} 0 @10',
      'm:10s_increase{host="a"} 0 @20',
      'm:10s_sum_samples{host="a"} 0 @20',
      'm:10s_total{host="a"} 0 @20',
    ]);
  });

  test("staleness: window end exactly that far from the last sample -> still active", () => {
    const exact = rule({ outputs: outputs("sum_samples"), stalenessMs: 20_000 });
    expect(run(exact, [at(10, 5, { host: "a" }), other]).filter((row) => row.includes('host="a"'))).toEqual([
      'm:10s_sum_samples{host="a"} 5 @20',
      'm:10s_sum_samples{host="a"} 0 @30',
    ]);
  });

  test("superseded sample: counter-only rule -> no activity; with sum_samples -> activity", () => {
    const points = [at(31, 5), at(9, 3)];
    expect(run(rule({ outputs: outputs("increase") }), points)).toEqual(["m:10s_increase 0 @40"]);
    expect(run(rule({ outputs: outputs("sum_samples") }), points)).toHaveLength(4);
  });

  test("end of input: rule's last window -> no idle rows after it", () => {
    expect(run(rule({ outputs: outputs("sum_samples") }), [at(1, 1)])).toEqual(["m:10s_sum_samples 1 @10"]);
  });

  test("all retired: after the last window -> idle rows until staleness", () => {
    const rows = referenceRows([rule({ outputs: outputs("sum_samples"), stalenessMs: 30_000 })], [at(1, 1)], "all retired");
    expect(rows.map(({ timestamp, value }) => [timestamp, value])).toEqual([
      [10_000, 1],
      [20_000, 0],
      [30_000, 0],
    ]);
  });
});

describe("differences", () => {
  const third = divide(fromInteger(1), fromInteger(3));
  const row = { name: "m", labels: { a: "1" }, timestamp: 10 };

  test("equal rows in another order -> none", () => {
    const expected = [
      { ...row, ...exactly(1) },
      { ...row, timestamp: 20, ...exactly(2) },
    ];
    const actual = [
      { ...row, timestamp: 20, value: 2 },
      { ...row, value: 1 },
    ];
    expect(differences(expected, actual)).toEqual([]);
  });

  test("missing, doubled, unasked-for and different rows -> each named", () => {
    const found = differences(
      [
        { ...row, ...exactly(1) },
        { ...row, timestamp: 20, ...exactly(2) },
      ],
      [
        { ...row, value: 3 },
        { ...row, value: 3 },
        { ...row, labels: {}, value: 1 },
      ],
    );
    expect(found.map((line) => line.split(":")[0])).toEqual(["twice", "differs", "missing", "nobody asked for"]);
  });

  test("one ulp off -> refused where the exact result is a double, accepted where it is not", () => {
    const off = (value: number): number => value * (1 + Number.EPSILON);
    const dyadic = { ...row, ...rounded(fromInteger(1), ZERO) };
    const periodic = { ...row, ...rounded(third, ZERO) };
    expect(differences([dyadic], [{ ...row, value: off(1) }])).toHaveLength(1);
    expect(differences([periodic], [{ ...row, value: off(1 / 3) }])).toEqual([]);
    expect(differences([periodic], [{ ...row, value: off(off(off(1 / 3))) }])).toHaveLength(1);
  });
});
