// As `total`, but a first sample is always only a baseline, as in PromQL. An idle window of a living group repeats it. Source: vmagent `total_prometheus`, without its restart at 2^53.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "total_prometheus",
  kinds: ["counter"],
  idle: "repeat",
  type: "counter",
  check: (args) => (args.length === 0 ? undefined : "total_prometheus takes no arguments"),
  rows: () => [{ labels: [], read: (view) => view.totalKnown }],
};
