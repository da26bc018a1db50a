// Which lanes a line is for: those of the Groups its samples would feed. What the engine does to Cells is not done here; its owner
// does that. A Group remembers its lane until the key space is divided anew (ROOT_DIVISION). bench: partition.
import {
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  GROUP_DIVISION,
  GROUP_LANE,
  GROUP_SLICE_KEY,
  IGNORED_STRING,
  LANES_AT,
  LEDGER_DROPPED,
  LEDGER_MATCHED,
  MARKED_AT,
  PASS_AT,
  PASS_ROUTE_BYTES,
  ROOT_DIVISION,
  ROOT_IGNORED,
  ROOT_LINE,
  ROOT_MARKED,
  ROOT_MATCHED,
  ROOT_PASS_USED,
  ROOT_RECEIVED,
  ROOT_SLICES,
  SCRATCH_AT,
  SCRATCH_BYTES,
  SCRATCH_NUMBER,
  SLICE_BYTES,
  SLICES_AT,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "./layout.js";

function increment(at: i32): void {
  f64.store(at, f64.load(at) + 1.0);
}

/** The lane that has a SliceKey. */
function laneOfKey(root: i32, sliceKey: i32): i32 {
  // Unsigned numbers compare like signed ones whose top bit is turned.
  const key: i32 = sliceKey ^ -2147483648;
  let from: i32 = 0;
  let to: i32 = i32.load(root + ROOT_SLICES) - 1;
  while (from < to) {
    const middle: i32 = (from + to + 1) >> 1;
    if (i32.load(root + SLICES_AT + middle * SLICE_BYTES) <= key) from = middle;
    else to = middle - 1;
  }
  return i32.load(root + SLICES_AT + from * SLICE_BYTES + 4);
}

function laneOf(root: i32, group: i32): i32 {
  const division: i32 = i32.load(root + ROOT_DIVISION);
  if (i32.load(group + GROUP_DIVISION) == division) return i32.load(group + GROUP_LANE);
  const lane: i32 = laneOfKey(root, i32.load(group + GROUP_SLICE_KEY));
  i32.store(group + GROUP_LANE, lane);
  i32.store(group + GROUP_DIVISION, division);
  return lane;
}

/** A new line: nothing is marked. */
export function beginLine(root: i32): void {
  i32.store(root + ROOT_LINE, i32.load(root + ROOT_LINE) + 1);
  i32.store(root + ROOT_MARKED, 0);
}

function mark(root: i32, lane: i32): void {
  const line: i32 = i32.load(root + ROOT_LINE);
  const seen: i32 = root + LANES_AT + (lane << 2);
  if (i32.load(seen) == line) return;
  i32.store(seen, line);
  const marked: i32 = i32.load(root + ROOT_MARKED);
  i32.store(root + MARKED_AT + (marked << 2), lane);
  i32.store(root + ROOT_MARKED, marked + 1);
}

/** Counts the first `count` scratch entries, fields of the current line, and marks the lanes of their targets. */
export function markLanes(root: i32, count: i32): void {
  let at: i32 = root + SCRATCH_AT;
  const end: i32 = at + count * SCRATCH_BYTES;
  f64.store(root + ROOT_RECEIVED, f64.load(root + ROOT_RECEIVED) + count);
  let matched: i32 = 0;
  for (; at < end; at = at + SCRATCH_BYTES) {
    const field: i32 = i32.load(at);
    if (i32.load(at + 4) != SCRATCH_NUMBER) {
      increment(root + ROOT_IGNORED + (IGNORED_STRING << 3));
      continue;
    }
    const targetCount: i32 = i32.load(field + FIELD_TARGET_COUNT);
    let target: i32 = i32.load(field + FIELD_TARGETS);
    if (targetCount == 0) {
      increment(root + ROOT_IGNORED + (target << 3));
      continue;
    }
    matched = matched + 1;
    const targetEnd: i32 = target + targetCount * TARGET_BYTES;
    for (; target < targetEnd; target = target + TARGET_BYTES) {
      const group: i32 = i32.load(target + TARGET_GROUP);
      if (group != 0) mark(root, laneOf(root, group));
      else refuse(i32.load(target + TARGET_LAST));
    }
  }
  f64.store(root + ROOT_MATCHED, f64.load(root + ROOT_MATCHED) + matched);
}

/** A pair whose Group cannot be told: it is lost here already. */
function refuse(refused: i32): void {
  const ledger: i32 = refused & -8;
  increment(ledger + LEDGER_MATCHED);
  increment(ledger + LEDGER_DROPPED + ((refused & 7) << 3));
}

/** Lists the line at [from, end), whose `count` fields were just read into the scratch area, once per lane. */
export function routeLine(root: i32, from: i32, end: i32, count: i32, time: f64): void {
  beginLine(root);
  markLanes(root, count);
  let lane: i32 = root + MARKED_AT;
  const last: i32 = lane + (i32.load(root + ROOT_MARKED) << 2);
  let at: i32 = root + PASS_AT + i32.load(root + ROOT_PASS_USED);
  for (; lane < last; lane = lane + 4) {
    i32.store(at, from);
    i32.store(at + 4, end);
    i32.store(at + 8, i32.load(lane));
    f64.store(at + 16, time);
    at = at + PASS_ROUTE_BYTES;
  }
  i32.store(root + ROOT_PASS_USED, at - root - PASS_AT);
}
