// Plan: exactness of doubles both ways (random and edge), each rounding case by hand, square roots against their own
// definition (no other double is nearer), distances in ulps.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import * as rational from "./rational.js";

const fraction = (numerator: bigint, denominator: bigint): rational.Rational =>
  rational.divide(rational.fromInteger(numerator), rational.fromInteger(denominator));
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

describe("rational", () => {
  test.each([0, 1, -1, 0.1, 1e300, -1e-300, 5e-324, Number.MAX_VALUE, 2 ** -1022, 2 ** 53 + 2])("fromDouble: %p -> the same double back", (value) => {
    expect(rational.toDouble(rational.fromDouble(value))).toBe(value);
  });

  test("fromDouble: any finite double -> the same double back", () => {
    fc.assert(fc.property(finite, (value) => rational.toDouble(rational.fromDouble(value)) === value));
  });

  test("fromDouble: 0.1 -> 3602879701896397 / 2^55", () => {
    const exact = fraction(3602879701896397n, 2n ** 55n);
    expect(rational.compare(rational.fromDouble(0.1), exact)).toBe(0);
  });

  test("fromDouble: NaN and infinities -> RangeError", () => {
    expect(() => rational.fromDouble(Number.NaN)).toThrow(RangeError);
    expect(() => rational.fromDouble(Number.POSITIVE_INFINITY)).toThrow(RangeError);
  });

  test.each([
    ["a tie between even 2^53 and 2^53 + 2", 2n ** 53n + 1n, 1n, 2 ** 53],
    ["a tie above an odd mantissa", 2n ** 53n + 3n, 1n, 2 ** 53 + 4],
    ["a third", 1n, 3n, 1 / 3],
    ["minus two thirds", -2n, 3n, -2 / 3],
    ["half the smallest subnormal", 1n, 2n ** 1075n, 0],
    ["just over half the smallest subnormal", 3n, 2n ** 1076n, 5e-324],
    ["one and a half smallest subnormals", 3n, 2n ** 1075n, 1e-323],
    ["halfway past the largest double", 2n ** 1024n - 2n ** 970n, 1n, Number.POSITIVE_INFINITY],
    ["just under halfway past the largest double", 2n ** 1024n - 2n ** 970n - 1n, 1n, Number.MAX_VALUE],
    ["all ones, rounded up to a power of two", 2n ** 60n - 1n, 1n, 2 ** 60],
  ])("toDouble: %s -> nearest, ties to even", (_case, numerator, denominator, expected) => {
    expect(rational.toDouble(fraction(numerator, denominator))).toBe(expected);
  });

  test("toDouble: quotient of any two doubles -> what IEEE division gives", () => {
    const divisor = finite.filter((value) => value !== 0);
    fc.assert(
      fc.property(finite, divisor, (a, b) => {
        const exact = rational.divide(rational.fromDouble(a), rational.fromDouble(b));
        expect(rational.toDouble(exact)).toBe(a / b === 0 ? 0 : a / b);
      }),
    );
  });

  test("sum: ten times 0.1 -> 1, once rounded", () => {
    expect(rational.toDouble(rational.sum(Array.from({ length: 10 }, () => rational.fromDouble(0.1))))).toBe(1);
  });

  test("sum: 1e16 + 1 - 1e16 -> 1", () => {
    expect(rational.toDouble(rational.sum([1e16, 1, -1e16].map(rational.fromDouble)))).toBe(1);
  });

  test("add: thirds and fifths -> eight fifteenths", () => {
    const sum = rational.add(fraction(1n, 3n), fraction(1n, 5n));
    expect(rational.compare(sum, fraction(8n, 15n))).toBe(0);
  });

  test.each([
    [4n, 1n, 2],
    [2n, 1n, Math.SQRT2],
    [1n, 4n, 0.5],
    [2n ** 108n, 1n, 2 ** 54],
    [0n, 1n, 0],
  ])("sqrtToDouble: %p / %p -> %p", (numerator, denominator, expected) => {
    expect(rational.sqrtToDouble(fraction(numerator, denominator))).toBe(expected);
  });

  test("sqrtToDouble: any double -> what IEEE sqrt gives", () => {
    fc.assert(
      fc.property(finite, (value) => {
        const positive = Math.abs(value);
        expect(rational.sqrtToDouble(rational.fromDouble(positive))).toBe(Math.sqrt(positive));
      }),
    );
  });

  test("sqrtToDouble: a negative value -> RangeError", () => {
    expect(() => rational.sqrtToDouble(rational.fromInteger(-1))).toThrow(RangeError);
  });

  test("isDouble: 0.5 and a third -> yes and no", () => {
    expect(rational.isDouble(fraction(1n, 2n))).toBe(true);
    expect(rational.isDouble(fraction(1n, 3n))).toBe(false);
  });

  test("ulpsBetween: neighbours, signs, zeros, NaN -> 1, across zero, 0, infinite", () => {
    expect(rational.ulpsBetween(1, 1 + Number.EPSILON)).toBe(1);
    expect(rational.ulpsBetween(-5e-324, 5e-324)).toBe(2);
    expect(rational.ulpsBetween(0, -0)).toBe(0);
    expect(rational.ulpsBetween(Number.NaN, 1)).toBe(Number.POSITIVE_INFINITY);
  });
});
