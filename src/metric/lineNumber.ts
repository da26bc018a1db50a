// Numbers and booleans of line protocol: int64 and uint64 exact (bigint), floats as the nearest double, both with range errors.
//
// One scan finds the end, the kind and the first byte that cannot belong, which is where Telegraf puts the error.
// Leading zeros of `i` and `u` values: Telegraf refuses, the reference accepts. Neither takes a plus sign, NaN or Inf.

import { type Grammar, QUOTE } from "./lineText.js";

export type NumberField =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "uint"; readonly value: bigint };

/** `at` is the end of the value, or the offset of the first byte that does not belong. */
export interface NumberSpan {
  readonly kind: "float" | "int" | "uint" | "bad";
  readonly at: number;
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const MINUS = 45;
const PLUS = 43;
const DOT = 46;
const BOOLEANS = ["true", "True", "TRUE", "t", "T", "false", "False", "FALSE", "f", "F"];

function skipDigits(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 48 || byte > 57) break;
  }
  return at;
}

/** Finds the number that starts at `from`, without its value. */
export function spanNumber(bytes: Uint8Array, from: number, end: number, grammar: Grammar): NumberSpan {
  const negative = bytes[from] === MINUS;
  const first = negative ? from + 1 : from;
  let at = skipDigits(bytes, first, end);
  let digits = at - first;
  const next = at < end ? bytes[at] : 0;
  const plain = digits > 0 && (grammar === "reference" || digits === 1 || bytes[first] !== 48);
  if (next === 105 && plain) return { kind: "int", at: at + 1 };
  if (next === 117 && plain && !negative) return { kind: "uint", at: at + 1 };
  if (next === DOT) {
    const fraction = at + 1;
    at = skipDigits(bytes, fraction, end);
    digits += at - fraction;
  }
  if (digits === 0) return { kind: "bad", at };
  if (at < end && (bytes[at] === 101 || bytes[at] === 69)) {
    at++;
    // Telegraf's machine takes a quote for a sign here, and refuses the number at its end.
    if (at < end && bytes[at] === QUOTE && grammar === "telegraf") return { kind: "bad", at: skipDigits(bytes, at + 1, end) };
    if (at < end && (bytes[at] === PLUS || bytes[at] === MINUS)) at++;
    const exponent = at;
    at = skipDigits(bytes, exponent, end);
    if (at === exponent) return { kind: "bad", at };
  }
  return { kind: "float", at };
}

/** The value of a span, undefined when it is out of range. */
export function readNumber(bytes: Uint8Array, from: number, span: NumberSpan): NumberField | undefined {
  if (span.kind === "float") {
    const value = Number(ascii(bytes, from, span.at));
    return Number.isFinite(value) ? { kind: "float", value } : undefined;
  }
  const integer = readInteger(bytes, from, span.at - 1);
  if (span.kind === "int") return integer >= INT64_MIN && integer <= INT64_MAX ? { kind: "int", value: integer } : undefined;
  return integer <= UINT64_MAX ? { kind: "uint", value: integer } : undefined;
}

/** Decimal digits, with an optional minus, as an exact integer. Cuts what cannot be in range anyway, so a long run costs little. */
export function readInteger(bytes: Uint8Array, from: number, to: number): bigint {
  const negative = bytes[from] === MINUS;
  let first = negative ? from + 1 : from;
  while (first < to - 1 && bytes[first] === 48) first++;
  const magnitude = BigInt(ascii(bytes, first, Math.min(to, first + 24)));
  return negative ? -magnitude : magnitude;
}

/** True when the integer fits a signed 64-bit number: timestamps, `i` fields. */
export function isInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

/** Length of the timestamp at `from`: optional minus, digits (Telegraf: 19 at most). `bad` is the first byte that does not belong. */
export function spanTime(bytes: Uint8Array, from: number, end: number, grammar: Grammar): { readonly at: number; readonly bad: boolean } {
  const first = bytes[from] === MINUS ? from + 1 : from;
  const at = skipDigits(bytes, first, end);
  if (grammar === "telegraf" && at - first > 19) return { at: first + 19, bad: true };
  return { at, bad: at === first };
}

/** The boolean at `from`: the longest of the ten spellings, or where the text stops being one. */
export function spanBoolean(bytes: Uint8Array, from: number, end: number): { readonly at: number; readonly value: boolean | undefined } {
  let longest = 0;
  let word = "";
  for (const spelling of BOOLEANS) {
    let length = 0;
    while (length < spelling.length && from + length < end && bytes[from + length] === spelling.charCodeAt(length)) length++;
    if (length > longest || (length === longest && length === spelling.length)) {
      longest = length;
      word = length === spelling.length ? spelling : "";
    }
  }
  return { at: from + longest, value: word === "" ? undefined : word.startsWith("t") || word.startsWith("T") };
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}
