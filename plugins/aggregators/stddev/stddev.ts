// Population standard deviation (divisor n) over samples. Source: vmagent `stddev`, from exact sums instead of Welford's.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "stddev",
  kinds: ["basic", "moments"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "stddev takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.count === 0 ? Number.NaN : view.deviation) }],
};
