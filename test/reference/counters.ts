// Counter semantics of one group (DESIGN 4, PROTOCOL "Time and lateness"), sample by sample in arrival order:
//
//   time since the series' last sample   cumulative input
//   never seen, or over 2 x memory       zero: v   baseline: nothing   auto: v when unseen is evidence, else nothing
//   memory .. 2 x memory                 a remembered series returns: zero: v   else nothing
//   0 .. memory                          v - last, after a reset (v < last) v
//   negative                             superseded: already contained, ignored
//
// Unseen is evidence when everything has been seen for `series_memory`. Delta input: every value is its own increment.
// Increments belong to the window of their sample. Nothing here forgets: age is computed from the two times.
import type { Sample } from "./point.js";
import { add, fromDouble, type Rational, subtract, ZERO } from "./rational.js";
import type { ReferenceRule } from "./referenceRule.js";

/** What rate_sum needs of one series in one window. */
export interface SeriesRate {
  /** Increments after `previousMs`. */
  increase: Rational;
  /** Last sample of the series' previous window, or its first one when it starts in this window. */
  readonly previousMs: number;
  lastMs: number;
}

export interface CounterWindow {
  readonly increments: Rational[];
  /** Those of them that have a sample before them: all but counted first samples. */
  readonly known: Rational[];
  readonly rates: Map<string, SeriesRate>;
}

interface Last {
  readonly timeMs: number;
  readonly value: number;
}

export type LastValues = Map<string, Last>;

/** First samples at least this long after the process' first one are known to start from nothing. */
export interface Completeness {
  readonly sinceMs: number;
}

type Step = { readonly kind: "superseded" } | { readonly kind: "starts" | "continues"; readonly increment: Rational };

function step(rule: ReferenceRule, last: Last | undefined, sample: Sample, complete: Completeness): Step {
  const value = fromDouble(sample.value);
  if (rule.temporality === "delta") return { kind: "continues", increment: value };
  const age = last === undefined ? Number.POSITIVE_INFINITY : sample.timeMs - last.timeMs;
  if (age < 0) return { kind: "superseded" };
  if (last !== undefined && age <= rule.seriesMemoryMs) {
    const reset = sample.value < last.value;
    return { kind: "continues", increment: reset ? value : subtract(value, fromDouble(last.value)) };
  }
  const returns = age <= 2 * rule.seriesMemoryMs;
  const evident = !returns && sample.timeMs - complete.sinceMs >= rule.seriesMemoryMs;
  const counts = rule.firstSample === "zero" || (rule.firstSample === "auto" && evident);
  return { kind: "starts", increment: counts ? value : ZERO };
}

/** A sample before the windows of its rule: later ones are compared with the newest of these, of equal times the larger. */
export function learnCounter(rule: ReferenceRule, lasts: LastValues, { series, timeMs, value }: Sample): void {
  const last = lasts.get(series);
  const newer = last === undefined || timeMs > last.timeMs || (timeMs === last.timeMs && value > last.value);
  if (rule.temporality !== "delta" && newer) lasts.set(series, { timeMs, value });
}

/** Applies a sample to its window. False when it is superseded: then nothing happened. */
export function applyCounter(
  rule: ReferenceRule,
  lasts: LastValues,
  target: { readonly window: () => CounterWindow; readonly complete: Completeness },
  sample: Sample,
): boolean {
  const last = lasts.get(sample.series);
  const outcome = step(rule, last, sample, target.complete);
  if (outcome.kind === "superseded") return false;
  const window = target.window();
  window.increments.push(outcome.increment);
  if (outcome.kind === "continues") window.known.push(outcome.increment);
  if (rule.temporality === "delta") return true;
  const rate = window.rates.get(sample.series);
  if (outcome.kind === "starts" || last === undefined) {
    window.rates.set(sample.series, { increase: ZERO, previousMs: sample.timeMs, lastMs: sample.timeMs });
  } else if (rate === undefined) {
    window.rates.set(sample.series, {
      increase: outcome.increment,
      previousMs: last.timeMs,
      lastMs: sample.timeMs,
    });
  } else {
    rate.increase = add(rate.increase, outcome.increment);
    rate.lastMs = sample.timeMs;
  }
  lasts.set(sample.series, { timeMs: sample.timeMs, value: sample.value });
  return true;
}
