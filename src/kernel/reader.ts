// The hot loop: line protocol as Telegraf writes it, straight from bytes to Cells. No strings, no objects.
//
//   measurement,tag=v,tag=v field=1.5,other=3i 1763870000000000000\n
//   └──────── key ────────┘ └──── fields ────┘ └─── time, ns ─────┘
//
// The bytes up to the first unescaped space are the key. The Key of the previous line remembers which one followed it last
// time, so most lines cost one comparison; the others are scanned, hashed and looked up. Fields are compared with the names
// the Key expects at that position. A line is applied only when all of it was read, so a bad line changes nothing.
//
// Whatever is new ends run() with RUN_NEW_KEY, RUN_NEW_FIELD or RUN_STALE, and the caller admits it. Whatever is not plain - tabs, several spaces, `\\` before a delimiter, odd escapes in strings, integers of more than
// 15 digits, other timestamps than 19 digits, errors, an open quote - ends run() with RUN_UNUSUAL before that line, and the
// caller takes it through the complete decoder (metric/lineDecoder.ts). It leaves the fast path, never the semantics.
//
// With something to pass on (pass.ts) run() may also end with RUN_PASS_FULL, to be called again when the list was emptied.
//
// The caller guarantees: `end` lies behind a '\n', and INPUT_SLACK readable bytes follow it. bench: run.

import {
  FIELD_BYTES,
  FIELD_NAME,
  FIELD_NAME_LENGTH,
  KEY_BYTES,
  KEY_EPOCH,
  KEY_FIELD_COUNT,
  KEY_FIELDS,
  KEY_LENGTH,
  KEY_NEXT,
  LINE_BYTES_MAX,
  PASS_LINES,
  PASS_ROUTE,
  ROOT_AT,
  ROOT_EPOCH,
  ROOT_HASH,
  ROOT_KEY,
  ROOT_KEYS,
  ROOT_LINES,
  ROOT_PASS,
  ROOT_PREVIOUS,
  ROOT_STALE,
  ROOT_STOP,
  RUN_DONE,
  RUN_NEW_FIELD,
  RUN_NEW_KEY,
  RUN_PASS_FULL,
  RUN_STALE,
  RUN_UNUSUAL,
  SCRATCH_AT,
  SCRATCH_BYTES,
  SCRATCH_MAX,
  SCRATCH_NUMBER,
  SCRATCH_STRING,
  TABLE_MASK,
  TABLE_SLOTS,
  VALUE,
} from "./layout.js";
import { imul, unaligned } from "./leaf.js";
import { passIsFull, passLine } from "./pass.js";
import { addLine } from "./plan.js";
import { routeLine } from "./route.js";
import { readValue } from "./value.js";

/** Answer of keyOf and readFields: not known yet. */
const NEW: i32 = -2;

/** Hash of `length` bytes at any address: xxh32-like mixing, four bytes a step. */
export function hashBytes(at: i32, length: i32): i32 {
  let hash: i32 = length;
  let p: i32 = at;
  const end: i32 = at + length;
  const wordEnd: i32 = end - 3;
  while (p < wordEnd) {
    hash = imul(hash ^ unaligned(p), -1640531535);
    hash = hash ^ (hash >>> 15);
    p = p + 4;
  }
  while (p < end) {
    hash = imul(hash ^ i32.load8_u(p), -1640531535);
    hash = hash ^ (hash >>> 15);
    p = p + 1;
  }
  hash = imul(hash ^ (hash >>> 16), -2048144789);
  return hash ^ (hash >>> 13);
}

/** Whether `length` bytes at `a` and `b` are equal. Four at a time; the last word may overlap the one before. */
export function equalBytes(a: i32, b: i32, length: i32): i32 {
  if (length < 4) {
    for (let i: i32 = 0; i < length; i = i + 1) if (i32.load8_u(a + i) != i32.load8_u(b + i)) return 0;
    return 1;
  }
  const last: i32 = length - 4;
  for (let i: i32 = 0; i < last; i = i + 4) if (unaligned(a + i) != unaligned(b + i)) return 0;
  return unaligned(a + last) == unaligned(b + last) ? 1 : 0;
}

/** Length of the key at `p`; -1 when only the decoder can tell. */
function scanKey(p: i32): i32 {
  let q: i32 = p;
  let c: i32 = i32.load8_u(q);
  while (c > 32) {
    if (c == 92) {
      // A backslash escapes a following delimiter; a doubled one means different things in names and tags.
      q = q + 1;
      const escaped: i32 = i32.load8_u(q);
      if (escaped == 92 || escaped < 32) return -1;
    }
    q = q + 1;
    c = i32.load8_u(q);
  }
  return c == 32 ? q - p : -1;
}

