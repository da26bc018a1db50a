import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Output, WindowView } from "#limpet/aggregate/output.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import type { Row } from "#limpet/metric/rowBlock.js";

const folder = new URL("../../../plugins/aggregators/", import.meta.url);
const outputs = await loadOutputs();

function output(name: string): Output {
  const found = outputs.get(name);
  if (found === undefined) throw new Error(`no output ${name}`);
  return found;
}

/** Every number is different, so that reading the wrong one shows. */
const busy: WindowView = {
  count: 4,
  sum: 24,
  min: 3,
  max: 9,
  last: 8,
  mean: 6,
  deviation: 2.5,
  variance: 6.25,
  increase: 11,
  increaseKnown: 10,
  total: 12,
  totalKnown: 7,
  samplesTotal: 31,
  rateSum: 13,
  rateSeries: 2,
  seriesCount: 5,
  valueCount: 14,
  rangeCount: (index) => 1000 + index,
  nextRange: (from) => from + 3,
  quantile: (phi) => 100 + phi,
};
/** A living group in a window without samples. */
const idle: WindowView = {
  ...busy,
  count: 0,
  sum: 0,
  min: Infinity,
  max: -Infinity,
  last: Number.NaN,
  mean: Number.NaN,
  variance: Number.NaN,
  deviation: Number.NaN,
  increase: 0,
  increaseKnown: 0,
  rateSum: Number.NaN,
  rateSeries: 0,
  seriesCount: 0,
  valueCount: 0,
  quantile: () => Number.NaN,
};

describe("outputs: what each reads", () => {
  test.each([
    ["sum_samples", 24, 0, ["basic"], "zero", "gauge"],
    ["count_samples", 4, Number.NaN, ["basic"], "nothing", "gauge"],
    ["min", 3, Number.NaN, ["basic"], "nothing", "gauge"],
    ["max", 9, Number.NaN, ["basic"], "nothing", "gauge"],
    ["avg", 6, Number.NaN, ["basic"], "nothing", "gauge"],
    ["last", 8, Number.NaN, ["basic"], "nothing", "gauge"],
    ["stddev", 2.5, Number.NaN, ["basic", "moments"], "nothing", "gauge"],
    ["stdvar", 6.25, Number.NaN, ["basic", "moments"], "nothing", "gauge"],
    ["total", 12, 12, ["counter"], "repeat", "counter"],
    ["increase", 11, 0, ["counter"], "zero", "gauge"],
    ["rate_sum", 13, Number.NaN, ["rate"], "nothing", "gauge"],
    ["rate_avg", 6.5, Number.NaN, ["rate"], "nothing", "gauge"],
    ["increase_prometheus", 10, 0, ["counter"], "zero", "gauge"],
    ["total_prometheus", 7, 7, ["counter"], "repeat", "counter"],
    ["sum_samples_total", 31, 31, ["samples"], "repeat", "counter"],
    ["count_series", 5, Number.NaN, ["series"], "nothing", "gauge"],
    ["unique_samples", 14, Number.NaN, ["values"], "nothing", "gauge"],
  ] as const)("output: %s -> %d, and %d in an idle window", (...row) => {
    const [name, value, idleValue, kinds, idleMode, type] = row;
    const plugin = output(name);
    const [only, ...more] = plugin.rows([]);
    expect(more).toEqual([]);
    expect(only?.labels).toEqual([]);
    expect([only?.read(busy), only?.read(idle)]).toEqual([value, idleValue]);
    expect({ kinds: plugin.kinds, idle: plugin.idle, type: plugin.type }).toEqual({ kinds, idle: idleMode, type });
    expect([plugin.check([]), plugin.check([1])]).toEqual([undefined, `${name} takes no arguments`]);
  });

  test("output: quantiles -> one labelled row per argument", () => {
    const plugin = output("quantiles");
    const rows = plugin.rows([0.5, 0.99, 1]);
    expect(rows.map((row) => [row.labels, row.read(busy)])).toEqual([
      [[["quantile", "0.5"]], 100.5],
      [[["quantile", "0.99"]], 100.99],
      [[["quantile", "1"]], 101],
    ]);
    expect(rows[0]?.read(idle)).toBeNaN();
    expect([plugin.kinds, plugin.idle, plugin.type]).toEqual([["sketch"], "nothing", "gauge"]);
  });

  test("output: histogram_bucket -> a row per non-empty bucket, ranges as VictoriaMetrics writes them", () => {
    const plugin = output("histogram_bucket");
    const rows = plugin.rows([]);
    const range = (index: number): string | undefined => rows[index]?.labels[0]?.[1];
    expect(rows.map((row) => row.labels[0]?.[0])).toEqual(Array.from({ length: 488 }, () => "vmrange"));
    expect([0, 1, 2, 18, 19, 162, 163, 164, 486, 487].map(range)).toEqual([
      "0...1.000e-09",
      "1.000e-09...1.136e-09",
      "1.136e-09...1.292e-09",
      "8.799e-09...1.000e-08",
      "1.000e-08...1.136e-08",
      "8.799e-01...1.000e+00",
      "1.000e+00...1.136e+00",
      "1.136e+00...1.292e+00",
      "8.799e+17...1.000e+18",
      "1.000e+18...+Inf",
    ]);
    expect([rows[7]?.read(busy), rows[7]?.read({ ...busy, rangeCount: () => 0 })]).toEqual([1007, Number.NaN]);
    expect(plugin.nextRow?.(busy, 5)).toBe(8);
    expect([plugin.kinds, plugin.idle, plugin.type]).toEqual([["histogram"], "repeat", "counter"]);
    expect([plugin.check([]), plugin.check([1])]).toEqual([undefined, "histogram_bucket takes no arguments"]);
  });

  test.each([
    [[0, 1], undefined],
    [[], "quantiles needs arguments from 0 to 1, e.g. quantiles(0.5, 0.99)"],
    [[-0.1], "the quantile -0.1 is not from 0 to 1"],
    [[99], "the quantile 99 is not from 0 to 1; use 0.99"],
    [[Number.NaN], "the quantile NaN is not from 0 to 1"],
    [[0.5, 0.5], "the quantile 0.5 stands twice"],
  ])("output: quantiles%j -> %s", (args, message) => {
    expect(output("quantiles").check(args)).toBe(message);
  });
});

describe("outputs: folders", () => {
  test("outputs: every folder -> an output of its name, README, testcases that fit their rules", () => {
    const names = readdirSync(folder).sort();
    expect([...outputs.keys()]).toEqual(names);
    for (const name of names) {
      expect(readFileSync(new URL(`${name}/README.md`, folder), "utf8")).toMatch(new RegExp(`^# ${name}\n`));
      const text = readFileSync(new URL(`${name}/testcases/rules.yaml`, folder), "utf8");
      const { rules, problems } = readRules([{ name, text }], { outputs, env: {}, naming: "telegraf" });
      expect(problems).toEqual([]);
      expect(rules.flatMap((rule) => rule.outputs.map((call) => call.name))).toEqual([name]);
      // The shape is CONTRACT's; a wrong one fails the expectations below.
      const cases = parse(readFileSync(new URL(`${name}/testcases/cases.yaml`, folder), "utf8")) as {
        rules: string;
        tests: { name: string; input: string; expect: Row[] }[];
      };
      expect(cases.rules).toBe("rules.yaml");
      for (const { input, expect: rows } of cases.tests) {
        expect(input.trim().split("\n").length).toBeGreaterThan(1);
        for (const row of rows) expect([row.name.endsWith(`_${name}`), row.timestamp % 10_000, typeof row.value]).toEqual([true, 0, "number"]);
      }
    }
  });
});
