import { expect, test } from "@jest/globals";
import { type NamingRule, outputNameOf, sliceStemOf, stemOf } from "#limpet/aggregate/outputName.js";

const plain: NamingRule = { interval: "10s", by: undefined, without: undefined, keepMetricNames: false, outputName: undefined };

// vmagent's names, as measured (DIALECT, corner cases).
test.each([
  ["per series", plain, "m:10s", "m:10s_total"],
  ["by", { ...plain, by: ["host", "region"] }, "m:10s_by_host_region", "m:10s_by_host_region_total"],
  ["by [__name__]", { ...plain, interval: "2s", by: [] }, "m:2s", "m:2s_total"],
  ["without", { ...plain, without: ["a", "b"] }, "m:10s_without_a_b", "m:10s_without_a_b_total"],
  ["literal interval", { ...plain, interval: "2000ms" }, "m:2000ms", "m:2000ms_total"],
  ["keep_metric_names", { ...plain, keepMetricNames: true }, "m", "m"],
  ["template", { ...plain, by: ["a", "b"], outputName: "{metric}_{by}{without}:{interval}_{output}" }, "m_a_b:10s_", "m_a_b:10s_total"],
  ["constant template", { ...plain, without: ["__name__"], outputName: "fleet" }, "fleet", "fleet"],
])("output name: %s -> stem and name", (_what, rule, stem, name) => {
  expect(stemOf(rule, "m")).toBe(stem);
  expect(outputNameOf(rule, "m", "total")).toBe(name);
});

test("output name: metric names with $ and braces -> taken as they are", () => {
  expect(outputNameOf({ ...plain, outputName: "{metric}_{output}" }, "a$&{output}", "min")).toBe("a$&{output}_min");
});

test("slice stem: keep_metric_names -> the series of one histogram stay together", () => {
  const keep = { ...plain, keepMetricNames: true };
  expect(["h_bucket", "h_sum", "h_count", "h"].map((name) => sliceStemOf(keep, name))).toEqual(["h", "h", "h", "h"]);
  expect(sliceStemOf(plain, "h_bucket")).toBe("h_bucket:10s");
});
