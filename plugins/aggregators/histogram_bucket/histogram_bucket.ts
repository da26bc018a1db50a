// Running counts of VictoriaMetrics' histogram buckets, one row per non-empty bucket, labelled vmrange="1.000e+00...1.136e+00".
// prometheus_buckets() and histogram_quantile() of MetricsQL read them. Index and bounds: kernel/histogram.ts.
// Source: vmagent `histogram_bucket`; texts as VictoriaMetrics/metrics, histogram.go.
import type { Output, OutputRow } from "#limpet/aggregate/output.js";

const EXPONENT_MIN = -9;
const EXPONENT_MAX = 18;
const PER_DECADE = 18;

/** Go's %.3e: the exponent has at least two digits. */
function goText(value: number): string {
  return value.toExponential(3).replace(/e([+-])(\d)$/, "e$10$2");
}

/** The 488 ranges by index. Bounds are multiplied up, as there, so that their fourth digits agree. */
function ranges(): string[] {
  const factor = 10 ** (1 / PER_DECADE);
  let bound = Number(`1e${String(EXPONENT_MIN)}`);
  const texts = [`0...${goText(bound)}`];
  for (let i = 0; i < (EXPONENT_MAX - EXPONENT_MIN) * PER_DECADE; i++) {
    const lower = bound;
    bound *= factor;
    texts.push(`${goText(lower)}...${goText(bound)}`);
  }
  texts.push(`${goText(Number(`1e${String(EXPONENT_MAX)}`))}...+Inf`);
  return texts;
}

const rows: readonly OutputRow[] = ranges().map((range, index) => ({
  labels: [["vmrange", range]],
  read: (view) => {
    const count = view.rangeCount(index);
    return count === 0 ? Number.NaN : count;
  },
}));

export const output: Output = {
  name: "histogram_bucket",
  kinds: ["histogram"],
  idle: "repeat",
  type: "counter",
  check: (args) => (args.length === 0 ? undefined : "histogram_bucket takes no arguments"),
  rows: () => rows,
  nextRow: (view, from) => view.nextRange(from),
};
