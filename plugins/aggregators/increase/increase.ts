// Increase of the counters within the window; a reset counts from 0. An idle window of a living group yields 0. Source: vmagent `increase`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "increase",
  kinds: ["counter"],
  idle: "zero",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "increase takes no arguments"),
  rows: () => [{ labels: [], read: (view) => view.increase }],
};
