// Cells in snapshots: window, newest time, then the states the rule kept when the snapshot was taken.
import type { ByteReader, ByteWriter } from "../base/bytes.js";
import { cellFor, NO_MEMORY } from "../kernel/cell.js";
import { openHistogram } from "../kernel/histogram.js";
import {
  BASIC_AT,
  BASIC_BYTES,
  BLOCK_BUCKETS,
  BLOCK_SHIFT,
  CELL_NEWEST,
  CELL_WINDOW,
  COUNTER_BYTES,
  FLAG_DIGEST,
  FLAG_RATE,
  HISTOGRAM_SIDE,
  KIND_BASIC,
  KIND_COUNTER,
  KIND_HISTOGRAM,
  KIND_MOMENTS,
  KIND_SERIES,
  KIND_SKETCH,
  KIND_VALUES,
  MOMENTS_BYTES,
  SET_COUNT,
  SET_MASK,
  SET_SLOTS,
  SET_ZERO,
  SIDE_DIRECTORY,
  SIDE_FIRST,
  SIDE_LENGTH,
  SKETCH_COUNT,
  SKETCH_MAX,
  SKETCH_MIN,
  SKETCH_NEGATIVE,
  SKETCH_POSITIVE,
  SKETCH_SCHEMA,
  SKETCH_ZEROES,
} from "../kernel/layout.js";
import { addToSet, openSet } from "../kernel/set.js";
import { bucketAt, openSketch } from "../kernel/sketch.js";
import { type CompiledRule, flagsOfKinds } from "./compile.js";
import { readDigest, writeDigest } from "./digests.js";
import type { Output } from "./output.js";
import { SnapshotError } from "./snapshotError.js";

/** Everything that a Window has from its first sample on or not at all. */
const KINDS = KIND_BASIC | KIND_MOMENTS | KIND_COUNTER | FLAG_RATE | KIND_SKETCH | KIND_SERIES | KIND_VALUES | KIND_HISTOGRAM;

/** Flat states in the order of a Cell: kind, bytes, and where a rule keeps it (0: it does not). */
const FLAT = [
  { kind: KIND_BASIC, bytes: BASIC_BYTES, at: (compiled: CompiledRule) => ((compiled.flags & KIND_BASIC) === 0 ? 0 : BASIC_AT) },
  { kind: KIND_MOMENTS, bytes: MOMENTS_BYTES, at: (compiled: CompiledRule) => compiled.momentsAt },
  { kind: KIND_COUNTER, bytes: COUNTER_BYTES, at: (compiled: CompiledRule) => compiled.counterAt },
] as const;

const SKETCH_NUMBERS = [SKETCH_ZEROES, SKETCH_COUNT, SKETCH_MIN, SKETCH_MAX] as const;

export function writeCell(out: ByteWriter, compiled: CompiledRule, cell: number): void {
  out.f64(f64.load(cell + CELL_WINDOW));
  out.f64(f64.load(cell + CELL_NEWEST));
  for (const { kind, bytes, at } of FLAT) {
    if ((compiled.flags & kind) === 0) continue;
    const from = cell + at(compiled);
    for (let i = 0; i < bytes; i += 8) out.f64(f64.load(from + i));
  }
  const sketch = (compiled.flags & KIND_SKETCH) === 0 ? undefined : i32.load(cell + compiled.sketchAt);
  if (sketch !== undefined && (compiled.flags & FLAG_DIGEST) !== 0) writeDigest(out, sketch);
  else if (sketch !== undefined) writeSketch(out, sketch);
  if ((compiled.flags & KIND_SERIES) !== 0) writeSet(out, i32.load(cell + compiled.seriesAt));
  if ((compiled.flags & KIND_VALUES) !== 0) writeSet(out, i32.load(cell + compiled.valuesAt));
  if ((compiled.flags & KIND_HISTOGRAM) !== 0) writeHistogram(out, i32.load(cell + compiled.histogramAt));
}

/** A set's values, after their number. */
function writeSet(out: ByteWriter, set: number): void {
  if (set === 0) {
    out.u32(0);
    return;
  }
  out.u32(i32.load(set + SET_COUNT));
  if (i32.load(set + SET_ZERO) === 1) {
    out.i32(0);
    out.i32(0);
  }
  const slots = i32.load(set + SET_SLOTS);
  for (let slot = slots; slot <= slots + i32.load(set + SET_MASK) * 8; slot += 8) {
    if (i32.load(slot) === 0 && i32.load(slot + 4) === 0) continue;
    out.i32(i32.load(slot));
    out.i32(i32.load(slot + 4));
  }
}

/** Reads a set into a new record; root 0 only skips it. */
function readSet(reader: ByteReader, root: number): number {
  const count = reader.u32();
  const set = root === 0 || count === 0 ? 0 : openSet(root);
  if (root !== 0 && count !== 0 && set === 0) throw noRoom();
  for (let i = 0; i < count; i++) {
    const low = reader.i32();
    const high = reader.i32();
    if (set !== 0 && addToSet(root, set, low, high) === 0) throw noRoom();
  }
  return set;
}

/** A vmrange histogram, 0 for none. */
export function writeHistogram(out: ByteWriter, histogram: number): void {
  out.u32(histogram === 0 ? 0 : 1);
  if (histogram !== 0) writeSide(out, histogram + HISTOGRAM_SIDE);
}

