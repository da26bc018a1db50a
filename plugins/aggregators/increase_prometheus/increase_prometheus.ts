// As `increase`, but a first sample is always only a baseline, as in PromQL. An idle window of a living group yields 0. Source: vmagent `increase_prometheus`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "increase_prometheus",
  kinds: ["counter"],
  idle: "zero",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "increase_prometheus takes no arguments"),
  rows: () => [{ labels: [], read: (view) => view.increaseKnown }],
};
