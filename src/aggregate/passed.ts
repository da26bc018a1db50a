// What passes the rules, on its way out: collects it between the steps of the engine.
//
//   kernel/pass.ts: ranges of the input ──┐
//   decoded lines, whole or in part ──────┴─▶ bytes of line protocol ─▶ action `lines`, one per step
//   kernel/pass.ts: labels, time, value ────▶ rows ─────────────────▶ action `passed`, with the tick or when 1 MiB is there
//
// Lines leave as they came, byte for byte; of a line that a rule wants a part of, the other fields. Only what no bytes can be
// given back for is written anew (metric/lineEncoder.ts): decoded lines in part, documents in another precision or with a tag,
// and series of remote write, which become fields of the measurement `prometheus_remote_write`, as Telegraf itself reads them.
import {
  FIELD_PASS,
  PASS_AT,
  PASS_LINES,
  PASS_RANGE_BYTES,
  PASS_ROW_BYTES,
  PASS_ROWS,
  PASS_UNMATCHED,
  ROOT_PASS,
  ROOT_PASS_USED,
  ROOT_PASSED,
} from "../kernel/layout.js";
import { heapBuffer } from "../kernel/memory.js";
import type { Point } from "../metric/lineDecoder.js";
import { type EncodablePoint, encodePoint } from "../metric/lineEncoder.js";
import type { RowBlock } from "../metric/rowBlock.js";
import type { Series } from "../metric/series.js";
import type { SeriesReader } from "../metric/seriesReader.js";
import type { Admission } from "./admission.js";

/** How a process passes samples on. */
export interface PassOptions {
  /** `lines`: as line protocol; `rows`: to the sinks. */
  readonly as: "lines" | "rows";
  /** What becomes of samples that no rule wants; those of a rule with `matched: keep` pass in any case. */
  readonly unmatched: "drop" | "pass";
}

export type PassedAction =
  /** Whole lines of line protocol, each with its LF. */
  { readonly kind: "lines"; readonly bytes: Uint8Array } | { readonly kind: "passed"; readonly block: RowBlock };

/** Stands for a rule's name in blocks of samples that passed. */
export const PASSED = "(passed)";
const ROWS_BYTES_MAX = 1 << 20;
const FIRST_BYTES = 65_536;
const NS_PER_MS = 1_000_000n;
const REMOTE_WRITE = Buffer.from("prometheus_remote_write");

/** Takes what the kernel lists at PASS_AT, and decoded lines and samples beside it. */
export interface PassedOn {
  /** Whether whole lines pass, which the kernel cannot tell of decoded ones. */
  readonly asLines: boolean;
  /** Empties the kernel's list. After every run() and add(), before the input they read is moved. */
  drain(): void;
  /** A decoded line, after its samples were added: itself as its own bytes [from, next) when `verbatim`. */
  line(admission: Admission, key: number, point: Point, range: DecodedRange): void;
  /** The series that `reader` stands at, with its Field, after its samples were added. */
  series(field: number, reader: SeriesReader): void;
}

export interface DecodedRange {
  readonly from: number;
  readonly next: number;
  /** It is as it stands there: in nanoseconds, with a time, without a document's tag. */
  readonly verbatim: boolean;
  /** Where its key ends there. */
  readonly keyEnd: number;
  /** It had a time, in whatever precision. */
  readonly timed: boolean;
  readonly tag: DocumentTag | undefined;
}

/** A tag all lines of a document get, over one of the same name. */
export interface DocumentTag {
  readonly key: Uint8Array;
  /** Not empty, no newline. */
  readonly value: Uint8Array;
}

/** The bits of ROOT_PASS. */
export function passBits(pass: PassOptions | undefined, keeps: boolean): number {
  if (pass === undefined || (pass.unmatched === "drop" && !keeps)) return 0;
  return (pass.as === "lines" ? PASS_LINES : PASS_ROWS) | (pass.unmatched === "pass" ? PASS_UNMATCHED : 0);
}

/** A sample of remote write as Telegraf's parser of it makes a point of it. */
function remoteWritePoint(labels: Series["labels"], timeMs: number, value: number): EncodablePoint {
  const name = labels.find(([label]) => label === "__name__")?.[1] ?? "";
  return {
    measurement: REMOTE_WRITE,
    tags: labels.filter(([label]) => label !== "__name__").map(([key, text]) => ({ key: Buffer.from(key), value: Buffer.from(text) })),
    fields: [{ key: Buffer.from(name), value: { kind: "float", value } }],
    time: BigInt(timeMs) * NS_PER_MS,
  };
}

