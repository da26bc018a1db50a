// Whole documents: input that comes with a beginning and an end of its own (a request body), beside the stream of standard
// input. The engine reads one piece by piece, so that a large document holds up neither the stream nor the clock; between two
// pieces anything else may happen, because a document keeps its own place, line numbers and counts.
//
//   at ─▶ piece ─▶ piece ─▶ ... ─▶ at === bytes.length: done
//
// Lines with nanoseconds take the hot loop like those of the stream. Another precision, or a tag that all lines get, takes
// every line through the decoder, about ten times slower (bench: ingest).
import { BODY_AT, BODY_BYTES, COMPOSED_AT, INPUT_SLACK, ROOT_ARRIVAL, ROOT_LINES, ROOT_PREVIOUS, ROOT_STOP, RUN_DONE } from "../kernel/layout.js";
import { heap8 } from "../kernel/memory.js";
import { run } from "../kernel/reader.js";
import { decodeLine, type Point } from "../metric/lineDecoder.js";
import { applyPoint, clearTheWay, type Intake, isTooLong, TOO_LONG } from "./lines.js";
import type { DocumentTag } from "./passed.js";

/** A line that is not line protocol. */
export interface LineFault {
  readonly reason: "syntax" | "too_long";
  /** From 1, within the document. */
  readonly line: number;
  /** Bytes, from 1. */
  readonly column: number;
  readonly message: string;
}

const FAULTS_MAX = 8;
/** Read in one step: about 1300 lines. */
const PIECE_BYTES = 262_144;

/** A document of line protocol on its way in. */
export class LineDocument {
  readonly kind = "lines";
  readonly bytes: Uint8Array;
  /** Nanoseconds per unit of its timestamps. */
  readonly unitNs: bigint;
  readonly tag: DocumentTag | undefined;
  /** First byte that was not consumed. Written by the engine. */
  at = 0;
  /** Newlines consumed. */
  newlines = 0;
  /** Lines that were points; blank lines and comments are not counted. */
  good = 0;
  readonly invalid = { syntax: 0, too_long: 0 };
  /** The first FAULTS_MAX of the invalid ones. */
  readonly faults: LineFault[] = [];

  /** False: more follows in another document, so what does not end here is left. */
  readonly ends: boolean;

  constructor(bytes: Uint8Array, unitNs = 1n, tag?: DocumentTag, ends = true) {
    this.bytes = bytes;
    this.unitNs = unitNs;
    this.tag = tag;
    this.ends = ends;
  }

  get done(): boolean {
    return this.at === this.bytes.length;
  }

  /** Whether the hot loop understands its lines. */
  get plain(): boolean {
    return this.unitNs === 1n && this.tag === undefined;
  }

  refuse(fault: LineFault): void {
    this.invalid[fault.reason]++;
    if (this.faults.length < FAULTS_MAX) this.faults.push(fault);
  }
}

/** What one step read, in lines. */
export interface LinesRead {
  readonly good: number;
  readonly syntax: number;
  readonly tooLong: number;
}

/** Reads the next piece of a document that is not done. */
export function readLines(intake: Intake, document: LineDocument): LinesRead {
  const { good, invalid } = document;
  const { syntax, too_long } = invalid;
  const start = intake.root + BODY_AT;
  for (const size of [PIECE_BYTES, BODY_BYTES - INPUT_SLACK]) {
    const piece = document.bytes.subarray(document.at, document.at + size);
    heap8.set(piece, start);
    const whole = document.at + piece.length === document.bytes.length;
    const final = whole && document.ends;
    const next = new PieceReader(intake, document).read(start, start + piece.length, final);
    document.at += next - start;
    if (next > start || document.done || (whole && !document.ends && piece.length < size)) break;
    if (size > PIECE_BYTES) skipLine(document);
  }
  return { good: document.good - good, syntax: invalid.syntax - syntax, tooLong: invalid.too_long - too_long };
}

/** Gives up a line that is longer than a piece can be: reading goes on behind its newline. */
function skipLine(document: LineDocument): void {
  const newline = document.bytes.indexOf(10, document.at);
  document.refuse({ reason: "too_long", line: document.newlines + 1, column: 1, message: TOO_LONG });
  document.newlines++;
  document.at = newline < 0 ? document.bytes.length : newline + 1;
}

