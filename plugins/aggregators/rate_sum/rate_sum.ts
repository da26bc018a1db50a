// Sum over series of increase per second; the divisor is the real time between samples, not the interval. Source: vmagent `rate_sum`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "rate_sum",
  kinds: ["rate"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "rate_sum takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.rateSeries === 0 ? Number.NaN : view.rateSum) }],
};
