// Closing a Window of one Rule: every Group's Cell becomes frozen rows and goes; totals move on; Groups that were silent for
// staleness_interval retire. Windows of a Ledger close in order, each once.
//
//   Group   unseen ──sample──▶ alive ──no sample within staleness──▶ retired ──sample──▶ alive, a new total with a new start
//
// A living Group without samples in the Window still yields what its outputs say: 0, a repeated total, or nothing.

import { releaseCell } from "../kernel/cell.js";
import { addToTotal, foldRates } from "../kernel/counter.js";
import { addPair } from "../kernel/exact.js";
import { mergeHistogram, openHistogram, releaseHistogram } from "../kernel/histogram.js";
import {
  BASIC_SUM,
  CELL_NEWEST,
  CELL_WINDOW,
  DROPPED_MEMORY,
  FLAG_DEDUP,
  FLAG_SAMPLES,
  GROUP_HISTOGRAM,
  GROUP_IDENTITY,
  GROUP_NAMES,
  GROUP_NEWEST,
  GROUP_NEXT,
  GROUP_OLDEST,
  GROUP_SAMPLES,
  GROUP_SEEN,
  GROUP_SLICE_KEY,
  GROUP_STAMP,
  GROUP_START,
  GROUP_STATE,
  GROUP_TOTAL,
  KIND_COUNTER,
  KIND_HISTOGRAM,
  LEDGER_CLOSED,
  LEDGER_DROPPED,
  LEDGER_GROUPS,
  ROOT_COPY,
} from "../kernel/layout.js";
import { heapBuffer } from "../kernel/memory.js";
import { addHeld } from "../kernel/plan.js";
import type { MarkKind, RowBlock } from "../metric/rowBlock.js";
import { type LabelBytes, type RowWriter, rowLabels } from "../metric/rowWriter.js";
import { type CompiledOutput, type CompiledRule, isValidAt, type OutputNames } from "./compile.js";
import type { Ledger } from "./part.js";
import { FlushView } from "./windowView.js";

/** Name and own labels of a row of an output, per OutputNames; undefined: a row that is not sent. */
export type RowLabels = (output: number, row: number) => readonly LabelBytes[] | undefined;

/** Relabelled rows bring all their labels. */
const NO_LABELS = Buffer.alloc(2);

/** Labels are made when a row first needs them: of a histogram's 488 most never do. */
export function rowLabelsOf(compiled: CompiledRule, names: OutputNames): RowLabels {
  if (names.relabelled !== undefined) return names.relabelled;
  const made = compiled.outputs.map((): (readonly LabelBytes[])[] => []);
  return (output, row) => {
    const known = made[output]?.[row];
    if (known !== undefined) return known;
    const labels = rowLabels(names.names[output] ?? new Uint8Array(0), compiled.outputs[output]?.rows[row]?.labels ?? []);
    const rows = made[output];
    if (rows !== undefined) rows[row] = labels;
    return labels;
  };
}

export interface Closing {
  readonly root: number;
  readonly ledger: Ledger;
  readonly writer: RowWriter;
  /** Where marks go; undefined: nobody wants them. */
  readonly stale: RowWriter | undefined;
  readonly zero: RowWriter | undefined;
  /** By GROUP_NAMES. */
  labels(names: number): RowLabels;
  /** Start of the Window, and the timestamp of its rows (its end, unless the process stops within it). */
  readonly windowMs: number;
  readonly stampMs: number;
}

