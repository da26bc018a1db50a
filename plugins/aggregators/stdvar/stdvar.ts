// Population variance (divisor n) over samples. Source: vmagent `stdvar`, from exact sums instead of Welford's.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "stdvar",
  kinds: ["basic", "moments"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "stdvar takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.count === 0 ? Number.NaN : view.variance) }],
};
