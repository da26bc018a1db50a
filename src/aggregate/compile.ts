// Lays Rules out in kernel memory: one RuleRecord per Rule, which says what add() must do. What was done stands in Ledgers, one per
// Rule and Part (part.ts).
// The order of states in a Cell is fixed: basic, moments, counter, then the addresses of sketch, series, values, histogram; a
// rule keeps those its outputs ask for.
import { allocate } from "../kernel/alloc.js";
import {
  BASIC_AT,
  BASIC_BYTES,
  COUNTER_BYTES,
  FIRST_AUTO,
  FIRST_BASELINE,
  FIRST_ZERO,
  FLAG_ARRIVAL,
  FLAG_BOUNDED,
  FLAG_CARRY,
  FLAG_DEDUP,
  FLAG_DELTA,
  FLAG_DIGEST,
  FLAG_RATE,
  FLAG_SAMPLES,
  KIND_BASIC,
  KIND_COUNTER,
  KIND_HISTOGRAM,
  KIND_MOMENTS,
  KIND_SERIES,
  KIND_SKETCH,
  KIND_VALUES,
  MOMENTS_BYTES,
  RULE_BYTES,
  RULE_CELL_BYTES,
  RULE_COUNTER_AT,
  RULE_DEDUP,
  RULE_FIRST,
  RULE_FLAGS,
  RULE_FROM,
  RULE_HISTOGRAM_AT,
  RULE_INTERVAL,
  RULE_MEMORY,
  RULE_MOMENTS_AT,
  RULE_SERIES_AT,
  RULE_SERIES_MAX,
  RULE_SKETCH_AT,
  RULE_UNTIL,
  RULE_VALUES_AT,
  RULE_WINDOW,
  SLOT_BYTES,
} from "../kernel/layout.js";
import { rowTypes } from "../metric/rowBlock.js";
import type { LabelBytes } from "../metric/rowWriter.js";
import type { Output, OutputRow, StateKind } from "./output.js";
import { outputNameOf, sliceStemOf, stemOf } from "./outputName.js";
import type { Rule, Validity } from "./rule.js";

/** One output of a rule, ready to flush. */
export interface CompiledOutput {
  readonly output: Output;
  readonly rows: readonly OutputRow[];
  /** What receivers are told of its rows: a place in rowTypes. */
  readonly type: number;
  /** Starts of the Windows it has rows of. */
  readonly validity: Validity;
}

const ALWAYS: Validity = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };

/** The names one metric gets from a rule: what Groups share, made once per (rule, metric name). */
export interface OutputNames {
  readonly metric: string;
  /** What the outputs have in common; part of the Group's identity. */
  readonly stem: string;
  /** UTF-8 of it, and of what enters the SliceKey, which ends in 0xFF. */
  readonly stemBytes: Uint8Array;
  readonly sliceStem: Uint8Array;
  /** Per CompiledOutput: the row's name, UTF-8. */
  readonly names: readonly Uint8Array[];
  readonly texts: readonly string[];
  /** Output relabelling: whole label sets by output and row, undefined where a row is not sent. Then these are one Group's own. */
  readonly relabelled?: (output: number, row: number) => readonly LabelBytes[] | undefined;
}

export interface CompiledRule {
  readonly rule: Rule;
  /** Aligned: start of the first Window it counts for, and of the first one it does not. */
  readonly validity: Validity;
  readonly index: number;
  readonly outputs: readonly CompiledOutput[];
  readonly flags: number;
  readonly cellBytes: number;
  readonly momentsAt: number;
  readonly counterAt: number;
  readonly sketchAt: number;
  readonly seriesAt: number;
  readonly valuesAt: number;
  readonly histogramAt: number;
  /** -> RuleRecord */
  readonly record: number;
}

const KIND_FLAGS: Readonly<Record<StateKind, number>> = {
  basic: KIND_BASIC,
  moments: KIND_BASIC | KIND_MOMENTS,
  samples: KIND_BASIC | FLAG_SAMPLES,
  counter: KIND_COUNTER,
  rate: KIND_COUNTER | FLAG_RATE,
  sketch: KIND_SKETCH,
  series: KIND_SERIES,
  values: KIND_VALUES,
  histogram: KIND_HISTOGRAM,
};

const FIRST: Readonly<Record<Rule["firstSample"], number>> = { auto: FIRST_AUTO, zero: FIRST_ZERO, baseline: FIRST_BASELINE };

/** RULE_FLAGS bits of state kinds. */
export function flagsOfKinds(kinds: readonly StateKind[]): number {
  return kinds.reduce((flags, kind) => flags | KIND_FLAGS[kind], 0);
}

