// Expected rows and how near an actual value must come to them.
//
// An exact result that is a double must be met exactly, any other within one ulp of its rounding. `slack` is what
// double-double arithmetic may lose when terms cancel; it is 0 where all terms are small dyadic numbers, whose sums
// double-double holds exactly. Quantiles are estimates of the exact rank's value with a relative error.
import type { Row } from "#limpet/metric/rowBlock.js";
import {
  absolute,
  add,
  compare,
  fromDouble,
  isDouble,
  multiply,
  type Rational,
  sqrtToDouble,
  subtract,
  toDouble,
  ulpsBetween,
  ZERO,
} from "./rational.js";

export type Tolerance =
  | { readonly kind: "value"; readonly ulps: number; readonly slack: Rational }
  /** The square of a standard deviation may be off by `slack`, or the value by `ulps`. */
  | { readonly kind: "root"; readonly ulps: number; readonly slack: Rational; readonly square: Rational }
  | { readonly kind: "relative"; readonly error: number };

export interface ExpectedRow extends Row {
  readonly tolerance: Tolerance;
}

export interface Expected {
  readonly value: number;
  readonly tolerance: Tolerance;
}

/** Schema 6 of Prometheus' native histograms: buckets grow by 2^(1/64); half a bucket is 0.5415 %. */
export const QUANTILE_ERROR = (2 ** (1 / 64) - 1) / (2 ** (1 / 64) + 1) + 1e-9;

const LOSS: Rational = { numerator: 1n, denominator: 1n << 94n };
const DYADIC_UNIT = 1024n;
const DYADIC_UNITS_MAX = 2n ** 50n;

/** k/1024 with |k| <= 2^50. */
function isSmallDyadic(term: Rational): boolean {
  const scaled = absolute(term).numerator * DYADIC_UNIT;
  return scaled % term.denominator === 0n && scaled / term.denominator <= DYADIC_UNITS_MAX;
}

/** What cancellation among these terms may cost: nothing when they are small dyadic numbers. */
export function slackOf(terms: readonly Rational[]): Rational {
  if (terms.every(isSmallDyadic)) return ZERO;
  return multiply(LOSS, terms.map(absolute).reduce(add, ZERO));
}

export function exactly(value: number): Expected {
  return { value, tolerance: { kind: "value", ulps: 0, slack: ZERO } };
}

/** `exact`, rounded once; `terms` are what it was summed from. */
export function rounded(exact: Rational, slack: Rational): Expected {
  return { value: toDouble(exact), tolerance: { kind: "value", ulps: isDouble(exact) ? 0 : 1, slack } };
}

export function rootOf(square: Rational, slack: Rational): Expected {
  return { value: sqrtToDouble(square), tolerance: { kind: "root", ulps: 1, slack, square } };
}

export function estimated(value: number): Expected {
  return { value, tolerance: { kind: "relative", error: QUANTILE_ERROR } };
}

function within(a: Rational, b: Rational, slack: Rational): boolean {
  return compare(absolute(subtract(a, b)), slack) <= 0;
}

export function accepts(row: Expected, actual: number): boolean {
  const { tolerance, value } = row;
  if (actual === value) return true;
  if (!Number.isFinite(actual) || !Number.isFinite(value)) return false;
  switch (tolerance.kind) {
    case "relative":
      return Math.abs(actual - value) <= tolerance.error * Math.abs(value);
    case "value":
      return ulpsBetween(actual, value) <= tolerance.ulps || within(fromDouble(actual), fromDouble(value), tolerance.slack);
    case "root": {
      const square = multiply(fromDouble(actual), fromDouble(actual));
      return ulpsBetween(actual, value) <= tolerance.ulps || (actual >= 0 && within(square, tolerance.square, tolerance.slack));
    }
  }
}
