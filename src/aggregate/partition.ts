// The partition of input by owner: which lanes a line is for, by the same matching, naming and grouping that its owner will do. An
// engine without Cells: its Groups know their SliceKey and nothing else.
//
//   document ─▶ run() / decoder ─▶ Key ─▶ targets ─▶ Groups ─▶ SliceKeys ─▶ lanes ─▶ LaneLines
//
// A line goes once to each distinct lane that one of its samples belongs to, as it came; stamped with its arrival if it had no time.
// So does a series of remote write, with its samples.
// Everything it remembers is a cache: when memory is short, all of it is forgotten. bench: partition.
import {
  LANES_MAX,
  PASS_ROUTE,
  ROOT_ARRIVAL,
  ROOT_DIVISION,
  ROOT_GROUPS,
  ROOT_INEXACT,
  ROOT_KEYS,
  ROOT_LANES,
  ROOT_LASTS,
  ROOT_LINES,
  ROOT_PAGES,
  ROOT_PASS,
  ROOT_SLICES,
  SLICE_BYTES,
  SLICES_AT,
  SLICES_MAX,
} from "../kernel/layout.js";
import "../kernel/constants.js";
import { closeOwner, openOwner, ownedBytes } from "../kernel/pages.js";
import { markLanes } from "../kernel/route.js";
import { tableOpen } from "../kernel/table.js";
import { Admission } from "./admission.js";
import { compileRule } from "./compile.js";
import { LaneCollector, type LaneLines } from "./laneLines.js";
import { type EngineLedger, readLedger } from "./ledger.js";
import { type LineDocument, readLines } from "./lineDocument.js";
import type { Intake } from "./lines.js";
import type { Output } from "./output.js";
import { openParts, type Parts } from "./parts.js";
import type { Rule } from "./rule.js";
import { buildRuleIndex, type RuleIndex } from "./ruleIndex.js";
import { readSeries, type SeriesDocument } from "./seriesDocument.js";

export interface PartitionOptions {
  /** Of all versions in force: a line goes to the owners of the Groups of each. */
  readonly rules: readonly Rule[];
  readonly outputs: ReadonlyMap<string, Output>;
  readonly naming: "telegraf" | "vmagent";
  readonly memoryBytesMax: number;
  /** Lines older than this on arrival hold no window. */
  readonly holdMs: number;
}

/** Who has which SliceKey: the lowest key of each slice (the first is 0), and its lane. */
export interface Division {
  readonly lows: Uint32Array;
  readonly numbers: Int32Array;
}

/** More than this part of its memory is not used: what one more piece may admit fits above it. */
const FULL = 0.9;

export class Partition {
  readonly #options: PartitionOptions;
  readonly #index: RuleIndex;
  #root = 0;
  /** One, which holds everything. */
  #parts: Parts;
  #intake: Intake;
  #lanes: LaneCollector;
  #division: Division = { lows: Uint32Array.of(0), numbers: Int32Array.of(0) };
  #laneCount = 1;
  /** How often it forgot everything for want of memory. */
  resets = 0;
  linesRead = 0;
  readonly linesInvalid = { syntax: 0, too_long: 0 };