/** Reads a histogram into a new record; root 0 only skips it. */
export function readHistogram(reader: ByteReader, root: number): number {
  if (reader.u32() === 0) return 0;
  const histogram = root === 0 ? 0 : openHistogram(root);
  if (root !== 0 && histogram === 0) throw noRoom();
  readSide(reader, root, histogram, histogram + HISTOGRAM_SIDE);
  return histogram;
}

function writeSketch(out: ByteWriter, sketch: number): void {
  out.u32(sketch === 0 ? 0 : 1);
  if (sketch === 0) return;
  out.i32(i32.load(sketch + SKETCH_SCHEMA));
  for (const at of SKETCH_NUMBERS) out.f64(f64.load(sketch + at));
  for (const side of [sketch + SKETCH_POSITIVE, sketch + SKETCH_NEGATIVE]) writeSide(out, side);
}

function writeSide(out: ByteWriter, side: number): void {
  const entries = Array.from({ length: i32.load(side + SIDE_LENGTH) }, (_, i) => i).filter((i) => blockOf(side, i) !== 0);
  out.u32(entries.length);
  for (const entry of entries) {
    out.i32(i32.load(side + SIDE_FIRST) + entry);
    for (let i = 0; i < BLOCK_BUCKETS; i++) out.f64(f64.load(blockOf(side, entry) + i * 8));
  }
}

function blockOf(side: number, entry: number): number {
  return i32.load(i32.load(side + SIDE_DIRECTORY) + entry * 4);
}

export interface CellTarget {
  readonly root: number;
  /** undefined: the rule is gone, the bytes are only skipped. */
  readonly compiled: CompiledRule | undefined;
  readonly group: number;
  /** RULE_FLAGS when the snapshot was taken. */
  readonly flags: number;
}

/** Whether an output needs states that a snapshot taken under `flags` does not have. */
export function needsMore(output: Output, flags: number): boolean {
  return (flagsOfKinds(output.kinds) & KINDS & ~flags) !== 0;
}

/**
 * Reads one Cell. A state the rule wants but the snapshot does not have stays empty: its outputs begin with the next Window.
 * Returns the start of the Cell's Window.
 */
export function readCell(reader: ByteReader, { root, compiled, group, flags }: CellTarget): number {
  const window = reader.f64();
  const newest = reader.f64();
  const cell = compiled === undefined ? 0 : cellFor(root, group, window);
  if (cell === NO_MEMORY) throw noRoom();
  if (cell !== 0) f64.store(cell + CELL_NEWEST, newest);
  for (const { kind, bytes, at } of FLAT) {
    if ((flags & kind) === 0) continue;
    const into = cell === 0 || compiled === undefined ? 0 : at(compiled);
    for (let i = 0; i < bytes; i += 8) {
      const value = reader.f64();
      if (into !== 0) f64.store(cell + into + i, value);
    }
  }
  if ((flags & FLAG_DIGEST) !== 0 || ((flags & KIND_SKETCH) !== 0 && reader.u32() === 1)) {
    const into = cell === 0 || compiled === undefined ? 0 : compiled.sketchAt;
    const read = (flags & FLAG_DIGEST) === 0 ? readSketch : readDigest;
    const sketch = read(reader, into === 0 ? 0 : root);
    if (into !== 0) i32.store(cell + into, sketch);
  }
  readSlots(reader, { root, compiled, group, flags }, cell);
  return window;
}

function readSlots(reader: ByteReader, { root, compiled, flags }: CellTarget, cell: number): void {
  const keep = (at: number | undefined, read: (into: number) => number): void => {
    const wanted = cell !== 0 && at !== undefined && at !== 0;
    const record = read(wanted ? root : 0);
    if (wanted) i32.store(cell + at, record);
  };
  if ((flags & KIND_SERIES) !== 0) keep(compiled?.seriesAt, (into) => readSet(reader, into));
  if ((flags & KIND_VALUES) !== 0) keep(compiled?.valuesAt, (into) => readSet(reader, into));
  if ((flags & KIND_HISTOGRAM) !== 0) keep(compiled?.histogramAt, (into) => readHistogram(reader, into));
}

/** Reads a sketch into a new record; root 0 only skips it. */
function readSketch(reader: ByteReader, root: number): number {
  const schema = reader.i32();
  const sketch = root === 0 ? 0 : openSketch(root);
  if (root !== 0 && sketch === 0) throw noRoom();
  if (sketch !== 0) i32.store(sketch + SKETCH_SCHEMA, schema);
  for (const at of SKETCH_NUMBERS) {
    const value = reader.f64();
    if (sketch !== 0) f64.store(sketch + at, value);
  }
  for (const at of [SKETCH_POSITIVE, SKETCH_NEGATIVE]) readSide(reader, root, sketch, sketch + at);
  return sketch;
}

/** Reads a side's blocks; `owner` 0 only skips them. */
function readSide(reader: ByteReader, root: number, owner: number, side: number): void {
  const blocks = reader.u32();
  for (let i = 0; i < blocks; i++) {
    const number = reader.i32();
    const bucket = owner === 0 ? 0 : bucketAt(root, side, number << BLOCK_SHIFT, owner);
    if (owner !== 0 && bucket === 0) throw noRoom();
    for (let k = 0; k < BLOCK_BUCKETS; k++) {
      const count = reader.f64();
      if (bucket !== 0) f64.store(bucket + k * 8, count);
    }
  }
}

function noRoom(): SnapshotError {
  return new SnapshotError("no_memory", "no memory to restore all of it");
}