/** Closes one Window and returns its rows in the order of their times: zeroes of new Groups, samples, ends of retired Groups. */
export function closeWindow(closing: Closing): RowBlock[] {
  const { root, ledger, windowMs } = closing;
  const { compiled } = ledger;
  const view = new FlushView(compiled);
  const stamp = i32.load(root + ROOT_COPY);
  const endMs = windowMs + compiled.rule.intervalMs;
  for (let group = i32.load(ledger.at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
    const oldest = i32.load(group + GROUP_OLDEST);
    let cell = oldest !== 0 && f64.load(oldest + CELL_WINDOW) === windowMs ? oldest : 0;
    if (cell !== 0 && (compiled.flags & FLAG_DEDUP) !== 0) addHeld(root, group, endMs);
    if (cell !== 0 && f64.load(cell + CELL_NEWEST) === Number.NEGATIVE_INFINITY) {
      // Opened for a sample that then found no memory for its sketch, or held one that in the end added nothing.
      releaseCell(root, group, cell);
      i32.store(group + GROUP_STAMP, stamp);
      cell = 0;
    }
    if (cell !== 0) i32.store(group + GROUP_STAMP, stamp);
    view.show(group, cell);
    const born = cell !== 0 && enter(group, cell, windowMs);
    if (cell === 0 && !staysAlive(closing, group, endMs)) {
      if (i32.load(group + GROUP_STATE) === 1) {
        i32.store(group + GROUP_STAMP, stamp);
        retire(closing, group, view);
      }
      continue;
    }
    if (cell !== 0) addToTotals(closing, group, cell);
    emit(closing, group, view, cell === 0);
    if (born) emitZeroes(closing, group, view);
    if (cell !== 0) releaseCell(root, group, cell);
  }
  f64.store(ledger.at + LEDGER_CLOSED, endMs);
  return [...blockOf(closing, closing.zero, "zero"), ...blockOf(closing, closing.writer), ...blockOf(closing, closing.stale, "stale")];
}

/** What a writer holds, as a block; none when it is empty. */
function blockOf({ ledger: { compiled }, stampMs }: Closing, writer: RowWriter | undefined, mark?: MarkKind): RowBlock[] {
  if (writer === undefined || writer.rowCount === 0) return [];
  return [{ rule: compiled.rule.name, windowEndMs: stampMs, ...writer.take(), ...(mark === undefined ? {} : { mark }) }];
}

/** A Group with samples in the Window: alive. True when it was not before. */
function enter(group: number, cell: number, windowMs: number): boolean {
  const born = i32.load(group + GROUP_STATE) !== 1;
  if (born) {
    i32.store(group + GROUP_STATE, 1);
    f64.store(group + GROUP_START, windowMs);
  }
  f64.store(group + GROUP_SEEN, Math.max(f64.load(group + GROUP_SEEN), f64.load(cell + CELL_NEWEST)));
  return born;
}

/** Whether a Group without samples in the Window is (still) alive at its end. */
function staysAlive({ ledger }: Closing, group: number, endMs: number): boolean {
  return i32.load(group + GROUP_STATE) === 1 && endMs - f64.load(group + GROUP_SEEN) <= ledger.compiled.rule.stalenessMs;
}

/** The end of a Group: each of its series is marked stale, its totals are forgotten. */
function retire(closing: Closing, group: number, view: FlushView): void {
  if (closing.stale !== undefined) emitMarks(closing, closing.stale, { group, view, timestampMs: closing.stampMs, value: Number.NaN });
  i32.store(group + GROUP_STATE, 0);
  for (let at = GROUP_TOTAL; at < GROUP_SAMPLES + 16; at += 8) f64.store(group + at, 0);
  const histogram = i32.load(group + GROUP_HISTOGRAM);
  if (histogram !== 0) releaseHistogram(closing.root, histogram);
  i32.store(group + GROUP_HISTOGRAM, 0);
}

/**
 * A cumulative series begins at 0, or receivers without start timestamps would take its first value for no increase. Stamped just
 * behind the Window's start, where a predecessor of this name may have its last row or its end; and no older than the state, before
 * which a process that kept none may have written.
 */
function emitZeroes(closing: Closing, group: number, view: FlushView): void {
  const timestampMs = Math.max(closing.windowMs + 1, closing.ledger.beganMs);
  if (closing.zero !== undefined && timestampMs < closing.stampMs) emitMarks(closing, closing.zero, { group, view, timestampMs, value: 0 });
}

/** What a closing Cell adds to the numbers that run on. */
function addToTotals({ root, ledger, windowMs }: Closing, group: number, cell: number): void {
  const { compiled } = ledger;
  if ((compiled.flags & KIND_COUNTER) !== 0) {
    foldRates(compiled.record, group, windowMs);
    addToTotal(group, cell + compiled.counterAt);
  }
  if ((compiled.flags & FLAG_SAMPLES) !== 0) addPair(group + GROUP_SAMPLES, f64.load(cell + BASIC_SUM), f64.load(cell + BASIC_SUM + 8));
  if ((compiled.flags & KIND_HISTOGRAM) === 0) return;
  const counted = i32.load(cell + compiled.histogramAt);
  if (counted === 0) return;
  if (i32.load(group + GROUP_HISTOGRAM) === 0) i32.store(group + GROUP_HISTOGRAM, openHistogram(root));
  const running = i32.load(group + GROUP_HISTOGRAM);
  if (running === 0 || mergeHistogram(root, running, counted) === 0) {
    f64.store(ledger.at + LEDGER_DROPPED + DROPPED_MEMORY * 8, f64.load(ledger.at + LEDGER_DROPPED + DROPPED_MEMORY * 8) + 1);
  }
}

/** One row per series of a Group; a zero for cumulative ones only. */
function emitMarks(closing: Closing, writer: RowWriter, mark: { group: number; view: FlushView; timestampMs: number; value: number }): void {
  const { compiled } = closing.ledger;
  const { group, view, timestampMs, value } = mark;
  if (compiled.rule.state !== "active") return;
  const labels = closing.labels(i32.load(group + GROUP_NAMES));
  writer.key = i32.load(group + GROUP_SLICE_KEY) >>> 0;
  const relabelled = compiled.rule.outputRelabel.length > 0;
  const source = relabelled ? NO_LABELS : heapBuffer;
  const identity = relabelled ? 0 : i32.load(group + GROUP_IDENTITY);
  for (let i = 0; i < compiled.outputs.length; i++) {
    const entry = compiled.outputs[i];
    if (entry === undefined || !hasRows(closing, i, entry)) continue;
    const cumulative = entry.output.type === "counter";
    if (value === 0 && !cumulative) continue;
    const startMs = cumulative ? f64.load(group + GROUP_START) : 0;
    for (let r = nextRow(entry, view, 0); r < entry.rows.length; r = nextRow(entry, view, r + 1)) {
      const own = labels(i, r);
      if (own !== undefined) writer.row(source, identity, own, { timestampMs, value, startMs, type: entry.type });
    }
  }
}

function emit(closing: Closing, group: number, view: FlushView, idle: boolean): void {
  const { writer, stampMs } = closing;
  const { compiled } = closing.ledger;
  if (compiled.rule.state !== "active") return;
  const labels = closing.labels(i32.load(group + GROUP_NAMES));
  writer.key = i32.load(group + GROUP_SLICE_KEY) >>> 0;
  const relabelled = compiled.rule.outputRelabel.length > 0;
  const source = relabelled ? NO_LABELS : heapBuffer;
  const identity = relabelled ? 0 : i32.load(group + GROUP_IDENTITY);
  for (let i = 0; i < compiled.outputs.length; i++) {
    const entry = compiled.outputs[i];
    if (entry === undefined || !hasRows(closing, i, entry) || (idle && entry.output.idle === "nothing")) continue;
    const startMs = entry.output.type === "counter" ? f64.load(group + GROUP_START) : 0;
    for (let r = nextRow(entry, view, 0); r < entry.rows.length; r = nextRow(entry, view, r + 1)) {
      const value = idle && entry.output.idle === "zero" ? 0 : (entry.rows[r]?.read(view) ?? Number.NaN);
      const own = Number.isNaN(value) ? undefined : labels(i, r);
      if (own !== undefined) writer.row(source, identity, own, { timestampMs: stampMs, value, startMs, type: entry.type });
    }
  }
}

/** Not before the state of output `i` is whole, nor in Windows of versions of the rules that do not have it. */
function hasRows({ ledger, windowMs }: Closing, i: number, { validity }: CompiledOutput): boolean {
  return windowMs >= (ledger.cleanFromMs[i] ?? 0) && isValidAt(validity, windowMs);
}

function nextRow({ output }: CompiledOutput, view: FlushView, from: number): number {
  return output.nextRow === undefined ? from : output.nextRow(view, from);
}

/**
 * Start of the first Window that has something to close: the oldest Cell's, or the next one while a Group is alive. +Infinity: none.
 * A rule that ends says nothing more: neither an idle Window nor an end, for whoever comes after it may write the same series.
 */
export function nextWindow(ledger: Ledger): number {
  const next = firstWindow(ledger);
  return next >= ledger.compiled.validity.untilMs ? Number.POSITIVE_INFINITY : next;
}

function firstWindow(ledger: Ledger): number {
  let next = Number.POSITIVE_INFINITY;
  const closed = f64.load(ledger.at + LEDGER_CLOSED);
  for (let group = i32.load(ledger.at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
    const oldest = i32.load(group + GROUP_OLDEST);
    if (oldest !== 0) next = Math.min(next, f64.load(oldest + CELL_WINDOW));
    if (i32.load(group + GROUP_STATE) === 1) return Math.min(next, closed);
  }
  return next;
}

/** Start of the newest Window that one of a rule's Ledgers has open, -Infinity when none has. */
export function lastWindow(ledgers: readonly Ledger[]): number {
  let last = Number.NEGATIVE_INFINITY;
  for (const { at } of ledgers) {
    for (let group = i32.load(at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
      const newest = i32.load(group + GROUP_NEWEST);
      if (newest !== 0) last = Math.max(last, f64.load(newest + CELL_WINDOW));
    }
  }
  return last;
}
