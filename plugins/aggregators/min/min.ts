// Least sample in the window. Source: vmagent `min`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "min",
  kinds: ["basic"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "min takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.count === 0 ? Number.NaN : view.min) }],
};
