// Quantiles of the samples in the window, one row per argument, labelled quantile="0.5" as a Prometheus summary.
// From the exponential sketch (64 buckets per octave): within 0.54 % of the exact value at that rank, at any number of
// samples; vmagent's `quantiles` samples at most 1000 values instead. Source: DESIGN "Sketch"; rank as vmagent.
import type { Output } from "#limpet/aggregate/output.js";

function check(args: readonly number[]): string | undefined {
  if (args.length === 0) return "quantiles needs arguments from 0 to 1, e.g. quantiles(0.5, 0.99)";
  for (const [i, phi] of args.entries()) {
    if (!(phi >= 0 && phi <= 1)) return `the quantile ${String(phi)} is not from 0 to 1${phi > 1 && phi <= 100 ? `; use ${String(phi / 100)}` : ""}`;
    if (args.indexOf(phi) !== i) return `the quantile ${String(phi)} stands twice`;
  }
  return undefined;
}

export const output: Output = {
  name: "quantiles",
  kinds: ["sketch"],
  idle: "nothing",
  type: "gauge",
  check,
  rows: (args) => args.map((phi) => ({ labels: [["quantile", String(phi)]], read: (view) => view.quantile(phi) })),
};
