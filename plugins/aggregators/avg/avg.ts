// Mean over samples (not over series): sum / count, rounded once. Source: vmagent `avg`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "avg",
  kinds: ["basic"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "avg takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.count === 0 ? Number.NaN : view.mean) }],
};