/** The Key (or Shape) of a table whose bytes are the `length` bytes at `p`, 0 when it is not there. `hash`: of those bytes. */
export function findRecord(table: i32, p: i32, length: i32, hash: i32): i32 {
  const slots: i32 = i32.load(table + TABLE_SLOTS);
  const mask: i32 = i32.load(table + TABLE_MASK);
  let slot: i32 = slots + ((hash & mask) << 3);
  let key: i32 = i32.load(slot + 4);
  while (key != 0) {
    if (i32.load(slot) == hash && i32.load(key + KEY_LENGTH) == length && equalBytes(p, key + KEY_BYTES, length) == 1) return key;
    slot = slots + ((slot - slots + 8) & ((mask << 3) | 7));
    key = i32.load(slot + 4);
  }
  return 0;
}

/** The Key whose bytes are the `length` bytes at `p`, 0 when it is not known; then ROOT_HASH holds their hash. */
export function findKey(root: i32, p: i32, length: i32): i32 {
  const hash: i32 = hashBytes(p, length);
  const key: i32 = findRecord(root + ROOT_KEYS, p, length, hash);
  if (key == 0) i32.store(root + ROOT_HASH, hash);
  return key;
}

/** `key` follows the previous Key, which had no successor yet. */
export function follow(root: i32, key: i32): void {
  const previous: i32 = i32.load(root + ROOT_PREVIOUS);
  if (previous != 0 && i32.load(previous + KEY_NEXT) == 0) i32.store(previous + KEY_NEXT, key);
}

/** As findKey; looks first whether it is the Key that followed the previous one last time. Who uses it sets ROOT_PREVIOUS. */
export function nextKey(root: i32, p: i32, length: i32): i32 {
  const previous: i32 = i32.load(root + ROOT_PREVIOUS);
  if (previous != 0) {
    const predicted: i32 = i32.load(previous + KEY_NEXT);
    if (predicted != 0 && i32.load(predicted + KEY_LENGTH) == length && equalBytes(p, predicted + KEY_BYTES, length) == 1) return predicted;
  }
  const key: i32 = findKey(root, p, length);
  if (key != 0 && previous != 0) i32.store(previous + KEY_NEXT, key);
  return key;
}

/** The Key of the line at `p`: the predicted one, or by look-up. 0: unusual; NEW: ROOT_AT holds the length of a new key. */
function keyOf(root: i32, p: i32): i32 {
  const previous: i32 = i32.load(root + ROOT_PREVIOUS);
  if (previous != 0) {
    const predicted: i32 = i32.load(previous + KEY_NEXT);
    if (predicted != 0 && equalBytes(p, predicted + KEY_BYTES, i32.load(predicted + KEY_LENGTH) + 1) == 1) return predicted;
  }
  const length: i32 = scanKey(p);
  if (length <= 0 || i32.load8_u(p) == 35) return 0;
  const key: i32 = findKey(root, p, length);
  if (key == 0) {
    i32.store(root + ROOT_AT, length);
    return NEW;
  }
  if (previous != 0) i32.store(previous + KEY_NEXT, key);
  return key;
}

/** Position among the Key's fields of the name at `q`, probably `expected`; -1 when it is new. */
export function fieldNamed(key: i32, q: i32, expected: i32): i32 {
  if (expected < i32.load(key + KEY_FIELD_COUNT)) {
    const field: i32 = i32.load(key + KEY_FIELDS) + expected * FIELD_BYTES;
    if (equalBytes(q, i32.load(field + FIELD_NAME), i32.load(field + FIELD_NAME_LENGTH)) == 1) return expected;
  }
  return searchField(key, q);
}

function searchField(key: i32, q: i32): i32 {
  const fields: i32 = i32.load(key + KEY_FIELDS);
  const count: i32 = i32.load(key + KEY_FIELD_COUNT);
  for (let i: i32 = 0; i < count; i = i + 1) {
    const field: i32 = fields + i * FIELD_BYTES;
    if (equalBytes(q, i32.load(field + FIELD_NAME), i32.load(field + FIELD_NAME_LENGTH)) == 1) return i;
  }
  return -1;
}

/** Whether the field already stands among the first `count` scratch entries. */
export function isRepeated(root: i32, field: i32, count: i32): i32 {
  for (let i: i32 = 0; i < count; i = i + 1) if (i32.load(root + SCRATCH_AT + i * SCRATCH_BYTES) == field) return 1;
  return 0;
}

