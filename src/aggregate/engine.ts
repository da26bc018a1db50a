// The engine: the machine in which lines become windows and windows become rows. Pure: every step gets the time and an event
// and returns actions; it does no I/O and reads no clock. State lives in flat memory (kernel/layout.ts).
//
//   bytes ─▶ input area ─▶ run() ──plain lines──────────────▶ Cells ──tick: end + grace passed──▶ frozen rows ─▶ outbox
//                            └──unusual──▶ decodeLine ─▶ admission ─┘
//
// The driver writes bytes into `inputRoom()` and reports them; whole lines are consumed, the rest waits for more.
import {
  INPUT_AT,
  INPUT_BYTES,
  INPUT_SLACK,
  LEDGER_CLOSED,
  LEDGER_GROUP_COUNT,
  ROOT_ARRIVAL,
  ROOT_FUTURE,
  ROOT_GROUPS,
  ROOT_INEXACT,
  ROOT_KEYS,
  ROOT_LASTS,
  ROOT_LINES,
  ROOT_MATCHED,
  ROOT_PAGES,
  ROOT_PASS,
  ROOT_PASSED,
  ROOT_PREVIOUS,
  ROOT_RECEIVED,
  ROOT_STOP,
  RUN_DONE,
  RUN_UNUSUAL,
} from "../kernel/layout.js";
import "../kernel/constants.js";
import { heap8, heapBuffer, PAGE_BYTES, PAGE_COUNT } from "../kernel/memory.js";
import { closeOwner, openOwner, ownedBytes, shrinkOwner } from "../kernel/pages.js";
import { addLine } from "../kernel/plan.js";
import { run } from "../kernel/reader.js";
import { tableOpen } from "../kernel/table.js";
import { decodeLine } from "../metric/lineDecoder.js";
import type { MarkKind, RowBlock } from "../metric/rowBlock.js";
import { RowWriter } from "../metric/rowWriter.js";
import { Admission, type NameLosses } from "./admission.js";
import { applyBatch, type BatchAnswer, type BatchSaid } from "./batch.js";
import { type CompiledRule, compileRule } from "./compile.js";
import { centroidsHeld, dropDigests } from "./digests.js";
import { backlogOf, dueEnd, isDue } from "./due.js";
import { closeWindow, lastWindow, nextWindow, type RowLabels, rowLabelsOf } from "./flush.js";
import { takeProbes } from "./heavyKeys.js";
import { type EngineLedger, readLedger } from "./ledger.js";
import { type LineDocument, readLines } from "./lineDocument.js";
import { applyPoint, clearTheWay, type Intake, isTooLong, placeOf, TOO_LONG } from "./lines.js";
import type { Output } from "./output.js";
import type { Ledger, Part } from "./part.js";
import { openParts, type Parts } from "./parts.js";
import { Passed, type PassedAction, type PassOptions, passBits } from "./passed.js";
import type { Rule } from "./rule.js";
import { buildRuleIndex } from "./ruleIndex.js";
import { readSeries, type SeriesDocument } from "./seriesDocument.js";
import { Silence } from "./silence.js";
import { Sweeper, type SweepPace } from "./sweeper.js";
import { Unseen } from "./unseen.js";

/** What all engines of a process can use. */
export const ENGINE_BYTES_MAX = PAGE_BYTES * PAGE_COUNT;
const HOLD_MS = 60_000;
const FORGET_MS = 3_600_000;
/** Groups and rows that one tick closes, give or take the last Window of one Ledger: about 10 ms. */
const CLOSED_MAX = 20_000;

export interface EngineOptions {
  readonly rules: readonly Rule[];
  readonly outputs: ReadonlyMap<string, Output>;
  readonly naming: "telegraf" | "vmagent";
  /** Serving: now. -Infinity (replay): nothing is late or in the future, and windows close at `finish` alone. */
  readonly startMs: number;
  readonly maxFutureMs: number;
  readonly memoryBytesMax: number;
  /** Blocks of these marks are wanted beside the samples; none by default. */
  readonly marks?: ReadonlySet<MarkKind>;
  /** A router's backlog holds a Window so long, ms (60 s). */
  readonly holdMs?: number;
  /** A router that is silent for so long is forgotten, ms (1 h). */
  readonly forgetMs?: number;
  /** How often, and how much at a time, it sweeps; SWEEP_PACE by default. */
  readonly sweepPace?: SweepPace;
  /** What goes on as it came; nothing without. */
  readonly pass?: PassOptions | undefined;
}

