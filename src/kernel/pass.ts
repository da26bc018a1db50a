// Samples that go on as they came, beside the rules: what no rule wants, and what a rule with `matched: keep` wanted. The
// decision is made once per Field, at admission (FIELD_PASS); here it is followed, without looking at names.
//
//   PASS_LINES   ranges of the input bytes, to be copied before the next read: a whole line, or its key, the fields that pass, each
//                behind the comma that stood before it, and its end. Neighbouring lines become one range
//   PASS_ROWS    (labels, time, value) of each number that passes
//
// Both go to the list at PASS_AT, which the caller empties: before each line there must be room for all of it (passIsFull).

import {
  FIELD_NAME_LENGTH,
  FIELD_PASS,
  KEY_LENGTH,
  PASS_AT,
  PASS_BYTES,
  PASS_RANGE_BYTES,
  PASS_ROUTE,
  PASS_ROW_BYTES,
  PASS_UNMATCHED,
  ROOT_KEY,
  ROOT_LANES,
  ROOT_PASS,
  ROOT_PASS_USED,
  ROOT_PASSED,
  SCRATCH_AT,
  SCRATCH_BYTES,
  SCRATCH_NUMBER,
} from "./layout.js";
import { readValue } from "./value.js";

/** 1 when the list may not have room for a line of `count` fields. */
export function passIsFull(root: i32, count: i32): i32 {
  if ((i32.load(root + ROOT_PASS) & PASS_ROUTE) != 0) count = i32.load(root + ROOT_LANES);
  return i32.load(root + ROOT_PASS_USED) + (count + 2) * PASS_ROW_BYTES > PASS_BYTES ? 1 : 0;
}

/** 1 when the sample of a scratch entry passes as bytes. A text is nothing that a rule could want. */
function passes(root: i32, entry: i32): i32 {
  if (i32.load(entry + 4) != SCRATCH_NUMBER) return (i32.load(root + ROOT_PASS) & PASS_UNMATCHED) != 0 ? 1 : 0;
  return i32.load(i32.load(entry) + FIELD_PASS) != 0 ? 1 : 0;
}

/** Adds the bytes [from, to) to the list; they may be the continuation of the last ones. */
function addRange(root: i32, from: i32, to: i32): void {
  const used: i32 = i32.load(root + ROOT_PASS_USED);
  const at: i32 = root + PASS_AT + used;
  if (used > 0 && i32.load(at - 4) == from) {
    i32.store(at - 4, to);
    return;
  }
  i32.store(at, from);
  i32.store(at + 4, to);
  i32.store(root + ROOT_PASS_USED, used + PASS_RANGE_BYTES);
}

/** Lists what passes of the line at [from, end), whose `count` fields, of the Key ROOT_KEY, were just read into the scratch area. */
export function passLine(root: i32, from: i32, end: i32, count: i32): void {
  const first: i32 = root + SCRATCH_AT;
  const last: i32 = first + count * SCRATCH_BYTES;
  let passing: i32 = 0;
  for (let entry: i32 = first; entry < last; entry = entry + SCRATCH_BYTES) passing = passing + passes(root, entry);
  if (passing == 0) return;
  f64.store(root + ROOT_PASSED, f64.load(root + ROOT_PASSED) + passing);
  if (passing == count) {
    addRange(root, from, end);
    return;
  }
  let at: i32 = from + i32.load(i32.load(root + ROOT_KEY) + KEY_LENGTH) + 1;
  addRange(root, from, at);
  let comma: i32 = 0;
  for (let entry: i32 = first; entry < last; entry = entry + SCRATCH_BYTES) {
    const next: i32 = readValue(at + i32.load(i32.load(entry) + FIELD_NAME_LENGTH), end);
    if (passes(root, entry) == 1) {
      addRange(root, at - comma, next);
      comma = 1;
    }
    at = next + 1;
  }
  addRange(root, at - 1, end);
}

/** Lists the numbers that pass of the first `count` scratch entries, at event time `time` (ms). */
export function passRows(root: i32, count: i32, time: f64): void {
  let entry: i32 = root + SCRATCH_AT;
  const last: i32 = entry + count * SCRATCH_BYTES;
  let at: i32 = root + PASS_AT + i32.load(root + ROOT_PASS_USED);
  for (; entry < last; entry = entry + SCRATCH_BYTES) {
    const labels: i32 = i32.load(i32.load(entry) + FIELD_PASS);
    if (i32.load(entry + 4) != SCRATCH_NUMBER || labels == 0) continue;
    i32.store(at, labels);
    f64.store(at + 8, time);
    f64.store(at + 16, f64.load(entry + 8));
    at = at + PASS_ROW_BYTES;
    f64.store(root + ROOT_PASSED, f64.load(root + ROOT_PASSED) + 1.0);
  }
  i32.store(root + ROOT_PASS_USED, at - root - PASS_AT);
}