  /** Throws when there is no memory for its tables. */
  constructor(options: PartitionOptions) {
    const withoutCaps = { maxSeries: Number.POSITIVE_INFINITY, maxGroups: Number.POSITIVE_INFINITY };
    this.#options = { ...options, rules: options.rules.map((rule) => ({ ...rule, ...withoutCaps })) };
    this.#index = buildRuleIndex(options.rules);
    [this.#parts, this.#intake, this.#lanes] = this.#open();
  }

  /** Divides the key space anew. What was read before must have been taken. Throws past LANES_MAX lanes or SLICES_MAX slices. */
  divide(division: Division, lanes: number): void {
    if (lanes > LANES_MAX || division.lows.length > SLICES_MAX)
      throw new Error(`${String(lanes)} owners of ${String(division.lows.length)} slices; at most ${String(LANES_MAX)} and ${String(SLICES_MAX)}`);
    this.#division = division;
    this.#laneCount = lanes;
    this.#divide();
  }

  /** Reads a piece of a document that is not done; again until it is. */
  read(nowMs: number, document: LineDocument | SeriesDocument): void {
    const { bytes, bytesMax } = ownedBytes(this.#root);
    if (bytes > bytesMax * FULL) this.#forget();
    f64.store(this.#root + ROOT_ARRIVAL, nowMs);
    this.#lanes.begin(document.kind, nowMs);
    if (document.kind === "series") {
      readSeries(this.#intake, document);
      return;
    }
    const { good, syntax, tooLong } = readLines(this.#intake, document);
    this.linesRead += good + syntax + tooLong;
    this.linesInvalid.syntax += syntax;
    this.linesInvalid.too_long += tooLong;
  }

  /** What was read since the last call, by lane. */
  take(): LaneLines[] {
    return this.#lanes.take();
  }

  ledger(): EngineLedger {
    return readLedger(this.#root, this.#parts);
  }

  memory(): { readonly bytes: number; readonly bytesMax: number } {
    return ownedBytes(this.#root);
  }

  /** Goes on counting where another one, whose rules are no longer in force, stopped. */
  succeed(previous: Partition): void {
    copyCounts(previous.#root, this.#root);
    this.linesRead += previous.linesRead;
    this.linesInvalid.syntax += previous.linesInvalid.syntax;
    this.linesInvalid.too_long += previous.linesInvalid.too_long;
    this.resets += previous.resets;
  }

  dispose(): void {
    closeOwner(this.#root);
  }

  #open(): [Parts, Intake, LaneCollector] {
    const { rules, outputs, naming, memoryBytesMax, holdMs } = this.#options;
    const root = openOwner(ROOT_PAGES, memoryBytesMax);
    let parts: Parts;
    try {
      for (const table of [ROOT_KEYS, ROOT_GROUPS, ROOT_LASTS])
        if (tableOpen(root, root + table, 1024) === 0) throw new Error("no memory to divide the input; raise --memory-max");
      // Nothing is remembered of a Series: flags are what Lasts are kept for.
      const compiled = rules.map((rule, i) => ({ ...compileRule(root, rule, i, outputs), flags: 0 }));
      parts = openParts(root, compiled, 0);
    } catch (cause) {
      closeOwner(root);
      throw cause;
    }
    this.#root = root;
    i32.store(root + ROOT_PASS, PASS_ROUTE);
    const admission = new Admission(root, parts, this.#index, naming);
    const lanes = new LaneCollector(root, { holdMs, arrival: rules.some(({ time }) => time === "arrival") });
    this.#parts = parts;
    this.#intake = { root, admission, parts, add: markLanes, passed: lanes };
    this.#lanes = lanes;
    this.#divide();
    return [parts, this.#intake, lanes];
  }

  #divide(): void {
    const root = this.#root;
    const { lows, numbers } = this.#division;
    for (let i = 0; i < lows.length; i++) {
      const at = root + SLICES_AT + i * SLICE_BYTES;
      i32.store(at, (lows[i] ?? 0) ^ 0x80000000);
      i32.store(at + 4, numbers[i] ?? 0);
    }
    i32.store(root + ROOT_SLICES, lows.length);
    i32.store(root + ROOT_LANES, this.#laneCount);
    i32.store(root + ROOT_DIVISION, i32.load(root + ROOT_DIVISION) + 1);
    this.#lanes.open(this.#laneCount);
  }

  /** Memory is short: starts anew with what comes. Nothing is under way between two pieces. */
  #forget(): void {
    const before = this.#root;
    const collected = this.#lanes;
    this.#open();
    copyCounts(before, this.#root);
    this.#lanes.adopt(collected);
    closeOwner(before);
    this.resets++;
  }
}

function copyCounts(from: number, to: number): void {
  for (let at = ROOT_LINES; at <= ROOT_INEXACT; at += 8) f64.store(to + at, f64.load(from + at));
}
