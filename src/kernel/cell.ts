// Cells: one Group's state in one Window. They hang on the Group from newest to oldest; nearly every sample finds its Cell at
// the head. States follow the header in the order basic, moments, counter, sketch (offsets in the rule's record).
import { allocate, release } from "./alloc.js";
import { addExact } from "./exact.js";
import { releaseHistogram } from "./histogram.js";
import {
  BASIC_COUNT,
  BASIC_LAST,
  BASIC_MAX,
  BASIC_MIN,
  BASIC_SUM,
  CELL_NEWER,
  CELL_NEWEST,
  CELL_OLDER,
  CELL_WINDOW,
  FLAG_DIGEST,
  GROUP_LEDGER,
  GROUP_NEWEST,
  GROUP_OLDEST,
  KIND_HISTOGRAM,
  KIND_SERIES,
  KIND_SKETCH,
  KIND_VALUES,
  LEDGER_CLOSED,
  LEDGER_RULE,
  RULE_CELL_BYTES,
  RULE_FLAGS,
  RULE_HISTOGRAM_AT,
  RULE_INTERVAL,
  RULE_SERIES_AT,
  RULE_SKETCH_AT,
  RULE_VALUES_AT,
} from "./layout.js";
import { undigest } from "./leaf.js";
import { releaseSet } from "./set.js";
import { releaseSketch } from "./sketch.js";

/** cellFor's answer when there is no memory; no Cell has this address. */
export const NO_MEMORY: i32 = 4;

/** The Group's Cell for the Window that starts at `window`, 0 when there is none. */
export function findCell(group: i32, window: f64): i32 {
  let cell: i32 = i32.load(group + GROUP_NEWEST);
  while (cell != 0 && f64.load(cell + CELL_WINDOW) > window) cell = i32.load(cell + CELL_OLDER);
  return cell != 0 && f64.load(cell + CELL_WINDOW) == window ? cell : 0;
}

/** As findCell, but opens the Window. 0: it is closed. NO_MEMORY: the engine's cap is reached. */
export function cellFor(root: i32, group: i32, window: f64): i32 {
  let newer: i32 = 0;
  let cell: i32 = i32.load(group + GROUP_NEWEST);
  for (;;) {
    if (cell == 0) break;
    const start: f64 = f64.load(cell + CELL_WINDOW);
    if (start == window) return cell;
    if (start < window) break;
    newer = cell;
    cell = i32.load(cell + CELL_OLDER);
  }
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  if (window + f64.load(rule + RULE_INTERVAL) <= f64.load(ledger + LEDGER_CLOSED)) return 0;
  const fresh: i32 = allocate(root, i32.load(rule + RULE_CELL_BYTES));
  if (fresh == 0) return NO_MEMORY;
  f64.store(fresh + CELL_WINDOW, window);
  f64.store(fresh + CELL_NEWEST, -Infinity);
  i32.store(fresh + CELL_OLDER, cell);
  i32.store(fresh + CELL_NEWER, newer);
  if (newer == 0) i32.store(group + GROUP_NEWEST, fresh);
  else i32.store(newer + CELL_OLDER, fresh);
  if (cell == 0) i32.store(group + GROUP_OLDEST, fresh);
  else i32.store(cell + CELL_NEWER, fresh);
  return fresh;
}

/** Takes a Cell off its Group and gives its memory back. */
export function releaseCell(root: i32, group: i32, cell: i32): void {
  const older: i32 = i32.load(cell + CELL_OLDER);
  const newer: i32 = i32.load(cell + CELL_NEWER);
  if (newer == 0) i32.store(group + GROUP_NEWEST, older);
  else i32.store(newer + CELL_OLDER, older);
  if (older == 0) i32.store(group + GROUP_OLDEST, newer);
  else i32.store(older + CELL_NEWER, newer);
  const rule: i32 = i32.load(i32.load(group + GROUP_LEDGER) + LEDGER_RULE);
  releaseSlots(root, rule, cell);
  release(root, cell, i32.load(rule + RULE_CELL_BYTES));
}

function releaseSlots(root: i32, rule: i32, cell: i32): void {
  const flags: i32 = i32.load(rule + RULE_FLAGS);
  if ((flags & KIND_SKETCH) != 0) {
    const sketch: i32 = i32.load(cell + i32.load(rule + RULE_SKETCH_AT));
    if (sketch != 0 && (flags & FLAG_DIGEST) != 0) undigest(sketch);
    else if (sketch != 0) releaseSketch(root, sketch);
  }
  if ((flags & KIND_SERIES) != 0) {
    const series: i32 = i32.load(cell + i32.load(rule + RULE_SERIES_AT));
    if (series != 0) releaseSet(root, series);
  }
  if ((flags & KIND_VALUES) != 0) {
    const values: i32 = i32.load(cell + i32.load(rule + RULE_VALUES_AT));
    if (values != 0) releaseSet(root, values);
  }
  if ((flags & KIND_HISTOGRAM) != 0) {
    const histogram: i32 = i32.load(cell + i32.load(rule + RULE_HISTOGRAM_AT));
    if (histogram != 0) releaseHistogram(root, histogram);
  }
}

/** Adds a sample to the basic state. `time` must not yet be in CELL_NEWEST. */
export function addBasic(cell: i32, time: f64, value: f64): void {
  const count: f64 = f64.load(cell + BASIC_COUNT);
  f64.store(cell + BASIC_COUNT, count + 1.0);
  addExact(cell + BASIC_SUM, value);
  if (count == 0.0) {
    f64.store(cell + BASIC_MIN, value);
    f64.store(cell + BASIC_MAX, value);
    f64.store(cell + BASIC_LAST, value);
    return;
  }
  if (value < f64.load(cell + BASIC_MIN)) f64.store(cell + BASIC_MIN, value);
  if (value > f64.load(cell + BASIC_MAX)) f64.store(cell + BASIC_MAX, value);
  const newest: f64 = f64.load(cell + CELL_NEWEST);
  if (time > newest || (time == newest && value > f64.load(cell + BASIC_LAST))) f64.store(cell + BASIC_LAST, value);
}
