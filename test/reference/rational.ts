// Exact rationals over BigInt, and their correctly rounded doubles. The reference implementation computes every number
// here, so that an expected value is the mathematical one, rounded once, and never the product of floating point.
//
// A finite double is mantissa x 2^exponent, hence a rational; sums and products of rationals are rationals. Fractions are
// not reduced: denominators of doubles are powers of two, where `add` only needs the larger one. Speed is no aim.

export interface Rational {
  readonly numerator: bigint;
  /** Invariant: positive. */
  readonly denominator: bigint;
}

export const ZERO: Rational = { numerator: 0n, denominator: 1n };

const MANTISSA_BITS = 52n;
const SMALLEST_EXPONENT = -1074;
const view = new DataView(new ArrayBuffer(8));

export function fromInteger(value: bigint | number): Rational {
  return { numerator: BigInt(value), denominator: 1n };
}

/** The exact value of a finite double. Throws a RangeError on NaN and infinities. */
export function fromDouble(value: number): Rational {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is no rational`);
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> MANTISSA_BITS) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = biased === 0 ? fraction : fraction | (1n << MANTISSA_BITS);
  const mantissa = bits >> 63n === 1n ? -magnitude : magnitude;
  return shift({ numerator: mantissa, denominator: 1n }, Math.max(biased, 1) - 1075);
}

/** a x 2^exponent. */
function shift(a: Rational, exponent: number): Rational {
  if (exponent >= 0) return { numerator: a.numerator << BigInt(exponent), denominator: a.denominator };
  return { numerator: a.numerator, denominator: a.denominator << BigInt(-exponent) };
}

export function add(a: Rational, b: Rational): Rational {
  if (a.denominator % b.denominator === 0n) {
    return { numerator: a.numerator + b.numerator * (a.denominator / b.denominator), denominator: a.denominator };
  }
  if (b.denominator % a.denominator === 0n) return add(b, a);
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: a.denominator * b.denominator,
  };
}

export function negate(a: Rational): Rational {
  return { numerator: -a.numerator, denominator: a.denominator };
}

export function absolute(a: Rational): Rational {
  return a.numerator < 0n ? negate(a) : a;
}

export function subtract(a: Rational, b: Rational): Rational {
  return add(a, negate(b));
}

export function multiply(a: Rational, b: Rational): Rational {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator };
}

/** Throws a RangeError when b is zero. */
export function divide(a: Rational, b: Rational): Rational {
  if (b.numerator === 0n) throw new RangeError("division by zero");
  const sign = b.numerator < 0n ? -1n : 1n;
  return { numerator: sign * a.numerator * b.denominator, denominator: sign * a.denominator * b.numerator };
}

/** Negative, 0 or positive, as for Array.sort. */
export function compare(a: Rational, b: Rational): number {
  const left = a.numerator * b.denominator;
  const right = b.numerator * a.denominator;
  return left < right ? -1 : left > right ? 1 : 0;
}

export function sum(values: Iterable<Rational>): Rational {
  let total = ZERO;
  for (const value of values) total = add(total, value);
  return total;
}

/** Bits of a positive integer: 1 -> 1, 255 -> 8. */
function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return value === 0n ? 0 : digits.length * 4 - Math.clz32(Number.parseInt(digits.charAt(0), 16)) + 28;
}

/** The nearest double, ties to even; overflow gives an infinity, as IEEE 754 says. Zero has no sign. */
export function toDouble(a: Rational): number {
  if (a.numerator === 0n) return 0;
  const negative = a.numerator < 0n;
  const n = negative ? -a.numerator : a.numerator;
  // n/d lies in (2^(e-1), 2^(e+1)); one unit of a 53 bit mantissa is then 2^(e-53) or 2^(e-52).
  const e = bitLength(n) - bitLength(a.denominator);
  let unit = Math.max(e - 53, SMALLEST_EXPONENT);
  let scaled = shift({ numerator: n, denominator: a.denominator }, -unit);
  if (scaled.numerator / scaled.denominator >= 1n << 53n) {
    unit++;
    scaled = shift({ numerator: n, denominator: a.denominator }, -unit);
  }
  let quotient = scaled.numerator / scaled.denominator;
  const twiceRest = (scaled.numerator - quotient * scaled.denominator) * 2n;
  if (twiceRest > scaled.denominator || (twiceRest === scaled.denominator && (quotient & 1n) === 1n)) quotient++;
  const magnitude = scale(Number(quotient), unit);
  return negative && magnitude !== 0 ? -magnitude : magnitude;
}

/** value x 2^exponent in two exact steps, because 2^1023 is the largest power of two. */
function scale(value: number, exponent: number): number {
  if (exponent > 971) return value * 2 ** 971 * 2 ** (exponent - 971);
  return value * 2 ** exponent;
}

/** Whether the value is a double exactly. */
export function isDouble(a: Rational): boolean {
  const rounded = toDouble(a);
  return Number.isFinite(rounded) && compare(fromDouble(rounded), a) === 0;
}

/** floor(sqrt(value)), by Newton's iteration from above. */
function integerSqrt(value: bigint): bigint {
  if (value < 2n) return value;
  let guess = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (guess + value / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** The double nearest to the square root, ties to even. Throws a RangeError on negative values. */
export function sqrtToDouble(a: Rational): number {
  if (a.numerator < 0n) throw new RangeError("square root of a negative value");
  if (a.numerator === 0n) return 0;
  // 60 bits of root and a sticky bit for the rest: rounding that is rounding the root, since 60 > 53 + 2. The root of a
  // positive double is never subnormal, so no bits get lost below.
  const halfBits = Math.floor((bitLength(a.numerator) - bitLength(a.denominator)) / 2);
  const unit = halfBits - 60;
  const scaled = shift(a, -2 * unit);
  const floor = scaled.numerator / scaled.denominator;
  const root = integerSqrt(floor);
  const inexact = root * root !== floor || floor * scaled.denominator !== scaled.numerator;
  return toDouble(shift(fromInteger(root * 2n + (inexact ? 1n : 0n)), unit - 1));
}

/** Position of a finite double in the order of all doubles; neighbours differ by one, -0 and 0 are one place. */
function place(value: number): bigint {
  view.setFloat64(0, value);
  const bits = view.getBigInt64(0);
  return bits >= 0n ? bits : -(bits & 0x7fffffffffffffffn);
}

/** How many doubles lie from a to b: 0 equal, 1 neighbours. Infinite when either is NaN. */
export function ulpsBetween(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.POSITIVE_INFINITY;
  const distance = Number(place(a) - place(b));
  return Math.abs(distance);
}
