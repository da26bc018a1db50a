import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatDuration, parseDuration } from "#limpet/base/duration.js";

describe("duration", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["2000ms", 2000],
    ["1d", 86_400_000],
    ["1w2d", 777_600_000],
    ["+10s", 10_000],
    [".5s", 500],
    ["1.s", 1000],
    ["1us", 0.001],
    ["1µs", 0.001],
    ["1ns", 1e-6],
    ["0.1s", 100],
    ["1.1s", 1100],
    ["30s1m", 90_000],
  ])("duration: %s -> %d ms", (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, ms });
  });

  test.each([
    ["", "is empty, not a duration", "use 10s or 1m"],
    ["10", "has no unit", "use 10s for seconds"],
    ["1.5", "has no unit", "use 1.5s for seconds"],
    ["-1s", "is negative", "use 10s or 1m"],
    ["7x", "is not a duration", "use 10s or 1m"],
    ["10 s", "is not a duration", "use 10s or 1m"],
    ["s", "is not a duration", "use 10s or 1m"],
    ["1m30", "is not a duration", "use 10s or 1m"],
    ["1..5s", "is not a duration", "use 10s or 1m"],
    ["1e3s", "is not a duration", "use 10s or 1m"],
    ["+", "is not a duration", "use 10s or 1m"],
    ["10S", "is not a duration", "use 10s or 1m"],
    ["9999999999h", "is too long", "the limit is 2562047h"],
    [`${"1".repeat(100)}s`, "has too many digits", "use 10s or 1m"],
  ])("duration: %j -> refused", (text, error, cure) => {
    expect(parseDuration(text)).toEqual({ ok: false, error, cure });
  });

  test("duration: any text -> an answer, never an exception", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => typeof parseDuration(text).ok === "boolean"));
  });

  test("duration: format then parse -> the same milliseconds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, ms });
      }),
    );
  });

  test("duration: parts with units -> their exact sum", () => {
    const units = [
      ["ms", 1],
      ["s", 1000],
      ["m", 60_000],
      ["h", 3_600_000],
      ["d", 86_400_000],
      ["w", 604_800_000],
    ] as const;
    const part = fc.tuple(fc.integer({ min: 0, max: 999 }), fc.constantFrom(...units));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.map(([count, [unit]]) => `${String(count)}${unit}`).join("");
        expect(parseDuration(text)).toEqual({ ok: true, ms: parts.reduce((sum, [count, [, size]]) => sum + count * size, 0) });
      }),
    );
  });
});
