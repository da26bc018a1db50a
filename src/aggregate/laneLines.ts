// Lines and series by lane, on their way from the input to the router: copied out of the input area, one copy per lane.
//
//   kernel/route.ts: (range, lane, time) ──┐
//   decoded lines and series, marked lanes ┴─▶ room of the lane ─▶ take(): one body per lane that got something (laneBody.ts)
//
// A line keeps its bytes. One without a time gets the arrival's behind it, one in another precision its time in nanoseconds, one of
// a document with a tag that tag behind its own, where it wins.
import { MARKED_AT, PASS_AT, PASS_ROUTE_BYTES, ROOT_MARKED, ROOT_PASS_USED } from "../kernel/layout.js";
import { heapBuffer } from "../kernel/memory.js";
import type { Point } from "../metric/lineDecoder.js";
import { encodeTag } from "../metric/lineEncoder.js";
import { CR, isSeparator, LF } from "../metric/lineText.js";
import type { SeriesReader } from "../metric/seriesReader.js";
import { SeriesWriter } from "../metric/seriesWriter.js";
import { decodeUtf8 } from "../metric/utf8.js";
import type { Admission } from "./admission.js";
import { HEAD_BYTES, nextHead, type PieceKind, writeHead, writeLength } from "./laneBody.js";
import { millisecondsOf } from "./lines.js";
import type { DecodedRange, DocumentTag, PassedOn } from "./passed.js";

/** What there is for one lane, in order: pieces as laneBody.ts has them. */
export interface LaneLines {
  readonly lane: number;
  readonly body: Uint8Array;
  /** Lines, and samples of series. */
  readonly lines: number;
  /** Oldest event time, ms, of those that may still hold a window; Infinity: none may. */
  readonly oldestMs: number;
}

interface Room {
  buffer: Buffer;
  bytes: number;
  lines: number;
  oldestMs: number;
  /** Where its last piece begins, and which one of the collector's it is; 0: none. */
  start: number;
  piece: number;
  /** Where its first piece begins if it is one of lines, else 0. */
  linesAt: number;
}

export interface CollectorOptions {
  /** A line that is older than this when it arrives holds no window. */
  readonly holdMs: number;
  /** Some rule goes by the time of arrival, whose window is to be held as well. */
  readonly arrival: boolean;
}

export class LaneCollector implements PassedOn {
  readonly asLines = true;
  readonly #root: number;
  readonly #options: CollectorOptions;
  readonly #series = new SeriesWriter();
  #rooms: Room[] = [];
  /** What is read now. */
  #kind: PieceKind = "lines";
  #arrivedMs = 0;
  #piece = 0;

