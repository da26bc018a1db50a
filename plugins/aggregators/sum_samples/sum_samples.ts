// Sum of all samples in the window, correctly rounded. An idle window of a living group yields 0. Source: vmagent `sum_samples`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "sum_samples",
  kinds: ["basic"],
  idle: "zero",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "sum_samples takes no arguments"),
  rows: () => [{ labels: [], read: (view) => view.sum }],
};
