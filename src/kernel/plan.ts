// What a sample does: every field of a line has targets (one per rule that wants it), and add() applies one sample to one
// target. Known series only; admission (src/aggregate) makes the targets. bench: addSample.
//
// A pair whose Ledger does not accept is none, and neither is one of a Window for which its rule does not count. Every other is counted once in it: matched, and then applied, superseded, negative,
// duplicate or dropped by reason; what a dedup interval holds is pending until its Window closes.
import { addBasic, cellFor, NO_MEMORY } from "./cell.js";
import { addIncrease, trackRate } from "./counter.js";
import { addExact, addSquare } from "./exact.js";
import { HOLD_DUPLICATE, HOLD_NO_MEMORY, hold, releaseHeld, takeHeld } from "./held.js";
import { addToRange, openHistogram, rangeOf } from "./histogram.js";
import {
  BITS,
  CELL_NEWEST,
  CELL_WINDOW,
  COUNTER_INCREASE,
  DROPPED_FUTURE,
  DROPPED_LATE,
  DROPPED_MEMORY,
  DROPPED_SERIES_CAP,
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  FLAG_ARRIVAL,
  FLAG_BOUNDED,
  FLAG_CARRY,
  FLAG_DEDUP,
  FLAG_DELTA,
  FLAG_DIGEST,
  FLAG_RATE,
  FLAG_SAMPLES,
  GROUP_HISTOGRAM,
  GROUP_LASTS,
  GROUP_LEDGER,
  GROUP_NEWEST,
  GROUP_SAMPLES,
  GROUP_STAMP,
  GROUP_TOTAL,
  HELD_TIME,
  HELD_VALUE,
  IGNORED_STRING,
  KIND_BASIC,
  KIND_COUNTER,
  KIND_HISTOGRAM,
  KIND_MOMENTS,
  KIND_SERIES,
  KIND_SKETCH,
  KIND_VALUES,
  LAST_HASH_HIGH,
  LAST_HASH_LOW,
  LAST_NEXT,
  LAST_TIME,
  LAST_VALUE,
  LEDGER_ACCEPTS,
  LEDGER_APPLIED,
  LEDGER_CARRIED,
  LEDGER_CLOSED,
  LEDGER_COMPLETE,
  LEDGER_DROPPED,
  LEDGER_DUPLICATE,
  LEDGER_MATCHED,
  LEDGER_NEGATIVE,
  LEDGER_PENDING,
  LEDGER_RULE,
  LEDGER_SUPERSEDED,
  PASS_ROWS,
  ROOT_ARRIVAL,
  ROOT_COPY,
  ROOT_FUTURE,
  ROOT_IGNORED,
  ROOT_MATCHED,
  ROOT_PASS,
  ROOT_PROBE,
  ROOT_RECEIVED,
  RULE_COUNTER_AT,
  RULE_FLAGS,
  RULE_FROM,
  RULE_HISTOGRAM_AT,
  RULE_INTERVAL,
  RULE_MOMENTS_AT,
  RULE_SERIES_AT,
  RULE_SKETCH_AT,
  RULE_UNTIL,
  RULE_VALUES_AT,
  RULE_WINDOW,
  SCRATCH_AT,
  SCRATCH_BYTES,
  SCRATCH_STRING,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "./layout.js";
import { digest } from "./leaf.js";
import { passRows } from "./pass.js";
import { probe } from "./probe.js";
import { addToSet, openSet } from "./set.js";
import { addSketch, openSketch } from "./sketch.js";

function increment(at: i32): void {
  f64.store(at, f64.load(at) + 1.0);
}

/** Applies the first `count` scratch entries, the fields of one line, at event time `time` (ms). */
export function addLine(root: i32, count: i32, time: f64): void {
  let at: i32 = root + SCRATCH_AT;
  const end: i32 = at + count * SCRATCH_BYTES;
  f64.store(root + ROOT_RECEIVED, f64.load(root + ROOT_RECEIVED) + count);
  let matched: i32 = 0;
  for (; at < end; at = at + SCRATCH_BYTES) {
    const field: i32 = i32.load(at);
    if (i32.load(at + 4) == SCRATCH_STRING) {
      increment(root + ROOT_IGNORED + (IGNORED_STRING << 3));
      continue;
    }
    const targetCount: i32 = i32.load(field + FIELD_TARGET_COUNT);
    if (targetCount == 0) {
      increment(root + ROOT_IGNORED + (i32.load(field + FIELD_TARGETS) << 3));
      continue;
    }
    matched = matched + 1;
    const value: f64 = f64.load(at + 8);
    let target: i32 = i32.load(field + FIELD_TARGETS);
    const targetEnd: i32 = target + targetCount * TARGET_BYTES;
    for (; target < targetEnd; target = target + TARGET_BYTES) addSample(root, target, time, value);
  }
  f64.store(root + ROOT_MATCHED, f64.load(root + ROOT_MATCHED) + matched);
  const ahead: i32 = i32.load(root + ROOT_PROBE) - count;
  i32.store(root + ROOT_PROBE, ahead);
  if (ahead < 0) probe(root, root + SCRATCH_AT + (-1 - ahead) * SCRATCH_BYTES);
  if ((i32.load(root + ROOT_PASS) & PASS_ROWS) != 0) passRows(root, count, time);
}

/** Applies one sample to one target: finds the Window's Cell and adds to every state the rule keeps, or holds it for later. */
export function addSample(root: i32, target: i32, eventTime: f64, value: f64): void {
  const group: i32 = i32.load(target + TARGET_GROUP);
  if (group == 0) {
    const refused: i32 = i32.load(target + TARGET_LAST);
    const refusing: i32 = refused & -8;
    if (refusing == 0 || i32.load(refusing + LEDGER_ACCEPTS) == 0) return;
    if (isOutside(root, i32.load(refusing + LEDGER_RULE), eventTime) == 1) return;
    increment(refusing + LEDGER_MATCHED);
    const reason: i32 = refused & 7;
    increment(refusing + LEDGER_DROPPED + (reason << 3));
    // A series that is let in later has been there before: from now on unseen is no evidence for a while.
    const unseen: i32 = reason == DROPPED_SERIES_CAP || reason == DROPPED_MEMORY ? 1 : 0;
    if (unseen == 1 && eventTime > f64.load(refusing + LEDGER_COMPLETE) && eventTime <= f64.load(root + ROOT_FUTURE))
      f64.store(refusing + LEDGER_COMPLETE, eventTime);
    return;
  }
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  if (i32.load(ledger + LEDGER_ACCEPTS) == 0) return;
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  if ((flags & FLAG_BOUNDED) != 0 && isOutside(root, rule, eventTime) == 1) {
    learn(root, target, eventTime, value);
    return;
  }
  i32.store(group + GROUP_STAMP, i32.load(root + ROOT_COPY));
  let time: f64 = eventTime;
  increment(ledger + LEDGER_MATCHED);
  if ((flags & FLAG_ARRIVAL) != 0) time = f64.load(root + ROOT_ARRIVAL);
  else if (time > f64.load(root + ROOT_FUTURE)) {
    increment(ledger + LEDGER_DROPPED + (DROPPED_FUTURE << 3));
    return;
  }
  if ((flags & FLAG_DEDUP) != 0) holdSample(root, target, time, value);
  else addMatched(root, target, time, value);
}

/** Whether the Window of a sample is none of its rule's: another version of the rules has it. */
function isOutside(root: i32, rule: i32, eventTime: f64): i32 {
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  if ((flags & FLAG_BOUNDED) == 0) return 0;
  // Both bounds are starts of Windows, so that times compare as Windows would.
  const time: f64 = (flags & FLAG_ARRIVAL) != 0 ? f64.load(root + ROOT_ARRIVAL) : eventTime;
  return time < f64.load(rule + RULE_FROM) || time >= f64.load(rule + RULE_UNTIL) ? 1 : 0;
}

/**
 * A counter's sample before its rule begins is what the first one that counts is subtracted from; otherwise what happened between
 * the two would be lost, or, counted from zero, everything before would be counted again.
 */
function learn(root: i32, target: i32, eventTime: f64, value: f64): void {
  const group: i32 = i32.load(target + TARGET_GROUP);
  const last: i32 = i32.load(target + TARGET_LAST);
  const rule: i32 = i32.load(i32.load(group + GROUP_LEDGER) + LEDGER_RULE);
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  if ((flags & KIND_COUNTER) == 0 || (flags & FLAG_DELTA) != 0 || eventTime > f64.load(root + ROOT_FUTURE)) return;
  const time: f64 = (flags & FLAG_ARRIVAL) != 0 ? f64.load(root + ROOT_ARRIVAL) : eventTime;
  if (time >= f64.load(rule + RULE_FROM) || time < f64.load(last + LAST_TIME)) return;
  if (time == f64.load(last + LAST_TIME) && value <= f64.load(last + LAST_VALUE)) return;
  f64.store(last + LAST_TIME, time);
  f64.store(last + LAST_VALUE, value);
  i32.store(group + GROUP_STAMP, i32.load(root + ROOT_COPY));
}

/** Adds a sample that is neither refused nor from the future. */
function addMatched(root: i32, target: i32, time: f64, value: f64): void {
  const group: i32 = i32.load(target + TARGET_GROUP);
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  const last: i32 = i32.load(target + TARGET_LAST);
  let counts: i32 = flags & KIND_COUNTER;
  // What the increases of later samples already contain is counted once. Deltas contain nothing but themselves.
  if (counts != 0 && (flags & FLAG_DELTA) == 0 && time < f64.load(last + LAST_TIME)) counts = 0;
  let takes: i32 = flags & (KIND_BASIC | SLOT_KINDS);
  if (value < 0.0) takes = takes & ~KIND_HISTOGRAM;
  if (counts == 0 && takes == 0) {
    if ((flags & KIND_COUNTER) != 0) increment(ledger + LEDGER_SUPERSEDED);
    else increment(ledger + LEDGER_NEGATIVE);
    return;
  }
  const window: f64 = windowOf(rule, time);
  let cell: i32 = i32.load(group + GROUP_NEWEST);
  if (cell == 0 || f64.load(cell + CELL_WINDOW) != window) {
    cell = cellFor(root, group, window);
    if (cell <= NO_MEMORY) {
      if (cell == NO_MEMORY) increment(ledger + LEDGER_DROPPED + (DROPPED_MEMORY << 3));
      else addLate(root, target, time, value);
      return;
    }
  }
  if ((flags & SLOT_KINDS) != 0 && addToSlots(root, cell, last, value, rule) == 0) {
    increment(ledger + LEDGER_DROPPED + (DROPPED_MEMORY << 3));
    return;
  }
  increment(ledger + LEDGER_APPLIED);
  if ((flags & KIND_BASIC) != 0) {
    addBasic(cell, time, value);
    if ((flags & KIND_MOMENTS) != 0) addSquare(cell + i32.load(rule + RULE_MOMENTS_AT), value);
  }
  if (counts != 0) addCounter(group, cell, last, time, value);
  // What tells series apart lives on with them, be they counters or not.
  if ((flags & (KIND_SERIES | FLAG_DEDUP)) != 0 && time > f64.load(last + LAST_TIME)) f64.store(last + LAST_TIME, time);
  if (time > f64.load(cell + CELL_NEWEST)) f64.store(cell + CELL_NEWEST, time);
}

/** Start of the Window that a time falls into. */
function windowOf(rule: i32, time: f64): f64 {
  const interval: f64 = f64.load(rule + RULE_INTERVAL);
  let window: f64 = f64.load(rule + RULE_WINDOW);
  if (!(time >= window && time < window + interval)) {
    window = Math.floor(time / interval) * interval;
    f64.store(rule + RULE_WINDOW, window);
  }
  return window;
}

/** Keeps a sample until its Window closes; that Window is open from now on. */
function holdSample(root: i32, target: i32, time: f64, value: f64): void {
  const group: i32 = i32.load(target + TARGET_GROUP);
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  const cell: i32 = cellFor(root, group, windowOf(rule, time));
  if (cell == 0) {
    // Whether it is a duplicate cannot be told any more: nothing carries it.
    increment(ledger + LEDGER_DROPPED + (DROPPED_LATE << 3));
    return;
  }
  const held: i32 = cell == NO_MEMORY ? HOLD_NO_MEMORY : hold(root, rule, i32.load(target + TARGET_LAST), time, value);
  if (held == HOLD_NO_MEMORY) increment(ledger + LEDGER_DROPPED + (DROPPED_MEMORY << 3));
  else if (held == HOLD_DUPLICATE) increment(ledger + LEDGER_DUPLICATE);
  else increment(ledger + LEDGER_PENDING);
}

/** Before the Window that ends at `end` closes: adds what is held for it, each Series in its own order. */
export function addHeld(root: i32, group: i32, end: f64): void {
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  // No line is being read: its scratch serves as the target.
  const target: i32 = root + SCRATCH_AT;
  i32.store(target + TARGET_GROUP, group);
  let last: i32 = i32.load(group + GROUP_LASTS);
  while (last != 0) {
    i32.store(target + TARGET_LAST, last);
    let held: i32 = takeHeld(last, end);
    while (held != 0) {
      f64.store(ledger + LEDGER_PENDING, f64.load(ledger + LEDGER_PENDING) - 1.0);
      addMatched(root, target, f64.load(held + HELD_TIME), f64.load(held + HELD_VALUE));
      held = releaseHeld(root, held);
    }
    last = i32.load(last + LAST_NEXT);
  }
}

/** The counter part of a sample that is not superseded. */
function addCounter(group: i32, cell: i32, last: i32, time: f64, value: f64): void {
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  const increase: i32 = cell + i32.load(rule + RULE_COUNTER_AT) + COUNTER_INCREASE;
  if ((flags & FLAG_DELTA) != 0) {
    addExact(increase, value);
    return;
  }
  if ((flags & FLAG_RATE) != 0) trackRate(rule, last, f64.load(cell + CELL_WINDOW), time, value);
  addIncrease(ledger, last, increase, time, value);
}

/** Kinds of state that hang on a Cell as records of their own, made with the first value. */
const SLOT_KINDS: i32 = KIND_SKETCH | KIND_SERIES | KIND_VALUES | KIND_HISTOGRAM;

/** Adds to sketch, sets and histogram. Returns 0 when there is no memory; what was added before stays. */
function addToSlots(root: i32, cell: i32, last: i32, value: f64, rule: i32): i32 {
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  if ((flags & KIND_SKETCH) != 0) {
    const slot: i32 = cell + i32.load(rule + RULE_SKETCH_AT);
    if ((flags & FLAG_DIGEST) != 0) {
      const id: i32 = digest(root, i32.load(slot), value);
      if (id == 0) return 0;
      i32.store(slot, id);
    } else {
      if (i32.load(slot) == 0) i32.store(slot, openSketch(root));
      if (i32.load(slot) == 0 || addSketch(root, i32.load(slot), value) == 0) return 0;
    }
  }
  if ((flags & KIND_SERIES) != 0) {
    const slot: i32 = cell + i32.load(rule + RULE_SERIES_AT);
    if (addDistinct(root, slot, i32.load(last + LAST_HASH_LOW), i32.load(last + LAST_HASH_HIGH)) == 0) return 0;
  }
  if ((flags & KIND_VALUES) != 0) {
    // 0 and -0 are one value.
    f64.store(BITS, value + 0.0);
    if (addDistinct(root, cell + i32.load(rule + RULE_VALUES_AT), i32.load(BITS), i32.load(BITS + 4)) == 0) return 0;
  }
  if ((flags & KIND_HISTOGRAM) != 0 && value >= 0.0) {
    const slot: i32 = cell + i32.load(rule + RULE_HISTOGRAM_AT);
    if (i32.load(slot) == 0) i32.store(slot, openHistogram(root));
    if (i32.load(slot) == 0 || addToRange(root, i32.load(slot), rangeOf(value), 1.0) == 0) return 0;
  }
  return 1;
}

function addDistinct(root: i32, slot: i32, low: i32, high: i32): i32 {
  if (i32.load(slot) == 0) i32.store(slot, openSet(root));
  if (i32.load(slot) == 0) return 0;
  return addToSet(root, i32.load(slot), low, high);
}

/** A sample whose Window is closed: what is cumulative takes it into its next row, the rest of it is lost. */
function addLate(root: i32, target: i32, time: f64, value: f64): void {
  const group: i32 = i32.load(target + TARGET_GROUP);
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const flags: i32 = i32.load(i32.load(ledger + LEDGER_RULE) + RULE_FLAGS);
  // A rule that has closed its last Window has no next row.
  const isOver: i32 =
    (flags & FLAG_BOUNDED) != 0 && f64.load(ledger + LEDGER_CLOSED) >= f64.load(i32.load(ledger + LEDGER_RULE) + RULE_UNTIL) ? 1 : 0;
  if ((flags & FLAG_CARRY) == 0 || isOver == 1 || carry(root, target, time, value) == 0) {
    increment(ledger + LEDGER_DROPPED + (DROPPED_LATE << 3));
    return;
  }
  increment(ledger + LEDGER_APPLIED);
  increment(ledger + LEDGER_CARRIED);
}

/** Adds a late sample to what runs on in its Group. Returns 0 when nothing there wants it, or for want of memory. */
function carry(root: i32, target: i32, time: f64, value: f64): i32 {
  const group: i32 = i32.load(target + TARGET_GROUP);
  const last: i32 = i32.load(target + TARGET_LAST);
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const flags: i32 = i32.load(i32.load(ledger + LEDGER_RULE) + RULE_FLAGS);
  let carried: i32 = 0;
  if ((flags & FLAG_SAMPLES) != 0) {
    addExact(group + GROUP_SAMPLES, value);
    carried = 1;
  }
  if ((flags & KIND_HISTOGRAM) != 0 && value >= 0.0 && addRunning(root, group, value) == 1) carried = 1;
  if ((flags & KIND_COUNTER) == 0) return carried;
  if ((flags & FLAG_DELTA) != 0) addExact(group + GROUP_TOTAL, value);
  else if (time >= f64.load(last + LAST_TIME)) addIncrease(ledger, last, group + GROUP_TOTAL, time, value);
  else return carried;
  return 1;
}

/** Counts a value in the Group's running histogram. Returns 1, or 0 without memory. */
function addRunning(root: i32, group: i32, value: f64): i32 {
  if (i32.load(group + GROUP_HISTOGRAM) == 0) i32.store(group + GROUP_HISTOGRAM, openHistogram(root));
  const histogram: i32 = i32.load(group + GROUP_HISTOGRAM);
  return histogram == 0 ? 0 : addToRange(root, histogram, rangeOf(value), 1.0);
}
