// Lines by lane, on their way from the input to the router: copied out of the input area, one copy per lane.
//
//   kernel/route.ts: (range, lane, time) ──┐
//   decoded lines and samples, marked lanes ┴─▶ room of the lane ─▶ take(): one piece per lane that got something
import { MARKED_AT, PASS_AT, PASS_ROUTE_BYTES, ROOT_ARRIVAL, ROOT_MARKED, ROOT_PASS_USED } from "../kernel/layout.js";
import { heapBuffer } from "../kernel/memory.js";
import type { Point } from "../metric/lineDecoder.js";
import { type EncodablePoint, encodePoint } from "../metric/lineEncoder.js";
import type { Series } from "../metric/series.js";
import type { Admission } from "./admission.js";
import { millisecondsOf } from "./lines.js";
import { type DecodedRange, type PassedOn, remoteWritePoint } from "./passed.js";

/** Whole lines for one lane; each with its LF, in order. */
export interface LaneLines {
  readonly lane: number;
  readonly body: Uint8Array;
  readonly lines: number;
  /** Oldest event time, ms, of those that may still hold a window; Infinity: none may. */
  readonly oldestMs: number;
}

interface Room {
  buffer: Buffer;
  bytes: number;
  lines: number;
  oldestMs: number;
}

export class LaneCollector implements PassedOn {
  readonly asLines = true;
  readonly #root: number;
  /** A line that is older than this when it arrives holds no window. */
  readonly #holdMs: number;
  #rooms: Room[] = [];

  constructor(root: number, holdMs: number) {
    this.#root = root;
    this.#holdMs = holdMs;
  }

  /** Lanes from now on. What was collected for those before must have been taken. */
  open(lanes: number): void {
    while (this.#rooms.length < lanes) this.#rooms.push({ buffer: Buffer.allocUnsafe(4096), bytes: 0, lines: 0, oldestMs: Number.POSITIVE_INFINITY });
    this.#rooms.length = lanes;
  }

  drain(): void {
    const root = this.#root;
    const start = root + PASS_AT;
    const end = start + i32.load(root + ROOT_PASS_USED);
    i32.store(root + ROOT_PASS_USED, 0);
    for (let at = start; at < end; at += PASS_ROUTE_BYTES) {
      const from = i32.load(at);
      const next = i32.load(at + 4);
      const room = this.#reserve(i32.load(at + 8), next - from, f64.load(at + 16));
      heapBuffer.copy(room.buffer, room.bytes, from, next);
      room.bytes += next - from;
    }
  }

  line(_admission: Admission, _key: number, point: Point, { from, next, verbatim }: DecodedRange): void {
    if (i32.load(this.#root + ROOT_MARKED) > 0) this.#add(verbatim ? heapBuffer.subarray(from, next) : encodePoint(point), point);
  }

  sample(_field: number, labels: Series["labels"], timeMs: number, value: number): void {
    if (i32.load(this.#root + ROOT_MARKED) === 0) return;
    const point = remoteWritePoint(labels, timeMs, value);
    this.#add(encodePoint(point), point);
  }

  /** Takes over what another one, of the same lanes, has not handed out yet. */
  adopt(other: LaneCollector): void {
    this.#rooms = other.#rooms;
  }

  /** What was collected since the last call. */
  take(): LaneLines[] {
    const taken: LaneLines[] = [];
    for (const [lane, room] of this.#rooms.entries()) {
      if (room.lines === 0) continue;
      taken.push({ lane, body: Buffer.from(room.buffer.subarray(0, room.bytes)), lines: room.lines, oldestMs: room.oldestMs });
      room.bytes = 0;
      room.lines = 0;
      room.oldestMs = Number.POSITIVE_INFINITY;
    }
    return taken;
  }

  /** A line for the lanes that are marked. */
  #add(bytes: Uint8Array | undefined, { time }: EncodablePoint): void {
    if (bytes === undefined || time === undefined) return;
    const marked = i32.load(this.#root + ROOT_MARKED);
    const ends = bytes[bytes.length - 1] === 10;
    for (let i = 0; i < marked; i++) {
      const room = this.#reserve(i32.load(this.#root + MARKED_AT + i * 4), bytes.length + 1, millisecondsOf(time));
      room.buffer.set(bytes, room.bytes);
      room.bytes += bytes.length;
      if (!ends) room.buffer[room.bytes++] = 10;
    }
  }

  /** Room for a line at the end of a lane's, which counts it. */
  #reserve(lane: number, bytes: number, timeMs: number): Room {
    const room = this.#rooms[lane];
    if (room === undefined) throw new Error(`no lane ${String(lane)}`);
    if (room.bytes + bytes > room.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(room.buffer.length * 2, room.bytes + bytes));
      room.buffer.copy(grown, 0, 0, room.bytes);
      room.buffer = grown;
    }
    room.lines++;
    if (timeMs < room.oldestMs && timeMs >= f64.load(this.#root + ROOT_ARRIVAL) - this.#holdMs) room.oldestMs = timeMs;
    return room;
  }
}