  constructor(root: number, options: CollectorOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Lanes from now on. What was collected for those before must have been taken. */
  open(lanes: number): void {
    while (this.#rooms.length < lanes)
      this.#rooms.push({ buffer: Buffer.allocUnsafe(4096), bytes: 0, lines: 0, oldestMs: Number.POSITIVE_INFINITY, start: 0, piece: 0, linesAt: 0 });
    this.#rooms.length = lanes;
  }

  /** What comes next is a piece of its own. */
  begin(kind: PieceKind, arrivedMs: number): void {
    this.#kind = kind;
    this.#arrivedMs = arrivedMs;
    this.#piece++;
  }

  drain(): void {
    const root = this.#root;
    const start = root + PASS_AT;
    const end = start + i32.load(root + ROOT_PASS_USED);
    i32.store(root + ROOT_PASS_USED, 0);
    for (let at = start; at < end; at += PASS_ROUTE_BYTES) {
      const from = i32.load(at);
      const next = i32.load(at + 4);
      const room = this.#reserve(i32.load(at + 8), next - from);
      heapBuffer.copy(room.buffer, room.bytes, from, next);
      room.bytes += next - from;
      room.lines++;
      const timeMs = f64.load(at + 16);
      if (timeMs < room.oldestMs) room.oldestMs = Math.min(room.oldestMs, this.#holding(timeMs));
    }
  }

  line(_admission: Admission, _key: number, point: Point, range: DecodedRange): void {
    if (i32.load(this.#root + ROOT_MARKED) === 0) return;
    const bytes = range.verbatim ? lineIn(range.from, range.next) : spelled(range, point);
    const oldestMs = point.time === undefined ? this.#arrivedMs : millisecondsOf(point.time);
    this.#add(bytes, 1, this.#holding(oldestMs));
  }

  series(_field: number, reader: SeriesReader): void {
    if (i32.load(this.#root + ROOT_MARKED) === 0) return;
    const { samples } = reader;
    let lines = 0;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < samples.count; i++) {
      if (!samples.isNumber(i)) continue;
      lines++;
      oldestMs = Math.min(oldestMs, this.#holding(samples.timestamps[i] ?? 0));
    }
    const bytes = this.#series.write(reader);
    this.#add(bytes, lines, oldestMs);
  }

  /** Takes over what another one, of the same lanes, has not handed out yet. */
  adopt(other: LaneCollector): void {
    this.#rooms = other.#rooms;
    this.#piece = other.#piece;
  }

  /** What was collected since the last call. */
  take(): LaneLines[] {
    const taken: LaneLines[] = [];
    for (const [lane, room] of this.#rooms.entries()) {
      if (room.lines === 0) continue;
      writeLength(room.buffer, room.start, room.bytes - room.start);
      const body = Buffer.from(room.buffer.subarray(this.#needsHead(room) ? 0 : room.start, room.bytes));
      taken.push({ lane, body, lines: room.lines, oldestMs: room.oldestMs });
      room.bytes = 0;
      room.lines = 0;
      room.oldestMs = Number.POSITIVE_INFINITY;
      room.piece = 0;
    }
    return taken;
  }

  /** Whether what was collected is more than lines whose arrival makes no difference. */
  #needsHead({ buffer, bytes, start, linesAt }: Room): boolean {
    return this.#options.arrival || start !== linesAt || nextHead(buffer.subarray(0, bytes), start) < bytes;
  }

  /** What a sample of a time says of windows: they are held from then on; Infinity: it holds none. */
  #holding(timeMs: number): number {
    const { holdMs, arrival } = this.#options;
    const held = timeMs >= this.#arrivedMs - holdMs ? timeMs : Number.POSITIVE_INFINITY;
    return arrival ? Math.min(held, this.#arrivedMs) : held;
  }

  /** For the lanes that are marked. */
  #add(bytes: Uint8Array, lines: number, oldestMs: number): void {
    const marked = i32.load(this.#root + ROOT_MARKED);
    for (let i = 0; i < marked; i++) {
      const room = this.#reserve(i32.load(this.#root + MARKED_AT + i * 4), bytes.length);
      room.buffer.set(bytes, room.bytes);
      room.bytes += bytes.length;
      room.lines += lines;
      room.oldestMs = Math.min(room.oldestMs, oldestMs);
    }
  }

  /** Room for so many bytes at the end of a lane's, in the piece that is read now. */
  #reserve(lane: number, bytes: number): Room {
    const room = this.#rooms[lane];
    if (room === undefined) throw new Error(`no lane ${String(lane)}`);
    const needed = room.bytes + HEAD_BYTES + bytes;
    if (needed > room.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(room.buffer.length * 2, needed));
      room.buffer.copy(grown, 0, 0, room.bytes);
      room.buffer = grown;
    }
    if (room.piece === this.#piece) return room;
    if (room.bytes > 0) writeLength(room.buffer, room.start, room.bytes - room.start);
    room.start = writeHead(room.buffer, room.bytes, this.#kind, this.#arrivedMs);
    if (room.bytes === 0) room.linesAt = this.#kind === "lines" ? room.start : 0;
    room.bytes = room.start;
    room.piece = this.#piece;
    return room;
  }
}

/** The bytes of a line, with its LF. */
function lineIn(from: number, next: number): Uint8Array {
  return i32.load8_u(next - 1) === LF ? heapBuffer.subarray(from, next) : Buffer.concat([heapBuffer.subarray(from, next), LINE_END]);
}

const LINE_END = Buffer.from("\n");

/** A line as it is, but for the document's tag and a time in nanoseconds. `point.time`: that time. */
function spelled({ from, next, keyEnd, timed, tag }: DecodedRange, point: Point): Uint8Array {
  let end = endOfToken(next, keyEnd);
  if (timed) {
    while (!isSpace(i32.load8_u(end - 1))) end--;
    end = endOfToken(end, keyEnd);
  }
  const key = heapBuffer.subarray(from, keyEnd);
  return Buffer.concat([key, spelledTag(tag), heapBuffer.subarray(keyEnd, end), Buffer.from(` ${String(point.time ?? 0n)}\n`)]);
}

/** Where the last token before `end` ends. */
function endOfToken(end: number, start: number): number {
  let at = end;
  while (at > start && isSpace(i32.load8_u(at - 1))) at--;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === LF || byte === CR || isSeparator(byte, "telegraf");
}

function spelledTag(tag: DocumentTag | undefined): Uint8Array {
  return Buffer.from(tag === undefined ? "" : encodeTag([decodeUtf8(tag.key).text, decodeUtf8(tag.value).text]));
}
