// Number of samples in the window. Source: vmagent `count_samples`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "count_samples",
  kinds: ["basic"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "count_samples takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.count === 0 ? Number.NaN : view.count) }],
};
