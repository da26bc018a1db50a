// Counters: reset-aware increases. What a Group remembers of a Series is its newest (time, value) - a Last. An increase belongs
// to the Window of its later sample, and is the exact difference of two doubles.
//
//   sample (t, v) against Last (t0, v0)        m: series_memory
//     never seen, or t - t0 > 2m   first_sample decides: from zero, or a baseline
//     t < t0                       superseded: its increase is already contained
//     t - t0 <= m                  v - v0, or v after a reset (v < v0)
//     t - t0 <= 2m                 expired but remembered: a baseline (from zero only when the rule says `zero`)
//
// A start timestamp s < t (START; remote write 2.0) tells more: s > t0 is a reset whatever the values say, and a Series without a
// live Last counts from zero under `auto` exactly when s is later than t0 and than the time since which nothing was missed.
//
// The rate keeps, per Series, the increase since the last sample of its previous Window (LAST_BEFORE); it is folded into the
// Cell when the Series goes on to the next Window, or when the Window closes (foldRates).
import { findCell } from "./cell.js";
import { addDifference, addExact, addPair } from "./exact.js";
import {
  COUNTER_FIRSTS,
  COUNTER_INCREASE,
  COUNTER_RATE,
  COUNTER_SERIES,
  FIRST_AUTO,
  FIRST_ZERO,
  FLAG_RATE,
  GROUP_FIRSTS,
  GROUP_LASTS,
  GROUP_TOTAL,
  LAST_BEFORE,
  LAST_GROUP,
  LAST_INCREASE,
  LAST_NEXT,
  LAST_TIME,
  LAST_VALUE,
  LAST_WINDOW,
  LEDGER_COMPLETE,
  LEDGER_RESETS,
  LEDGER_RULE,
  RULE_COUNTER_AT,
  RULE_FIRST,
  RULE_FLAGS,
  RULE_MEMORY,
  START,
} from "./layout.js";

/** Start timestamp of the sample at `time`; 0 when it has none, or none that says anything: some senders call the first sample the start. */
function startBefore(time: f64): f64 {
  const start: f64 = f64.load(START);
  return start < time ? start : 0.0;
}

/** Whether the sample at `time` is of a counter that began after the last one of its Series. */
function isReset(last: i32, time: f64, value: f64): i32 {
  if (value < f64.load(last + LAST_VALUE)) return 1;
  const start: f64 = startBefore(time);
  return start > 0.0 && start > f64.load(last + LAST_TIME) ? 1 : 0;
}

/** Whether a Series without a live Last counts from zero at `time`. */
function fromZero(rule: i32, ledger: i32, last: i32, time: f64): i32 {
  const first: i32 = i32.load(rule + RULE_FIRST);
  if (first == FIRST_ZERO) return 1;
  if (first != FIRST_AUTO) return 0;
  const start: f64 = startBefore(time);
  if (start > 0.0) return start > f64.load(last + LAST_TIME) && start >= f64.load(ledger + LEDGER_COMPLETE) ? 1 : 0;
  const memory: f64 = f64.load(rule + RULE_MEMORY);
  if (time - f64.load(last + LAST_TIME) <= 2.0 * memory) return 0;
  return time - f64.load(ledger + LEDGER_COMPLETE) >= memory ? 1 : 0;
}

/**
 * Adds what the sample increases its Series by to the pair `increase`, or, when it is a first one that counts from zero, its
 * value to the pair behind it (`increase` + 16); then remembers it. The caller ruled out superseded ones.
 */
export function addIncrease(ledger: i32, last: i32, increase: i32, time: f64, value: f64): void {
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  const firsts: i32 = increase + COUNTER_FIRSTS;
  const before: f64 = f64.load(last + LAST_VALUE);
  if (time - f64.load(last + LAST_TIME) <= f64.load(rule + RULE_MEMORY)) {
    if (isReset(last, time, value) == 0) addDifference(increase, value, before);
    else {
      addExact(increase, value);
      f64.store(ledger + LEDGER_RESETS, f64.load(ledger + LEDGER_RESETS) + 1.0);
    }
  } else if (fromZero(rule, ledger, last, time) == 1) addExact(firsts, value);
  f64.store(last + LAST_TIME, time);
  f64.store(last + LAST_VALUE, value);
}

/** Before addIncrease, for rules with a rate: carries the Series into the Window of the sample and adds to its own increase. */
export function trackRate(rule: i32, last: i32, window: f64, time: f64, value: f64): void {
  const seen: f64 = f64.load(last + LAST_TIME);
  if (f64.load(last + LAST_WINDOW) != window) {
    foldRate(rule, last);
    f64.store(last + LAST_WINDOW, window);
    f64.store(last + LAST_BEFORE, seen);
    f64.store(last + LAST_INCREASE, 0.0);
    f64.store(last + LAST_INCREASE + 8, 0.0);
  }
  if (time - seen <= f64.load(rule + RULE_MEMORY)) {
    const before: f64 = f64.load(last + LAST_VALUE);
    if (isReset(last, time, value) == 0) addDifference(last + LAST_INCREASE, value, before);
    else addExact(last + LAST_INCREASE, value);
  } else {
    // A first sample is only something to subtract from.
    f64.store(last + LAST_BEFORE, time);
    f64.store(last + LAST_INCREASE, 0.0);
    f64.store(last + LAST_INCREASE + 8, 0.0);
  }
}

/** Adds the Series' rate in its current Window to that Window's Cell, if it is still open. */
function foldRate(rule: i32, last: i32): void {
  const seconds: f64 = (f64.load(last + LAST_TIME) - f64.load(last + LAST_BEFORE)) / 1000.0;
  if (!(seconds > 0.0) || seconds == Infinity) return;
  const cell: i32 = findCell(i32.load(last + LAST_GROUP), f64.load(last + LAST_WINDOW));
  if (cell == 0) return;
  const counter: i32 = cell + i32.load(rule + RULE_COUNTER_AT);
  addExact(counter + COUNTER_RATE, (f64.load(last + LAST_INCREASE) + f64.load(last + LAST_INCREASE + 8)) / seconds);
  f64.store(counter + COUNTER_SERIES, f64.load(counter + COUNTER_SERIES) + 1.0);
}

/** When the Window that starts at `window` closes: folds every Series of the Group that is still in it. */
export function foldRates(rule: i32, group: i32, window: f64): void {
  if ((i32.load(rule + RULE_FLAGS) & FLAG_RATE) == 0) return;
  let last: i32 = i32.load(group + GROUP_LASTS);
  for (;;) {
    if (last == 0) return;
    if (f64.load(last + LAST_WINDOW) == window) {
      foldRate(rule, last);
      // Folded: no Window has this start.
      f64.store(last + LAST_WINDOW, NaN);
    }
    last = i32.load(last + LAST_NEXT);
  }
}

/** Adds the increase and the first samples of a closing Cell to the Group's totals. */
export function addToTotal(group: i32, counter: i32): void {
  addPair(group + GROUP_TOTAL, f64.load(counter + COUNTER_INCREASE), f64.load(counter + COUNTER_INCREASE + 8));
  addPair(group + GROUP_FIRSTS, f64.load(counter + COUNTER_FIRSTS), f64.load(counter + COUNTER_FIRSTS + 8));
}
