// What a sample does: every field of a line has targets (one per rule that wants it), and add() applies one sample to one
// target. Known series only; admission (src/aggregate) makes the targets. bench: addSample.
//
// Every pair is counted once in its Ledger: matched, and then applied, superseded, negative or dropped by reason.
import { addBasic, addMoments, cellFor, NO_MEMORY } from "./cell.js";
import { addIncrease, trackRate } from "./counter.js";
import { addExact } from "./exact.js";
import {
  CELL_NEWEST,
  CELL_WINDOW,
  COUNTER_INCREASE,
  DROPPED_FUTURE,
  DROPPED_LATE,
  DROPPED_MEMORY,
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  FLAG_ARRIVAL,
  FLAG_CARRY,
  FLAG_DELTA,
  FLAG_RATE,
  GROUP_CARRY,
  GROUP_LEDGER,
  GROUP_NEWEST,
  IGNORED_STRING,
  KIND_BASIC,
  KIND_COUNTER,
  KIND_MOMENTS,
  KIND_SKETCH,
  LAST_TIME,
  LEDGER_APPLIED,
  LEDGER_CARRIED,
  LEDGER_DROPPED,
  LEDGER_MATCHED,
  LEDGER_RULE,
  LEDGER_SUPERSEDED,
  ROOT_ARRIVAL,
  ROOT_FUTURE,
  ROOT_IGNORED,
  ROOT_MATCHED,
  ROOT_NEWEST,
  ROOT_RECEIVED,
  RULE_COUNTER_AT,
  RULE_FLAGS,
  RULE_INTERVAL,
  RULE_MOMENTS_AT,
  RULE_SKETCH_AT,
  RULE_WINDOW,
  SCRATCH_AT,
  SCRATCH_BYTES,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "./layout.js";
import { addSketch, openSketch } from "./sketch.js";

/** Kinds of scratch entries. */
export const SCRATCH_NUMBER: i32 = 0;
export const SCRATCH_STRING: i32 = 1;

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
  if (matched == 0) return;
  f64.store(root + ROOT_MATCHED, f64.load(root + ROOT_MATCHED) + matched);
  if (time > f64.load(root + ROOT_NEWEST) && time <= f64.load(root + ROOT_FUTURE)) f64.store(root + ROOT_NEWEST, time);
}

/** Applies one sample to one target: finds the Window's Cell and adds to every state the rule keeps. */
export function addSample(root: i32, target: i32, eventTime: f64, value: f64): void {
  const group: i32 = i32.load(target + TARGET_GROUP);
  if (group == 0) {
    const refused: i32 = i32.load(target + TARGET_LAST);
    const refusing: i32 = refused & -8;
    increment(refusing + LEDGER_MATCHED);
    increment(refusing + LEDGER_DROPPED + ((refused & 7) << 3));
    return;
  }
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  const last: i32 = i32.load(target + TARGET_LAST);
  let time: f64 = eventTime;
  increment(ledger + LEDGER_MATCHED);
  if ((flags & FLAG_ARRIVAL) != 0) time = f64.load(root + ROOT_ARRIVAL);
  else if (time > f64.load(root + ROOT_FUTURE)) {
    increment(ledger + LEDGER_DROPPED + (DROPPED_FUTURE << 3));
    return;
  }
  let counts: i32 = flags & KIND_COUNTER;
  if (last != 0 && time < f64.load(last + LAST_TIME)) {
    // Already contained in the increases of later samples.
    counts = 0;
    if ((flags & (KIND_BASIC | KIND_SKETCH)) == 0) {
      increment(ledger + LEDGER_SUPERSEDED);
      return;
    }
  }
  let window: f64 = f64.load(rule + RULE_WINDOW);
  const interval: f64 = f64.load(rule + RULE_INTERVAL);
  if (!(time >= window && time < window + interval)) {
    window = Math.floor(time / interval) * interval;
    f64.store(rule + RULE_WINDOW, window);
  }
  let cell: i32 = i32.load(group + GROUP_NEWEST);
  if (cell == 0 || f64.load(cell + CELL_WINDOW) != window) {
    cell = cellFor(root, group, window);
    if (cell <= NO_MEMORY) {
      if (cell == NO_MEMORY) increment(ledger + LEDGER_DROPPED + (DROPPED_MEMORY << 3));
      else addLate(group, last, time, value);
      return;
    }
  }
  if ((flags & KIND_SKETCH) != 0 && addToSketch(root, cell + i32.load(rule + RULE_SKETCH_AT), value) == 0) {
    increment(ledger + LEDGER_DROPPED + (DROPPED_MEMORY << 3));
    return;
  }
  increment(ledger + LEDGER_APPLIED);
  if ((flags & KIND_BASIC) != 0) {
    addBasic(cell, time, value);
    if ((flags & KIND_MOMENTS) != 0) addMoments(cell + i32.load(rule + RULE_MOMENTS_AT), value);
  }
  if (counts != 0) addCounter(group, cell, last, time, value);
  if (time > f64.load(cell + CELL_NEWEST)) f64.store(cell + CELL_NEWEST, time);
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
  addIncrease(rule, ledger, last, increase, time, value);
}

/** The sketch part; the sketch is made with the first value. */
function addToSketch(root: i32, slot: i32, value: f64): i32 {
  let sketch: i32 = i32.load(slot);
  if (sketch == 0) {
    sketch = openSketch(root);
    if (sketch == 0) return 0;
    i32.store(slot, sketch);
  }
  return addSketch(root, sketch, value);
}

/** A sample whose Window is closed: its increase goes into the next total, or it is dropped. */
function addLate(group: i32, last: i32, time: f64, value: f64): void {
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  if ((flags & FLAG_CARRY) != 0) {
    if ((flags & FLAG_DELTA) != 0) {
      addExact(group + GROUP_CARRY, value);
      increment(ledger + LEDGER_APPLIED);
      increment(ledger + LEDGER_CARRIED);
      return;
    }
    if (time >= f64.load(last + LAST_TIME)) {
      addIncrease(rule, ledger, last, group + GROUP_CARRY, time, value);
      increment(ledger + LEDGER_APPLIED);
      increment(ledger + LEDGER_CARRIED);
      return;
    }
  }
  increment(ledger + LEDGER_DROPPED + (DROPPED_LATE << 3));
}
