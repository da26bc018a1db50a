// Number of distinct sample values in the window, exact; 0 and -0 are one value. Source: vmagent `unique_samples`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "unique_samples",
  kinds: ["values"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "unique_samples takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.valueCount === 0 ? Number.NaN : view.valueCount) }],
};