function flagsOf(rule: Rule, outputs: readonly CompiledOutput[]): number {
  let flags = flagsOfKinds(outputs.flatMap(({ output }) => output.kinds));
  if (rule.temporality === "delta") flags |= FLAG_DELTA;
  if (rule.time === "arrival") flags |= FLAG_ARRIVAL;
  if (rule.dedupMs > 0) flags |= FLAG_DEDUP;
  const { fromMs, untilMs } = rule.validity ?? ALWAYS;
  if (fromMs > Number.NEGATIVE_INFINITY || untilMs < Number.POSITIVE_INFINITY) flags |= FLAG_BOUNDED;
  if (rule.sketch === "tdigest" && (flags & KIND_SKETCH) !== 0) flags |= FLAG_DIGEST;
  // A carried sample would shorten the next rate's time span: rules with a rate drop what is late; the next sample in time
  // contains its increase anyway. Of a closed dedup interval nobody knows any more which sample counted.
  const cumulative = outputs.some(({ output }) => output.type === "counter");
  if (cumulative && rule.late === "carry" && (flags & (FLAG_RATE | FLAG_DEDUP)) === 0) flags |= FLAG_CARRY;
  return flags;
}

/** A bound that falls into a Window counts from the next one on. */
function alignedValidity({ intervalMs, validity }: Rule): Validity {
  const aligned = (ms: number): number => Math.ceil(ms / intervalMs) * intervalMs;
  return validity === undefined ? ALWAYS : { fromMs: aligned(validity.fromMs), untilMs: aligned(validity.untilMs) };
}

/** Whether a Window that starts then, or a sample of that time, is within. */
export function isValidAt({ fromMs, untilMs }: Validity, ms: number): boolean {
  return ms >= fromMs && ms < untilMs;
}

/** Whether no Window is in both: what one writes, the other may write as well. */
export function areDisjoint(a: Validity, b: Validity): boolean {
  return a.untilMs <= b.fromMs || b.untilMs <= a.fromMs;
}

/** Allocates a rule's record. Throws on an output that is not loaded. */
export function compileRule(root: number, rule: Rule, index: number, known: ReadonlyMap<string, Output>): CompiledRule {
  const outputs = rule.outputs.map((call) => {
    const output = known.get(call.name);
    if (output === undefined) throw new Error(`${rule.place}: output ${call.name} is not loaded`);
    return { output, rows: output.rows(call.args), type: rowTypes.indexOf(rule.type ?? output.type), validity: call.validity ?? ALWAYS };
  });
  const flags = flagsOf(rule, outputs);
  let size = BASIC_AT;
  const room = (kind: number, bytes: number): number => {
    if ((flags & kind) === 0) return 0;
    size += bytes;
    return size - bytes;
  };
  room(KIND_BASIC, BASIC_BYTES);
  const momentsAt = room(KIND_MOMENTS, MOMENTS_BYTES);
  const counterAt = room(KIND_COUNTER, COUNTER_BYTES);
  const sketchAt = room(KIND_SKETCH, SLOT_BYTES);
  const seriesAt = room(KIND_SERIES, SLOT_BYTES);
  const valuesAt = room(KIND_VALUES, SLOT_BYTES);
  const histogramAt = room(KIND_HISTOGRAM, SLOT_BYTES);

  const record = allocate(root, RULE_BYTES);
  if (record === 0) throw new Error(`${rule.place}: no memory for the rule; raise --memory-max`);
  i32.store(record + RULE_FLAGS, flags);
  i32.store(record + RULE_CELL_BYTES, size);
  i32.store(record + RULE_MOMENTS_AT, momentsAt);
  i32.store(record + RULE_COUNTER_AT, counterAt);
  i32.store(record + RULE_SKETCH_AT, sketchAt);
  i32.store(record + RULE_SERIES_AT, seriesAt);
  i32.store(record + RULE_VALUES_AT, valuesAt);
  i32.store(record + RULE_HISTOGRAM_AT, histogramAt);
  i32.store(record + RULE_SERIES_MAX, Math.min(rule.maxSeries, 2 ** 31 - 1));
  i32.store(record + RULE_FIRST, FIRST[rule.firstSample]);
  f64.store(record + RULE_INTERVAL, rule.intervalMs);
  f64.store(record + RULE_WINDOW, Number.NEGATIVE_INFINITY);
  f64.store(record + RULE_MEMORY, rule.seriesMemoryMs);
  f64.store(record + RULE_DEDUP, rule.dedupMs);
  const validity = alignedValidity(rule);
  f64.store(record + RULE_FROM, validity.fromMs);
  f64.store(record + RULE_UNTIL, validity.untilMs);
  return {
    rule,
    validity,
    index,
    outputs,
    flags,
    cellBytes: size,
    momentsAt,
    counterAt,
    sketchAt,
    seriesAt,
    valuesAt,
    histogramAt,
    record,
  };
}

const encoder = new TextEncoder();

/** The names a metric gets from a rule. */
export function namesOf(compiled: CompiledRule, metric: string): OutputNames {
  const texts = compiled.outputs.map(({ output }) => outputNameOf(compiled.rule, metric, output.name));
  const stem = stemOf(compiled.rule, metric);
  const sliceStem = new Uint8Array([...encoder.encode(sliceStemOf(compiled.rule, metric)), 0xff]);
  return { metric, stem, stemBytes: encoder.encode(stem), sliceStem, texts, names: texts.map((text) => encoder.encode(text)) };
}
