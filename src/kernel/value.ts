// One field value of plainly spelled line protocol, into VALUE: a number, a boolean, or a string that is stepped over.
import { VALUE } from "./layout.js";
import { unaligned } from "./leaf.js";
import { parseNumber } from "./number.js";

/**
 * Address behind the string whose opening quote is at `q`; 0 when it holds a newline or escapes anything but " and \\, or does
 * not close before `end`.
 */
function skipString(q: i32, end: i32): i32 {
  for (let p: i32 = q + 1; p < end; p = p + 1) {
    const c: i32 = i32.load8_u(p);
    if (c == 34) return p + 1;
    if (c == 10) return 0;
    if (c == 92) {
      p = p + 1;
      const escaped: i32 = i32.load8_u(p);
      if (escaped != 34 && escaped != 92) return 0;
    }
  }
  return 0;
}

/** Parses the boolean at `q` into VALUE. Returns the address behind it, 0 when it is none of the common spellings. */
function parseBoolean(q: i32): i32 {
  const c: i32 = i32.load8_u(q);
  const next: i32 = i32.load8_u(q + 1);
  f64.store(VALUE, c == 116 || c == 84 ? 1.0 : 0.0);
  if (next == 44 || next == 32 || next == 10) return c == 116 || c == 84 || c == 102 || c == 70 ? q + 1 : 0;
  // "true" and "fals" as little-endian words
  const word: i32 = unaligned(q);
  if (word == 1702195828) return q + 4;
  if (word == 1936482662 && i32.load8_u(q + 4) == 101) return q + 5;
  return 0;
}

/** Parses the value at `q` into VALUE (a string leaves it as it is). Returns the address behind it, 0 when unusual. */
export function readValue(q: i32, end: i32): i32 {
  const c: i32 = i32.load8_u(q);
  if (c == 34) return skipString(q, end);
  if (c > 57) return parseBoolean(q);
  return parseNumber(q);
}
