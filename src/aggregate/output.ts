// The interface an output plugin (plugins/aggregators/<output>/<output>.ts) implements, and all it may see.
// An output is plain arithmetic over a WindowView; windows, locks, clocks and names belong to the engine.

/** Flat-memory states the kernel keeps per Group and Window (or per Group, for counters). */
export type StateKind = "basic" | "moments" | "samples" | "counter" | "rate" | "sketch" | "series" | "values" | "histogram";

/**
 * One Group in one closed Window, as the flush shows it. A flyweight: valid during the call only, never kept.
 * A number belongs to the kind named beside it and is meaningful only when the output asked for that kind.
 */
export interface WindowView {
  /** basic: samples in the window. 0 in an idle window. */
  readonly count: number;
  /** basic: correctly rounded sum of the samples. */
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** basic: value with the greatest time; at equal times the larger value. */
  readonly last: number;
  /** basic: sum / count, rounded once. */
  readonly mean: number;
  /** moments: population variance (divisor n), from exact sums of x and x². */
  readonly variance: number;
  /** moments: square root of the exact variance, rounded once. */
  readonly deviation: number;
  /** counter: reset-aware increase within the window. */
  readonly increase: number;
  /** counter: as increase, but a first sample never counts, not even from zero. */
  readonly increaseKnown: number;
  /** counter: running sum of increases since the Group's start. */
  readonly total: number;
  /** counter: running sum of increaseKnown. */
  readonly totalKnown: number;
  /** samples: running sum of the samples since the Group's start. */
  readonly samplesTotal: number;
  /** rate: sum over series of increase / (last time - last time of that series' previous window), per second. NaN: no series qualifies. */
  readonly rateSum: number;
  /** rate: series that contributed to rateSum. */
  readonly rateSeries: number;
  /** series: distinct series in the window. */
  readonly seriesCount: number;
  /** values: distinct sample values in the window. */
  readonly valueCount: number;
  /** histogram: count of a vmrange bucket (index 0..487, kernel/histogram.ts) since the Group's start. */
  rangeCount(index: number): number;
  /** histogram: the first non-empty bucket at or after `from`, 488 when there is none. */
  nextRange(from: number): number;
  /** sketch: the value at rank phi (0..1), within 0.54 % of it; NaN without samples. */
  quantile(phi: number): number;
}

/** One output row of a Group: `read` gives its value, NaN means no row. `labels` are added (le, quantile). */
export interface OutputRow {
  readonly labels: readonly (readonly [name: string, value: string])[];
  read(view: WindowView): number;
}

export interface Output {
  /** As written in `outputs:` and as the output name's suffix. */
  readonly name: string;
  readonly kinds: readonly StateKind[];
  /** What a living Group without samples in the window yields. */
  readonly idle: "nothing" | "zero" | "repeat";
  /** `counter` outputs are cumulative and carry a start timestamp. */
  readonly type: "counter" | "gauge";
  /** Says what is wrong with the arguments of `name(args)`, or undefined when they are fine. */
  check(args: readonly number[]): string | undefined;
  /** The rows one Group yields. Called once per rule, never per flush. */
  rows(args: readonly number[]): readonly OutputRow[];
  /** For outputs with many rows that are mostly empty: the first row at or after `from` that may have a value. Default: `from`. */
  nextRow?(view: WindowView, from: number): number;
}