export class Passed implements PassedOn {
  readonly #root: number;
  readonly #bits: number;
  #out: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #rows = 0;

  /** For an engine whose ROOT_PASS is set. */
  constructor(root: number) {
    this.#root = root;
    this.#bits = i32.load(root + ROOT_PASS);
  }

  /** Whether whole lines pass, which the kernel cannot tell of decoded ones. */
  get asLines(): boolean {
    return (this.#bits & PASS_LINES) !== 0;
  }

  /** Takes over what another engine has not handed out yet. */
  adopt(other: Passed): void {
    if (other.#bytes === 0) return;
    const at = this.#reserve(other.#bytes);
    other.#out.copy(this.#out, at, 0, other.#bytes);
    this.#rows += other.#rows;
    other.#bytes = 0;
    other.#rows = 0;
  }

  /** Empties the kernel's list. After every run() and addLine(), before the input they read is moved. */
  drain(): void {
    const used = i32.load(this.#root + ROOT_PASS_USED);
    if (used === 0) return;
    i32.store(this.#root + ROOT_PASS_USED, 0);
    const start = this.#root + PASS_AT;
    if (this.asLines) for (let at = start; at < start + used; at += PASS_RANGE_BYTES) this.#copy(i32.load(at), i32.load(at + 4));
    else for (let at = start; at < start + used; at += PASS_ROW_BYTES) this.#row(at);
  }

  /** A decoded line: what passes of it, as its own bytes [from, next) when that is all of it and `verbatim`. */
  line(admission: Admission, key: number, point: Point, range: DecodedRange): void {
    const fields = point.fields.filter(({ value }, i) =>
      value.kind === "string" ? (this.#bits & PASS_UNMATCHED) !== 0 : admission.passes(key, point, i),
    );
    if (fields.length === 0) return;
    this.#count(fields.length);
    if (range.verbatim && fields.length === point.fields.length) {
      this.#copy(range.from, range.next);
      if (i32.load8_u(range.next - 1) !== 10) this.#newline();
    } else this.#encoded({ ...point, fields });
  }

  /** The numbers of a series, if its Field passes. */
  series(field: number, reader: SeriesReader): void {
    if (!this.asLines || i32.load(field + FIELD_PASS) === 0) return;
    const labels = reader.labels() ?? [];
    const { samples } = reader;
    for (let i = 0; i < samples.count; i++) {
      if (!samples.isNumber(i)) continue;
      this.#count(1);
      this.#encoded(remoteWritePoint(labels, samples.timestamps[i] ?? 0, samples.values[i] ?? 0));
    }
  }

  /** What there is to hand out; `all`: also rows that could wait for more. */
  take(nowMs: number, all: boolean): PassedAction | undefined {
    if (this.#bytes === 0 || (!all && !this.asLines && this.#bytes < ROWS_BYTES_MAX)) return undefined;
    const bytes = this.#out.subarray(0, this.#bytes);
    const rowCount = this.#rows;
    this.#out = Buffer.alloc(0);
    this.#bytes = 0;
    this.#rows = 0;
    return this.asLines ? { kind: "lines", bytes } : { kind: "passed", block: { rule: PASSED, windowEndMs: nowMs, rowCount, bytes } };
  }

  #count(samples: number): void {
    f64.store(this.#root + ROOT_PASSED, f64.load(this.#root + ROOT_PASSED) + samples);
  }

  #encoded(point: EncodablePoint): void {
    const text = encodePoint(point);
    if (text === undefined) return;
    const at = this.#reserve(text.length + 1);
    this.#out.set(text, at);
    this.#out[at + text.length] = 10;
  }

  #newline(): void {
    const at = this.#reserve(1);
    this.#out[at] = 10;
  }

  #copy(from: number, to: number): void {
    const at = this.#reserve(to - from);
    heapBuffer.copy(this.#out, at, from, to);
  }

  #row(at: number): void {
    const labels = i32.load(at);
    this.#copy(labels + 4, labels + 4 + i32.load(labels));
    // Time and value stand behind each other here as in a row, whose start timestamp is 0.
    this.#copy(at + 8, at + 24);
    const end = this.#reserve(8);
    this.#out.fill(0, end, end + 8);
    this.#rows++;
  }

  /** Makes room for `bytes` bytes at the end; returns where they go. */
  #reserve(bytes: number): number {
    const at = this.#bytes;
    this.#bytes += bytes;
    if (this.#bytes > this.#out.length) {
      const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, this.#bytes, this.#out.length * 2));
      this.#out.copy(grown, 0, 0, at);
      this.#out = grown;
    }
    return at;
  }
}
