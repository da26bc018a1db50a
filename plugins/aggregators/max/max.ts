// Greatest sample in the window. Source: vmagent `max`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "max",
  kinds: ["basic"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "max takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.count === 0 ? Number.NaN : view.max) }],
};
