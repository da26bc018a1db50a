// Running sum of the samples since the group began: turns deltas into a counter. An idle window of a living group repeats it. Source: vmagent `sum_samples_total`, without its restart at 2^53.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "sum_samples_total",
  kinds: ["samples"],
  idle: "repeat",
  type: "counter",
  check: (args) => (args.length === 0 ? undefined : "sum_samples_total takes no arguments"),
  rows: () => [{ labels: [], read: (view) => view.samplesTotal }],
};
