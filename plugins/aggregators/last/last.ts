// Sample with the greatest time in the window; at equal times the larger value, so that arrival order does not matter. Source: vmagent `last`, with the tie decided.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "last",
  kinds: ["basic"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "last takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.count === 0 ? Number.NaN : view.last) }],
};
