// The scenario itself, without servers: so well chosen that promql.test.ts compares for equality.
import { expect, test } from "@jest/globals";
import { referenceRows } from "../reference/reference.js";
import { points, rules } from "./promqlScenario.js";

const rows = referenceRows(
  rules.map(({ rule }) => rule),
  points(1_700_000_000_000),
  "all retired",
);

test("promql scenario: every exact result but quantiles -> a double", () => {
  for (const row of rows) {
    if (row.tolerance.kind === "value") expect([row.name, row.timestamp, row.tolerance.ulps]).toEqual([row.name, row.timestamp, 0]);
    if (row.tolerance.kind === "root") expect(row.value).toBe(2 ** Math.round(Math.log2(row.value)));
  }
});

test("promql scenario: all outputs, idle windows, a retired total -> in it", () => {
  const suffixes = ["sum_samples", "count_samples", "min", "max", "avg", "last", "stddev", "stdvar", "quantiles", "increase", "total", "rate_sum"];
  for (const suffix of suffixes) expect(rows.some((row) => row.name.endsWith(`_${suffix}`))).toBe(true);
  expect(rows.some((row) => row.name.endsWith("sum_samples") && row.value === 0)).toBe(true);
  const totals = rows.filter((row) => row.name === "http_requests:1s_by_region_total" && row.labels["region"] === "us");
  expect(totals.map((row) => row.value)).toEqual([1236, 1236, 360, 360]);
});
