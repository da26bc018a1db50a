// Plan: number.ts against Number() on decimals of every shape and length, and what it must decline; exact.ts against exact
// rationals (test/reference/rational.ts).
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import "#limpet/kernel/constants.js";
import { addDifference, addExact, addSquare } from "#limpet/kernel/exact.js";
import { INPUT_AT, ROOT_PAGES, SCRATCH_AT, VALUE } from "#limpet/kernel/layout.js";
import { heapBuffer, PAGE_BYTES } from "#limpet/kernel/memory.js";
import { parseNumber } from "#limpet/kernel/number.js";
import { openOwner } from "#limpet/kernel/pages.js";
import { add, fromDouble, multiply, type Rational, subtract, sum, toDouble } from "../reference/rational.js";

const root = openOwner(ROOT_PAGES, ROOT_PAGES * PAGE_BYTES);
const RUNS = { numRuns: 3000 };

/** [value, bytes read] of a text in front of `after`; undefined: declined. */
function parse(text: string, after = ","): readonly [number, number] | undefined {
  const at = root + INPUT_AT;
  heapBuffer.write(`${text}${after}\0`, at, "latin1");
  const end = parseNumber(at);
  return end === 0 ? undefined : [f64.load(VALUE), end - at];
}

const digits = (min: number, max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: min, maxLength: max });
const sign = fc.constantFrom("", "-");

describe("parseNumber", () => {
  test("number: any decimal, with and without point and exponent -> Number()'s double, to the bit", () => {
    const exponent = fc
      .tuple(fc.constantFrom("", "e", "E"), fc.constantFrom("", "+", "-"), digits(1, 3))
      .map(([e, s, n]) => (e === "" ? "" : e + s + n));
    const decimal = fc.tuple(sign, digits(0, 25), fc.boolean(), digits(0, 25), exponent);
    fc.assert(
      fc.property(decimal, fc.constantFrom(",", " ", "\n"), ([minus, whole, point, tail, power], after) => {
        fc.pre(whole !== "" || (point && tail !== ""));
        const text = `${minus}${whole}${point ? `.${tail}` : ""}${power}`;
        const value = Number(text);
        expect([text, parse(text, after)]).toEqual([text, Number.isFinite(value) ? [value, text.length] : undefined]);
      }),
      RUNS,
    );
  });

  test("number: the shortest text of any double, and its neighbours' -> that double", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parse(String(value).replace(/^-0$/, "0"))?.[0]).toBe(value + 0);
      }),
      RUNS,
    );
  });

  test("number: integers to 15 digits -> exact, the i or u is read too", () => {
    fc.assert(
      fc.property(fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }), fc.constantFrom("i", "u"), (value, suffix) => {
        const text = `${String(value)}${suffix}`;
        expect(parse(text)).toEqual(suffix === "u" && value < 0 ? undefined : [value, text.length]);
      }),
      RUNS,
    );
  });

  test.each([
    "",
    "-",
    ".",
    "-.",
    "e5",
    ".e5",
    "1e",
    "1e+",
    "-e1",
    "+1",
    "i",
    "-i",
    "-1u",
    "007i",
    "00u",
    "-01i",
    "1234567890123456i",
    "9223372036854775808i",
    "1e309",
    "-1e999",
    "x",
    "NaN",
  ])("number: %j -> left to the decoder", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test.each([
    ["1.2.3", 1.2, 3],
    ["1f", 1, 1],
    ["0x10", 0, 1],
    ["5.", 5, 2],
    ["-.5", -0.5, 3],
    ["1_0", 1, 1],
    ["-0i", 0, 3],
    ["-0", -0, 2],
  ])("number: %s -> %d, and the caller sees what follows", (text, value, length) => {
    expect(parse(text)).toEqual([value, length]);
  });
});

describe("exact sums", () => {
  const pair = root + SCRATCH_AT;
  const clear = (): void => {
    f64.store(pair, 0);
    f64.store(pair + 8, 0);
  };
  /** Exact value of the pair. */
  const held = (): Rational => add(fromDouble(f64.load(pair)), fromDouble(f64.load(pair + 8)));
  const same = (a: Rational, b: Rational): boolean => subtract(a, b).numerator === 0n;
  /** Doubles within 2^40 of each other, in steps of 2^-20: their sums need fewer than 106 bits. */
  const tame = fc.integer({ min: -(2 ** 52), max: 2 ** 52 }).map((units) => units / 2 ** 20);

  test("sum: values whose sums fit 106 bits -> exact, in any order", () => {
    fc.assert(
      fc.property(fc.array(tame, { maxLength: 60 }), (values) => {
        const exact = sum(values.map(fromDouble));
        for (const order of [values, [...values].reverse(), [...values].sort((a, b) => a - b)]) {
          clear();
          for (const value of order) addExact(pair, value);
          expect(f64.load(pair)).toBe(toDouble(exact));
          expect(same(held(), exact)).toBe(true);
        }
      }),
    );
  });

  test("sum: any positive doubles -> the nearest double, though a plain sum loses them", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 80 }), (values) => {
        clear();
        for (const value of values) addExact(pair, value);
        expect(f64.load(pair)).toBe(toDouble(sum(values.map(fromDouble))));
      }),
    );
    clear();
    for (const value of [1e16, 1, 1, 1, 1, -1e16]) addExact(pair, value);
    expect(f64.load(pair)).toBe(4);
  });

  test("difference and square: any doubles that do not over- or underflow -> exact", () => {
    const medium = fc.double({ min: -1e140, max: 1e140, noNaN: true }).filter((value) => value === 0 || Math.abs(value) > 1e-140);
    fc.assert(
      fc.property(medium, medium, (a, b) => {
        clear();
        addSquare(pair, a);
        expect(same(held(), multiply(fromDouble(a), fromDouble(a)))).toBe(true);
        clear();
        addDifference(pair, a, b);
        const exact = subtract(fromDouble(a), fromDouble(b));
        expect(f64.load(pair)).toBe(toDouble(exact));
        expect(same(held(), exact)).toBe(true);
      }),
      RUNS,
    );
  });

  test("sum: overflow -> infinity, as in plain addition, never NaN", () => {
    clear();
    addExact(pair, 1e308);
    addExact(pair, 1e308);
    addExact(pair, 1);
    addSquare(pair, 1e200);
    expect([f64.load(pair), f64.load(pair + 8)]).toEqual([Infinity, 0]);
  });
});
