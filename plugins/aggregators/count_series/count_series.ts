// Number of distinct series with samples in the window; exact, but for 64-bit hash collisions. Source: vmagent `count_series`.
import type { Output } from "#limpet/aggregate/output.js";

export const output: Output = {
  name: "count_series",
  kinds: ["series"],
  idle: "nothing",
  type: "gauge",
  check: (args) => (args.length === 0 ? undefined : "count_series takes no arguments"),
  rows: () => [{ labels: [], read: (view) => (view.seriesCount === 0 ? Number.NaN : view.seriesCount) }],
};
