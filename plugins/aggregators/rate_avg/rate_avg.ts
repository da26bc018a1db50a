// rate_sum divided by the number of series that contributed to it. Source: vmagent `rate_avg`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "rate_avg",
  kinds: ["rate"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "rate_avg takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.rateSeries === 0 ? Number.NaN : view.rateSum / view.rateSeries) }],
};