/** What happens to an engine. Input lies in the input area. */
export type EngineEvent =
  | { readonly kind: "input"; readonly bytes: number; readonly final: boolean }
  /** One piece of a whole document, which remembers how far it got; again until it is done. */
  | { readonly kind: "document"; readonly document: LineDocument | SeriesDocument }
  | { readonly kind: "tick" }
  /** Close every open Window: complete ones as themselves, those still running stamped with now (replay: with their end). */
  | { readonly kind: "finish" };

export type EngineAction =
  | PassedAction
  /** Something an operator should look at; `about` says what kind of thing. */
  | { readonly kind: "warning"; readonly about: "refused" | "silent"; readonly message: string }
  | { readonly kind: "rows"; readonly block: RowBlock }
  | { readonly kind: "invalid"; readonly reason: "syntax" | "too_long"; readonly line: number; readonly column: number; readonly message: string };

/** The ledger and what else the process counts. */
export interface ProcessCounts extends EngineLedger, NameLosses {
  readonly linesRead: number;
  readonly linesInvalid: Readonly<Record<string, number>>;
  /** Ranges that lost batches which their router had given up. */
  readonly losses: number;
}

export class Engine {
  readonly root: number;
  readonly rules: readonly CompiledRule[];
  /** What it holds. At first one Part, the whole key space. */
  readonly parts: Parts;
  readonly admission: Admission;
  readonly #options: EngineOptions;
  readonly #writer = new RowWriter();
  readonly #stale: RowWriter | undefined;
  readonly #zero: RowWriter | undefined;
  readonly #labels = new Map<CompiledRule, Map<number, RowLabels>>();
  readonly #passed: Passed;
  readonly #intake: Intake;
  readonly #silence: Silence;
  /** Bytes of an unfinished line at the start of the input area. */
  #pending = 0;
  /** Inside an over-long line: everything up to the next newline is dropped. */
  #skipping = false;
  /** Newlines consumed outside run(), for line numbers. */
  #slowLines = 0;
  /** A router's backlog holds a Window so long, ms. */
  readonly holdMs: number;
  readonly #sweeper: Sweeper;
  #busy = false;
  #unseen: Unseen;
  /** Whether it is known since when series memory is complete. */
  #complete: boolean;
  #linesInvalid: Record<string, number> = {};
  #linesRead = 0;
  #losses = 0;
  /** Of the engines before this one. */
  #nameLosses: NameLosses = { labelsLost: 0, badUtf8: 0 };

  constructor(options: EngineOptions) {
    this.#options = options;
    this.holdMs = options.holdMs ?? HOLD_MS;
    this.#stale = options.marks?.has("stale") === true ? new RowWriter() : undefined;
    this.#zero = options.marks?.has("zero") === true ? new RowWriter() : undefined;
    this.root = openOwner(ROOT_PAGES, options.memoryBytesMax);
    try {
      this.rules = openRules(this.root, options);
      this.parts = openParts(this.root, this.rules, options.startMs);
    } catch (cause) {
      closeOwner(this.root);
      throw cause;
    }
    const root = this.root;
    i32.store(root + ROOT_PASS, passBits(options.pass, options.rules.some(keepsMatched)));
    this.#passed = new Passed(root);
    this.admission = new Admission(root, this.parts, buildRuleIndex(options.rules), options.naming);
    this.#intake = { root, admission: this.admission, parts: this.parts, add: addLine, passed: this.#passed };
    this.#unseen = new Unseen(root, this.parts);
    this.#silence = new Silence(this.parts, options.startMs);
    this.#sweeper = new Sweeper(this, options.startMs, { forgetMs: options.forgetMs ?? FORGET_MS, pace: options.sweepPace });
    this.#complete = options.startMs !== Number.NEGATIVE_INFINITY;
  }

