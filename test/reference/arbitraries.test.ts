// What random scenarios are worth: that they reach the cases they exist for. Seeds are fixed, so the counts are.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { anyOrder, counters, mixed, type Scenario, wovenTwice } from "./arbitraries.js";
import { differences } from "./compareRows.js";
import { samplesOf } from "./naming.js";
import { dyadicValue, generalValue } from "./pointArbitraries.js";
import { referenceRows } from "./reference.js";
import { matches } from "./referenceRule.js";
import { rulesYaml } from "./rulesYaml.js";

function sample(arbitrary: fc.Arbitrary<Scenario>): Scenario[] {
  return fc.sample(arbitrary, { numRuns: 100, seed: 1 });
}

function rowsOf(from: Scenario): ReturnType<typeof referenceRows> {
  return referenceRows(
    from.rules.map(({ rule }) => rule),
    from.points,
  );
}

const all = { "any order": anyOrder(dyadicValue), general: anyOrder(generalValue), counters: counters(0.125), mixed: mixed() };

describe("scenarios", () => {
  test.each(Object.entries(all))("%s: most of them -> have rows, none twice", (_name, arbitrary) => {
    const scenarios = sample(arbitrary);
    expect(scenarios.filter((one) => rowsOf(one).length > 0).length).toBeGreaterThan(60);
    for (const one of scenarios) {
      const rows = rowsOf(one);
      expect(differences(rows, rows)).toEqual([]);
    }
  });

  test.each(Object.entries(all))("%s: rules as YAML -> a list that says the same", (_name, arbitrary) => {
    for (const { rules } of sample(arbitrary).slice(0, 40)) {
      const read: unknown = parse(rulesYaml(rules));
      expect(read).toMatchObject(rules.map(({ rule }) => ({ interval: rule.interval, first_sample: rule.firstSample })));
    }
  });

  test("mixed: together -> every output, idle rows, groups of several series", () => {
    const rows = sample(mixed()).flatMap(rowsOf);
    const names = ["sum_samples", "count_samples", "min", "max", "avg", "last", "stddev", "stdvar", "increase", "total", "rate_sum", "quantiles"];
    for (const name of names) expect(rows.filter((row) => row.name.endsWith(name)).length).toBeGreaterThan(20);
    expect(rows.filter((row) => row.name.endsWith("count_samples") && row.value > 3).length).toBeGreaterThan(20);
  });

  test("counters: together -> increases, idle windows, retirements, fractions", () => {
    const scenarios = sample(counters(0.125));
    const rows = scenarios.flatMap(rowsOf);
    expect(rows.filter((row) => row.name.endsWith("increase") && row.value > 0).length).toBeGreaterThan(60);
    expect(rows.filter((row) => row.name.endsWith("rate_sum")).length).toBeGreaterThan(60);
    const falls = scenarios.filter((one) => {
      const totals = rowsOf(one).filter((row) => row.name.endsWith("total"));
      return totals.some((row, i) => {
        const before = totals[i - 1];
        const same = before?.name === row.name && JSON.stringify(before.labels) === JSON.stringify(row.labels);
        return before !== undefined && same && row.value < before.value;
      });
    });
    expect(falls.length).toBeGreaterThan(5);
  });

  test("counters: the first point -> matched by a rule", () => {
    for (const { rules, points } of sample(counters(0.125))) {
      const first = points[0];
      if (first === undefined) continue;
      expect(samplesOf(first).some((one) => rules.some(({ rule }) => matches(rule, one)))).toBe(true);
    }
  });

  test.each([
    ["any order", anyOrder(dyadicValue)],
    ["any order of general doubles", anyOrder(generalValue)],
    ["two weavings of counters", wovenTwice(0.1)],
  ])("%s: reordered -> the reference itself agrees", (_name, arbitrary) => {
    for (const { rules, points, reordered } of sample(arbitrary)) {
      const plain = rules.map(({ rule }) => rule);
      expect(differences(referenceRows(plain, points), referenceRows(plain, reordered))).toEqual([]);
    }
  });
});
