// Running sum of counter increases since the group began: cumulative, never dips when a series disappears. An idle window of a living group repeats it. Source: vmagent `total`, without its restart at 2^53.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "total",
  kinds: ["counter"],
  idle: "repeat",
  type: "counter",
  check: (args) => (args.length === 0 ? undefined : "total takes no arguments"),
  rows: () => [{ labels: [], read: (view) => view.total }],
};
