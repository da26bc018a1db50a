// Values of each output for one group and closed window, from the window's samples themselves. An output yields no row
// when its list is empty; `idle` says what a living group yields in a window without samples.
import type { OutputCall } from "#limpet/aggregate/rule.js";
import type { CounterWindow, SeriesRate } from "./counters.js";
import { type Expected, estimated, exactly, rootOf, rounded, slackOf } from "./expectedRow.js";
import { divide, fromDouble, fromInteger, multiply, type Rational, subtract, sum, toDouble } from "./rational.js";

export interface TimedValue {
  readonly timeMs: number;
  readonly value: number;
}

/** Everything that happened to a group in a window, and its running total. */
export interface ReferenceWindow extends CounterWindow {
  readonly values: readonly TimedValue[];
  /** Sum of the increments since the group became active, this window's included. */
  readonly total: Expected;
}

export interface OutputValue extends Expected {
  readonly labels: Readonly<Record<string, string>>;
}

export const COUNTER_OUTPUTS: readonly string[] = ["increase", "total", "rate_sum"];

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

function rateSum(window: ReferenceWindow): OutputValue[] {
  const rates = [...window.rates.values()].filter((rate) => rate.lastMs > rate.previousMs).map(rateOf);
  return rates.length === 0 ? [] : plain(sumOf(rates));
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
    case "total":
      return plain(window.total);
    case "rate_sum":
      return rateSum(window);
    case "sum_samples":
      return plain(sumOf(exactValues(window)));
    default:
      return window.values.length === 0 ? [] : fromSamples(output, window);
  }
}