/** Reads the fields at `q` into the scratch area. Returns their number, -1 when unusual, NEW with the new name's address in ROOT_AT; ROOT_STOP holds where they end. */
function readFields(root: i32, key: i32, from: i32, end: i32): i32 {
  const fields: i32 = i32.load(key + KEY_FIELDS);
  const fieldCount: i32 = i32.load(key + KEY_FIELD_COUNT);
  let q: i32 = from;
  let expected: i32 = 0;
  let highest: i32 = -1;
  let count: i32 = 0;
  for (;;) {
    let field: i32 = fields + expected * FIELD_BYTES;
    if (expected >= fieldCount || equalBytes(q, i32.load(field + FIELD_NAME), i32.load(field + FIELD_NAME_LENGTH)) == 0) {
      expected = searchField(key, q);
      if (expected < 0) {
        i32.store(root + ROOT_AT, q);
        return NEW;
      }
      field = fields + expected * FIELD_BYTES;
    }
    if (expected <= highest) {
      if (isRepeated(root, field, count) == 1) return -1;
    } else highest = expected;
    if (count == SCRATCH_MAX) return -1;
    q = q + i32.load(field + FIELD_NAME_LENGTH);
    const entry: i32 = root + SCRATCH_AT + count * SCRATCH_BYTES;
    i32.store(entry, field);
    i32.store(entry + 4, SCRATCH_NUMBER);
    if (i32.load8_u(q) == 34) i32.store(entry + 4, SCRATCH_STRING);
    q = readValue(q, end);
    if (q == 0) return -1;
    f64.store(entry + 8, f64.load(VALUE));
    count = count + 1;
    if (i32.load8_u(q) != 44) break;
    q = q + 1;
    expected = expected + 1;
  }
  i32.store(root + ROOT_STOP, q);
  return count;
}

/** Milliseconds of the 19 digits at `q` into VALUE. Returns 0 when they are not 19 digits that end the line. */
function readTime(q: i32): i32 {
  let high: i32 = 0;
  let low: i32 = 0;
  for (let i: i32 = 0; i < 7; i = i + 1) {
    const d: i32 = i32.load8_u(q + i) - 48;
    if (d < 0 || d > 9) return 0;
    high = high * 10 + d;
  }
  for (let i: i32 = 7; i < 13; i = i + 1) {
    const d: i32 = i32.load8_u(q + i) - 48;
    if (d < 0 || d > 9) return 0;
    low = low * 10 + d;
  }
  for (let i: i32 = 13; i < 19; i = i + 1) {
    const d: i32 = i32.load8_u(q + i) - 48;
    if (d < 0 || d > 9) return 0;
  }
  const milliseconds: f64 = high;
  f64.store(VALUE, milliseconds * 1000000.0 + low);
  // 9223372036854 775807 is the greatest timestamp.
  if (high > 9223372) return 0;
  if (high == 9223372 && low >= 36854) return 0;
  return 1;
}

/** Consumes lines from `from` to `end`. RUN_DONE, or why not, with ROOT_STOP at the start of the line it stopped before. */
export function run(root: i32, from: i32, end: i32): i32 {
  const epoch: i32 = i32.load(root + ROOT_EPOCH);
  const pass: i32 = i32.load(root + ROOT_PASS);
  const stale: i32 = i32.load(root + ROOT_STALE);
  let p: i32 = from;
  let lines: i32 = 0;
  let result: i32 = RUN_DONE;
  // The lines of one collection share their timestamp: where its digits stood last, and what they say.
  let digits: i32 = 0;
  let time: f64 = 0.0;
  for (;;) {
    if (p >= end) break;
    result = RUN_UNUSUAL;
    const key: i32 = keyOf(root, p);
    if (key == NEW) result = RUN_NEW_KEY;
    if (key <= 0) break;
    const used: i32 = i32.load(key + KEY_EPOCH);
    if (used != epoch) {
      if (used < stale) {
        i32.store(root + ROOT_KEY, key);
        result = RUN_STALE;
        break;
      }
      i32.store(key + KEY_EPOCH, epoch);
    }
    const count: i32 = readFields(root, key, p + i32.load(key + KEY_LENGTH) + 1, end);
    if (count == NEW) {
      i32.store(root + ROOT_KEY, key);
      result = RUN_NEW_FIELD;
    }
    if (count < 0) break;
    let q: i32 = i32.load(root + ROOT_STOP);
    // A missing timestamp is the arrival time, which the caller knows.
    if (i32.load8_u(q) != 32) break;
    if (digits == 0 || equalBytes(q + 1, digits, 19) == 0) {
      if (readTime(q + 1) == 0) break;
      digits = q + 1;
      time = f64.load(VALUE);
    }
    q = q + 20;
    if (i32.load8_u(q) == 13) q = q + 1;
    if (i32.load8_u(q) != 10 || q >= end || q - p > LINE_BYTES_MAX) break;
    if (pass != 0 && passIsFull(root, count) == 1) {
      result = RUN_PASS_FULL;
      break;
    }
    result = RUN_DONE;
    if ((pass & PASS_ROUTE) != 0) routeLine(root, p, q + 1, count, time);
    else addLine(root, count, time);
    if ((pass & PASS_LINES) != 0) {
      i32.store(root + ROOT_KEY, key);
      passLine(root, p, q + 1, count);
    }
    i32.store(root + ROOT_PREVIOUS, key);
    lines = lines + 1;
    p = q + 1;
  }
  i32.store(root + ROOT_STOP, p);
  f64.store(root + ROOT_LINES, f64.load(root + ROOT_LINES) + lines);
  return result;
}
