// Numbers of line protocol, exactly rounded. Up to 15 digits take two integer registers and one division by a power of ten
// (Clinger's fast path: both operands are exact doubles, so the quotient is correctly rounded); longer mantissas and exponents
// go through the `decimal` leaf. bench: parseNumber.

import { POWERS, VALUE } from "./layout.js";
import { decimal } from "./leaf.js";

/**
 * Parses the number at `at` into VALUE and returns the address behind it (and behind its `i` or `u`). 0: not a number for the
 * fast path (wrong, out of range, or an integer of more than 15 digits); the cold decoder has the last word then.
 */
export function parseNumber(at: i32): i32 {
  let p: i32 = at;
  let negative: i32 = 0;
  if (i32.load8_u(p) == 45) {
    negative = 1;
    p = p + 1;
  }
  const first: i32 = p;
  let head: i32 = 0;
  let d: i32 = i32.load8_u(p) - 48;
  const headEnd: i32 = p + 9;
  while (d >= 0 && d <= 9 && p < headEnd) {
    head = head * 10 + d;
    p = p + 1;
    d = i32.load8_u(p) - 48;
  }
  let mantissa: f64 = head;
  while (d >= 0 && d <= 9) {
    mantissa = mantissa * 10.0 + d;
    p = p + 1;
    d = i32.load8_u(p) - 48;
  }
  let digits: i32 = p - first;
  if (d == 57 || d == 69) {
    // i, u: `-1u` and a bare sign are wrong; leading zeros are not Telegraf's; an integer has no -0
    if (digits == 0 || digits > 15 || (d == 69 && negative == 1)) return 0;
    if (digits > 1 && i32.load8_u(first) == 48) return 0;
    f64.store(VALUE, negative == 1 ? 0.0 - mantissa : mantissa);
    return p + 1;
  }
  let fraction: i32 = 0;
  if (d == -2) {
    p = p + 1;
    const point: i32 = p;
    let tail: i32 = 0;
    const tailEnd: i32 = p + 9;
    d = i32.load8_u(p) - 48;
    while (d >= 0 && d <= 9 && p < tailEnd) {
      tail = tail * 10 + d;
      p = p + 1;
      d = i32.load8_u(p) - 48;
    }
    mantissa = mantissa * f64.load(POWERS + ((p - point) << 3)) + tail;
    while (d >= 0 && d <= 9) {
      mantissa = mantissa * 10.0 + d;
      p = p + 1;
      d = i32.load8_u(p) - 48;
    }
    fraction = p - point;
    digits = digits + fraction;
  }
  if (digits == 0) return 0;
  // d is the next byte less 48: 53 is `e`, 21 is `E`
  if (digits > 15 || d == 53 || d == 21) return parseLong(at, p, d);
  if (fraction > 0) mantissa = mantissa / f64.load(POWERS + (fraction << 3));
  f64.store(VALUE, negative == 1 ? -mantissa : mantissa);
  return p;
}

/** A float whose digits end at `digitsEnd`, perhaps followed by an exponent (`d`: next byte less 48). */
function parseLong(at: i32, digitsEnd: i32, d: i32): i32 {
  let p: i32 = digitsEnd;
  if (d == 53 || d == 21) {
    p = p + 1;
    const sign: i32 = i32.load8_u(p);
    if (sign == 43 || sign == 45) p = p + 1;
    const exponent: i32 = p;
    while (i32.load8_u(p) >= 48 && i32.load8_u(p) <= 57) p = p + 1;
    if (p == exponent) return 0;
  }
  const value: f64 = decimal(at, p);
  // NaN and overflow fail this; the decoder words the error
  if (value - value != 0.0) return 0;
  f64.store(VALUE, value);
  return p;
}
