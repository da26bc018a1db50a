// Values of each output for one group and closed window, from the window's samples themselves. An output yields no row
// when its list is empty; `idle` says what a living group yields in a window without samples.
import type { OutputCall } from "#limpet/aggregate/rule.js";
import type { CounterWindow, SeriesRate } from "./counters.js";
import { type Expected, estimated, exactly, rootOf, rounded, slackOf } from "./expectedRow.js";
import { divide, fromDouble, fromInteger, multiply, type Rational, subtract, sum, toDouble } from "./rational.js";
import { vmrangeOf } from "./vmrange.js";

export interface TimedValue {
  readonly timeMs: number;
  readonly value: number;
  readonly series: string;
}

/** What runs on in a group since it became active. */
export interface Running {
  readonly increments: Rational[];
  readonly known: Rational[];
  readonly values: number[];
}

/** Everything that happened to a group in a window, and what runs on, this window included. */
export interface ReferenceWindow extends CounterWindow {
  readonly values: readonly TimedValue[];
  readonly running: Running;
}

export interface OutputValue extends Expected {
  readonly labels: Readonly<Record<string, string>>;
}

export const COUNTER_OUTPUTS: readonly string[] = ["increase", "increase_prometheus", "total", "total_prometheus", "rate_sum", "rate_avg"];

function plain(expected: Expected): OutputValue[] {
  return [{ ...expected, labels: {} }];
}

export function sumOf(terms: readonly Rational[]): Expected {
  return rounded(sum(terms), slackOf(terms));
}

function exactValues(window: ReferenceWindow): Rational[] {
  return window.values.map(({ value }) => fromDouble(value));
}

/** Population variance: mean of squares less square of mean. */
function variance(values: readonly Rational[]): { exact: Rational; slack: Rational } {
  const n = fromInteger(values.length);
  const squares = values.map((value) => multiply(value, value));
  const mean = divide(sum(values), n);
  const exact = subtract(divide(sum(squares), n), multiply(mean, mean));
  return { exact, slack: slackOf(squares) };
}

function last(values: readonly TimedValue[]): number {
  const latest = Math.max(...values.map(({ timeMs }) => timeMs));
  return Math.max(...values.filter(({ timeMs }) => timeMs === latest).map(({ value }) => value));
}

function rateOf(rate: SeriesRate): Rational {
  return fromDouble(toDouble(rate.increase) / ((rate.lastMs - rate.previousMs) / 1000));
}

function ratesOf(window: ReferenceWindow): Rational[] {
  return [...window.rates.values()].filter((rate) => rate.lastMs > rate.previousMs).map(rateOf);
}

function rateSum(window: ReferenceWindow): OutputValue[] {
  const rates = ratesOf(window);
  return rates.length === 0 ? [] : plain(sumOf(rates));
}

/** The rounded sum divided by the count, rounded again: two roundings. */
function rateAvg(window: ReferenceWindow): OutputValue[] {
  const rates = ratesOf(window);
  if (rates.length === 0) return [];
  return plain({ value: toDouble(sum(rates)) / rates.length, tolerance: { kind: "value", ulps: 2, slack: slackOf(rates) } });
}

function histogram(values: readonly number[]): OutputValue[] {
  const counts = new Map<string, number>();
  for (const value of values) if (value >= 0) counts.set(vmrangeOf(value), (counts.get(vmrangeOf(value)) ?? 0) + 1);
  return [...counts].map(([vmrange, count]) => ({ ...exactly(count), labels: { vmrange } }));
}

function quantiles(window: ReferenceWindow, ranks: readonly number[]): OutputValue[] {
  const sorted = window.values.map(({ value }) => value).sort((a, b) => a - b);
  return ranks.flatMap((rank) => {
    const value = sorted[Math.floor(rank * (sorted.length - 1) + 0.5)];
    return value === undefined ? [] : [{ ...estimated(value), labels: { quantile: String(rank) } }];
  });
}

function fromSamples(output: OutputCall, window: ReferenceWindow): OutputValue[] {
  const values = exactValues(window);
  const plainValues = window.values.map(({ value }) => value);
  switch (output.name) {
    case "count_samples":
      return plain(exactly(values.length));
    case "count_series":
      return plain(exactly(new Set(window.values.map(({ series }) => series)).size));
    case "unique_samples":
      // A Set knows no -0.
      return plain(exactly(new Set(plainValues).size));
    case "min":
      return plain(exactly(Math.min(...plainValues)));
    case "max":
      return plain(exactly(Math.max(...plainValues)));
    case "last":
      return plain(exactly(last(window.values)));
    case "avg":
      return plain(rounded(divide(sum(values), fromInteger(values.length)), slackOf(values)));
    case "stdvar": {
      const { exact, slack } = variance(values);
      return plain(rounded(exact, slack));
    }
    case "stddev": {
      const { exact, slack } = variance(values);
      return plain(rootOf(exact, slack));
    }
    case "quantiles":
      return quantiles(window, output.args);
    default:
      throw new Error(`the reference knows no output ${output.name}`);
  }
}

/** Rows of an output for an active group. */
export function valuesOf(output: OutputCall, window: ReferenceWindow): OutputValue[] {
  switch (output.name) {
    case "increase":
      return plain(sumOf(window.increments));
    case "increase_prometheus":
      return plain(sumOf(window.known));
    case "total":
      return plain(sumOf(window.running.increments));
    case "total_prometheus":
      return plain(sumOf(window.running.known));
    case "sum_samples_total":
      return plain(sumOf(window.running.values.map(fromDouble)));
    case "histogram_bucket":
      return histogram(window.running.values);
    case "rate_sum":
      return rateSum(window);
    case "rate_avg":
      return rateAvg(window);
    case "sum_samples":
      return plain(sumOf(exactValues(window)));
    default:
      return window.values.length === 0 ? [] : fromSamples(output, window);
  }
}