  /** Where the next bytes go: kernel memory. Never empty; valid until the next step. */
  inputRoom(): Buffer {
    const start = this.root + INPUT_AT;
    return heapBuffer.subarray(start + this.#pending, start + INPUT_BYTES - INPUT_SLACK);
  }

  /**
   * A router's batch, whole, in one step; see applyBatch. Lines and series that are none are counted; they never fail a batch.
   * `body`: as laneBody.ts has it.
   */
  batch(nowMs: number, head: BatchSaid, body: Uint8Array): readonly BatchAnswer[] {
    this.#arrive(nowMs);
    const { answers, losses, invalid } = applyBatch(this.#intake, nowMs, head, body);
    takeProbes(this.root, this.parts);
    this.#losses += losses;
    this.#linesRead += invalid.syntax + invalid.too_long;
    for (const reason of ["syntax", "too_long", "series"] as const) this.#invalid(reason, invalid[reason]);
    return answers;
  }

  /** One event, in order. The actions are to be carried out in order. */
  step(nowMs: number, event: EngineEvent): EngineAction[] {
    const actions: EngineAction[] = [];
    if (event.kind === "input") this.#input(nowMs, event.bytes, event.final, actions);
    else if (event.kind === "document") this.#document(nowMs, event.document);
    else if (event.kind === "tick") this.#tick(nowMs, actions);
    else this.#finish(nowMs, actions);
    takeProbes(this.root, this.parts);
    const passed = this.#passed.take(nowMs, event.kind === "tick" || event.kind === "finish");
    if (passed !== undefined) actions.push(passed);
    return actions;
  }

  /** Copies a chunk of any size in and steps; for callers without zero-copy reads. */
  feed(nowMs: number, chunk: Uint8Array, final = false): EngineAction[] {
    const actions: EngineAction[] = [];
    let from = 0;
    do {
      const room = this.inputRoom();
      const piece = chunk.subarray(from, from + room.length);
      room.set(piece);
      from += piece.length;
      // Not a spread: as arguments, the errors of 2 MiB of garbage would overflow the stack.
      for (const action of this.step(nowMs, { kind: "input", bytes: piece.length, final: final && from === chunk.length })) actions.push(action);
    } while (from < chunk.length);
    return actions;
  }

  ledger(): ProcessCounts {
    const read = this.#linesRead + f64.load(this.root + ROOT_LINES);
    return {
      ...readLedger(this.root, this.parts),
      ...this.admission.nameLosses(this.#nameLosses),
      linesRead: read,
      losses: this.#losses,
      linesInvalid: { ...this.#linesInvalid },
    };
  }

  /** Whether the last tick left something to do, Windows that are due or the sweep: tick again, after whatever else waits. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Bytes of a line that has not ended yet; a copy. */
  unfinishedInput(): Uint8Array {
    const start = this.root + INPUT_AT;
    return heap8.slice(start, start + this.#pending);
  }

  /** Flat memory, and the centroids of t-digests, which lie outside of it. */
  memory(): { readonly bytes: number; readonly bytesMax: number; readonly centroids: number } {
    return { ...ownedBytes(this.root), centroids: centroidsHeld(this.root) };
  }

  /**
   * Takes over from an engine whose state was restored into this one: the counts of the process and the unfinished line, which
   * belong to no slice. The other one keeps nothing but its input area, for a read that is under way; dispose of it after that.
   */
  succeed(previous: Engine): void {
    for (let at = ROOT_LINES; at <= ROOT_INEXACT; at += 8) f64.store(this.root + at, f64.load(previous.root + at));
    this.#unseen = new Unseen(this.root, this.parts);
    f64.store(this.root + ROOT_PASSED, f64.load(previous.root + ROOT_PASSED));
    this.#passed.adopt(previous.#passed);
    this.#linesRead = previous.#linesRead;
    this.#losses = previous.#losses;
    this.#linesInvalid = { ...previous.#linesInvalid };
    this.#nameLosses = previous.admission.nameLosses(previous.#nameLosses);
    this.#slowLines = previous.#slowLines;
    this.#skipping = previous.#skipping;
    const unfinished = previous.unfinishedInput();
    heap8.set(unfinished, this.root + INPUT_AT);
    this.#pending = unfinished.length;
    dropDigests(previous.root);
    shrinkOwner(previous.root);
  }

  /** Gives the engine's memory back. */
  dispose(): void {
    dropDigests(this.root);
    closeOwner(this.root);
  }

  #input(nowMs: number, bytes: number, final: boolean, actions: EngineAction[]): void {
    const root = this.root;
    const start = root + INPUT_AT;
    const end = start + this.#pending + bytes;
    this.#arrive(nowMs);
    let p = this.#skipping ? this.#resync(start, end) : start;
    const lineEnd = p + heapBuffer.subarray(p, end).lastIndexOf(10) + 1;
    while (p < end) {
      if (p < lineEnd) {
        // Until a first sample says since when a replay is complete, lines take the path that looks at it.
        const code = this.#complete ? run(root, p, lineEnd) : RUN_UNUSUAL;
        if (this.#complete) p = i32.load(root + ROOT_STOP);
        if (code === RUN_DONE) continue;
        if (clearTheWay(this.#intake, code, lineEnd)) continue;
      } else if (!final && !isTooLong(p, end)) break;
      const next = this.#unusual(p, end, final, actions);
      if (next < 0) break;
      p = next;
      this.#complete = this.#complete || f64.load(root + ROOT_MATCHED) > 0;
    }
    this.#passed.drain();
    this.#pending = end - p;
    if (this.#pending > 0 && p !== start) heap8.copyWithin(start, p, end);
  }

  /** Samples of this step arrive now. */
  #arrive(nowMs: number): void {
    const replay = this.#options.startMs === Number.NEGATIVE_INFINITY;
    f64.store(this.root + ROOT_ARRIVAL, nowMs);
    f64.store(this.root + ROOT_FUTURE, replay ? Number.POSITIVE_INFINITY : nowMs + this.#options.maxFutureMs);
  }

  #document(nowMs: number, document: LineDocument | SeriesDocument): void {
    this.#arrive(nowMs);
    if (document.kind === "series") {
      const { invalid } = document;
      readSeries(this.#intake, document);
      this.#invalid("series", document.invalid - invalid);
      return;
    }
    const ran = f64.load(this.root + ROOT_LINES);
    const read = readLines(this.#intake, document);
    const plain = f64.load(this.root + ROOT_LINES) - ran;
    // The stream's line numbers count ROOT_LINES too.
    this.#slowLines -= plain;
    this.#linesRead += read.good - plain + read.syntax + read.tooLong;
    this.#invalid("syntax", read.syntax);
    this.#invalid("too_long", read.tooLong);
  }

  /** Takes one line through the decoder. Returns the address behind it, -1 when it needs more bytes. */
  #unusual(p: number, end: number, final: boolean, actions: EngineAction[]): number {
    const result = decodeLine(heap8, p, end, final);
    // Judged by its bytes alone, so that it makes no difference in which pieces a line came.
    if (isTooLong(p, result.kind === "incomplete" ? end : result.next)) return this.#giveUp(p, end, actions);
    if (result.kind === "incomplete") return -1;
    const line = this.#slowLines + f64.load(this.root + ROOT_LINES) + 1;
    if (result.kind === "point") {
      this.#linesRead++;
      const key = applyPoint(this.#intake, result.point);
      if (key !== 0) i32.store(this.root + ROOT_PREVIOUS, key);
      const range = { from: p, next: result.next, keyEnd: result.point.keyEnd, verbatim: true, timed: true, tag: undefined };
      if (this.#passed.asLines) this.#passed.line(this.admission, key, result.point, range);
    } else if (result.kind === "error") {
      this.#linesRead++;
      this.#invalid("syntax");
      actions.push({ kind: "invalid", reason: "syntax", message: result.message, ...placeOf(p, result.offset, line) });
    }
    for (let q = p; q < result.next; q++) if (i32.load8_u(q) === 10) this.#slowLines++;
    return result.next;
  }

  #invalid(reason: string, lines = 1): void {
    if (lines > 0) this.#linesInvalid[reason] = (this.#linesInvalid[reason] ?? 0) + lines;
  }

  #giveUp(p: number, end: number, actions: EngineAction[]): number {
    const line = this.#slowLines + f64.load(this.root + ROOT_LINES) + 1;
    this.#linesRead++;
    this.#invalid("too_long");
    actions.push({ kind: "invalid", reason: "too_long", line, column: 1, message: TOO_LONG });
    this.#skipping = true;
    return this.#resync(p, end);
  }

  /** Address behind the first newline in [p, end), `end` when there is none (then the skipping goes on). */
  #resync(p: number, end: number): number {
    for (let q = p; q < end; q++) {
      if (i32.load8_u(q) !== 10) continue;
      this.#skipping = false;
      this.#slowLines++;
      return q + 1;
    }
    return end;
  }

  #tick(nowMs: number, actions: EngineAction[]): void {
    this.#unseen.note(nowMs);
    let room = CLOSED_MAX;
    for (const part of this.parts.list) {
      if (room <= 0 || part.mode !== "serving" || !isDue(nowMs, part)) continue;
      room = this.#closeDue(nowMs, part, { room, actions });
    }
    this.#busy = room <= 0;
    for (const message of this.admission.refusals.take(nowMs)) actions.push({ kind: "warning", about: "refused", message });
    for (const message of this.#silence.take(nowMs, f64.load(this.root + ROOT_RECEIVED))) actions.push({ kind: "warning", about: "silent", message });
    if (!this.#busy) this.#busy = this.#sweeper.go(nowMs);
  }

  /** Closes Windows that are due, whole ones, while there is room. Returns what is left of it. */
  #closeDue(nowMs: number, part: Part, { room, actions }: { readonly room: number; readonly actions: EngineAction[] }): number {
    const backlog = backlogOf(part, nowMs, this.holdMs);
    let left = room;
    for (const ledger of part.ledgers) {
      const { intervalMs } = ledger.compiled.rule;
      const due = dueEnd(nowMs, ledger.compiled.rule, backlog);
      if (f64.load(ledger.at + LEDGER_CLOSED) >= due) continue;
      for (;;) {
        if (left <= 0) return left;
        const window = nextWindow(ledger);
        if (window + intervalMs > due) break;
        left -= this.#close(ledger, window, window + intervalMs, actions);
      }
      f64.store(ledger.at + LEDGER_CLOSED, due);
    }
    return left;
  }

  #finish(nowMs: number, actions: EngineAction[]): void {
    const serving = this.parts.list.filter(({ mode }) => mode === "serving");
    for (const { index } of this.rules) {
      const last = lastWindow(serving.flatMap((part) => part.ledgers[index] ?? []));
      for (const part of serving) {
        const ledger = part.ledgers[index];
        if (ledger !== undefined) this.#finishLedger(nowMs, ledger, last, actions);
      }
    }
  }

  /** Closes all Windows up to the one that starts at `last`. */
  #finishLedger(nowMs: number, ledger: Ledger, last: number, actions: EngineAction[]): void {
    const replay = this.#options.startMs === Number.NEGATIVE_INFINITY;
    let stamp = nowMs;
    for (;;) {
      const window = nextWindow(ledger);
      const endMs = window + ledger.compiled.rule.intervalMs;
      if (window > last || window === Number.POSITIVE_INFINITY) return;
      if (replay || endMs <= nowMs) this.#close(ledger, window, endMs, actions);
      else {
        // One value per series and timestamp: a window that ended just now has this stamp, and a second unfinished one
        // (samples from the near future) is one later.
        if (f64.load(ledger.at + LEDGER_CLOSED) === stamp) stamp++;
        this.#close(ledger, window, stamp, actions);
        ledger.windowsPartial++;
        stamp++;
      }
    }
  }

  /** Returns the Groups it went through and the rows it made. */
  #close(ledger: Ledger, windowMs: number, stampMs: number, actions: EngineAction[]): number {
    const labels = (names: number): RowLabels => this.#rowLabels(ledger.compiled, names);
    const writers = { writer: this.#writer, stale: this.#stale, zero: this.#zero };
    const blocks = closeWindow({ root: this.root, ledger, ...writers, labels, windowMs, stampMs });
    ledger.windowsFlushed++;
    for (const block of blocks) actions.push({ kind: "rows", block });
    return blocks.reduce((sum, { rowCount }) => sum + rowCount, i32.load(ledger.at + LEDGER_GROUP_COUNT));
  }

  #rowLabels(compiled: CompiledRule, names: number): RowLabels {
    const own = this.admission.names(names).relabelled;
    if (own !== undefined) return own;
    let known = this.#labels.get(compiled);
    if (known === undefined) {
      known = new Map();
      this.#labels.set(compiled, known);
    }
    let labels = known.get(names);
    if (labels === undefined) {
      labels = rowLabelsOf(compiled, this.admission.names(names));
      known.set(names, labels);
    }
    return labels;
  }
}

function keepsMatched({ matched, state }: Rule): boolean {
  return matched === "keep" && state === "active";
}

/** Fills a new engine's memory: its tables, and the records of its rules. Throws when there is not enough of it. */
function openRules(root: number, options: EngineOptions): CompiledRule[] {
  for (const table of [ROOT_KEYS, ROOT_GROUPS, ROOT_LASTS]) {
    if (tableOpen(root, root + table, 1024) === 0) throw new Error("no memory for the engine's tables; raise --memory-max");
  }
  return options.rules.map((rule, i) => compileRule(root, rule, i, options.outputs));
}