class PieceReader {
  readonly #intake: Intake;
  readonly #document: LineDocument;

  constructor(intake: Intake, document: LineDocument) {
    this.#intake = intake;
    this.#document = document;
  }

  /** Reads the lines of [start, end). Returns the address of the first byte it did not consume. */
  read(start: number, end: number, final: boolean): number {
    let p = start;
    if (this.#document.plain) p = this.#run(p, end, final);
    while (p < end) {
      const next = this.#decode(p, end, final);
      if (next < 0) break;
      p = next;
    }
    return p;
  }

  /** The hot loop, as far as whole lines go. */
  #run(start: number, end: number, final: boolean): number {
    const { root, passed } = this.#intake;
    let p = start;
    let lineEnd = end;
    while (lineEnd > start && i32.load8_u(lineEnd - 1) !== 10) lineEnd--;
    while (p < lineEnd) {
      const before = f64.load(root + ROOT_LINES);
      const code = run(root, p, lineEnd);
      const lines = f64.load(root + ROOT_LINES) - before;
      this.#document.good += lines;
      this.#document.newlines += lines;
      p = i32.load(root + ROOT_STOP);
      if (code === RUN_DONE) break;
      if (clearTheWay(this.#intake, code, lineEnd)) continue;
      const next = this.#decode(p, end, final);
      if (next < 0) break;
      p = next;
    }
    passed.drain();
    return p;
  }

  /** Takes one line through the decoder. Returns the address behind it, -1 when it goes on beyond the piece. */
  #decode(p: number, end: number, final: boolean): number {
    const document = this.#document;
    const result = decodeLine(heap8, p, end, final);
    if (result.kind === "incomplete") return -1;
    const long = isTooLong(p, result.next);
    if (result.kind === "point" && !long) {
      document.good++;
      this.#apply(result.point, p, result.next);
    }
    const { newlines } = document;
    let lineStart = p;
    let line = newlines + 1;
    const fault = result.kind === "error" ? result.offset : p;
    for (let q = p; q < result.next; q++) {
      if (i32.load8_u(q) !== 10) continue;
      document.newlines++;
      if (q >= fault) continue;
      line++;
      lineStart = q + 1;
    }
    if (long) document.refuse({ reason: "too_long", line: newlines + 1, column: 1, message: TOO_LONG });
    else if (result.kind === "error") document.refuse({ reason: "syntax", line, column: fault - lineStart + 1, message: result.message });
    return result.next;
  }

  #apply(decoded: Point, from: number, next: number): void {
    const { plain } = this.#document;
    const { root, admission, passed } = this.#intake;
    const point = plain ? decoded : this.#complete(decoded);
    const key = applyPoint(this.#intake, point);
    if (key !== 0 && plain) i32.store(root + ROOT_PREVIOUS, key);
    if (!passed.asLines) return;
    // By HTTP nobody says when the line was taken but we.
    const time = point.time ?? BigInt(Math.trunc(f64.load(root + ROOT_ARRIVAL))) * 1_000_000n;
    const { tag } = this.#document;
    const timed = point.time !== undefined;
    passed.line(admission, key, { ...point, time }, { from, next, verbatim: plain && timed, keyEnd: decoded.keyEnd, timed, tag });
  }

  /** The point in nanoseconds, with the document's tag; its key is then one no line can have. */
  #complete(point: Point): Point {
    const { unitNs, tag } = this.#document;
    const time = point.time === undefined ? undefined : point.time * unitNs;
    if (tag === undefined) return { ...point, time };
    const at = this.#intake.root + COMPOSED_AT;
    i32.store8(at, 10);
    heap8.set(tag.value, at + 1);
    const separator = at + 1 + tag.value.length;
    i32.store8(separator, 10);
    heap8.copyWithin(separator + 1, point.keyStart, point.keyEnd);
    const tags = [tag, ...point.tags.filter(({ key }) => !equal(key, tag.key))].sort((a, b) => Buffer.compare(a.key, b.key));
    return { ...point, time, tags, keyStart: at, keyEnd: separator + 1 + point.keyEnd - point.keyStart };
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
