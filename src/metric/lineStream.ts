// Line protocol from a stream of chunks cut anywhere: inside UTF-8, an escape, CRLF, a number. Pure: whoever reads calls write().
//
//   write(chunk) ── nothing pending ──> decode in the chunk itself ──> keep a copy of the unfinished tail
//        └───────── tail pending ─────> append, decode when the chunk holds a LF (no line can end without one)
//   tail over the bound ──> error, and everything up to the next LF is skipped
//
// Invariant: at most LINE_BYTES_MAX + 2 bytes and one chunk are held. Results do not depend on where the chunks were cut.
// Not done here: timestamps' precision, back-pressure.

import { decodeLine, type LineResult, type Point } from "./lineDecoder.js";
import { CR, HASH, isSeparator, LF } from "./lineText.js";

/** Longest metric accepted, without its line end (a metric may span lines inside a quoted string). */
export const LINE_BYTES_MAX = 1048576;
/** The bound and a CRLF: enough to know whether a line is within the bound. */
const WINDOW_BYTES = LINE_BYTES_MAX + 2;
const TOO_LONG = `line longer than ${String(LINE_BYTES_MAX)} bytes`;
const NO_BYTES = new Uint8Array(0);

export interface StreamError {
  readonly message: string;
  /** Line of the whole stream, from 1. */
  readonly line: number;
  /** Byte in that line, from 1. */
  readonly column: number;
}

/** Called in stream order. A point's bytes, and `bytes`, are valid only during the call. `line` is where the point begins, from 1. */
export interface LineReceiver {
  point(point: Point, bytes: Uint8Array, line: number): void;
  error(error: StreamError): void;
}

export class LineStream {
  readonly #receiver: LineReceiver;
  /** Bytes [0, #pendingLength) of the unfinished line. */
  #pending: Uint8Array = NO_BYTES;
  #pendingLength = 0;
  #skipping = false;
  /** Line, and byte within it, at which the next undecoded byte stands; both from 1. */
  #line = 1;
  #column = 1;

  constructor(receiver: LineReceiver) {
    this.#receiver = receiver;
  }

  /** Decodes every line that is complete. The chunk may be reused when this returns. */
  write(chunk: Uint8Array): void {
    if (this.#pendingLength === 0) {
      this.#keep(chunk, this.#decode(chunk, chunk.length, false));
      return;
    }
    this.#append(chunk);
    if (!chunk.includes(LF) && this.#pendingLength < WINDOW_BYTES) return;
    const bytes = this.#pending;
    const length = this.#pendingLength;
    const used = this.#decode(bytes, length, false);
    bytes.copyWithin(0, used, length);
    this.#pendingLength = length - used;
  }

  /** The stream is over: what is left is a line without its LF. */
  end(): void {
    const length = this.#pendingLength;
    this.#pendingLength = 0;
    this.#decode(this.#pending, length, true);
  }

  /** Decodes from 0, returns how many bytes are done with. */
  #decode(bytes: Uint8Array, length: number, final: boolean): number {
    let at = 0;
    while (at < length) {
      if (this.#skipping) {
        at = this.#skip(bytes, at, length);
        continue;
      }
      const cut = length - at > WINDOW_BYTES;
      const windowEnd = cut ? at + WINDOW_BYTES : length;
      const result = decodeLine(bytes, at, windowEnd, final && !cut);
      if (result.kind === "incomplete") {
        if (windowEnd - at < WINDOW_BYTES) return at;
        at = this.#overflow(bytes, at, windowEnd);
        continue;
      }
      this.#deliver(result, bytes, at);
      this.#advance(bytes, at, result.next);
      at = result.next;
    }
    return at;
  }

  #deliver(result: Exclude<LineResult, { kind: "incomplete" }>, bytes: Uint8Array, start: number): void {
    if (result.kind === "point") {
      if (contentEnd(bytes, result.next) - start > LINE_BYTES_MAX) this.#report(TOO_LONG, bytes, start, start);
      else this.#receiver.point(result.point, bytes, this.#line);
    } else if (result.kind === "error") {
      const long = result.offset - start > LINE_BYTES_MAX;
      this.#report(long ? TOO_LONG : result.message, bytes, start, long ? start : result.offset);
    }
  }

  // The window is full and its line has not ended. A line already known to be bad is that error, not a long line; comments have no bound.
  #overflow(bytes: Uint8Array, at: number, windowEnd: number): number {
    const result = decodeLine(bytes, at, windowEnd, true);
    let next = at + LINE_BYTES_MAX;
    if (result.kind === "error" && bytes[result.next - 1] === LF) {
      this.#deliver(result, bytes, at);
      next = result.next;
    } else {
      if (!startsComment(bytes, at, windowEnd)) this.#report(TOO_LONG, bytes, at, at);
      this.#skipping = true;
    }
    this.#advance(bytes, at, next);
    return next;
  }

  #skip(bytes: Uint8Array, at: number, length: number): number {
    const lf = bytes.indexOf(LF, at);
    const found = lf !== -1 && lf < length;
    const next = found ? lf + 1 : length;
    this.#skipping = !found;
    this.#advance(bytes, at, next);
    return next;
  }

  #report(message: string, bytes: Uint8Array, start: number, offset: number): void {
    let line = this.#line;
    let column = this.#column + (offset - start);
    for (let i = start; i < offset; i++) {
      if (bytes[i] !== LF) continue;
      line++;
      column = offset - i;
    }
    this.#receiver.error({ message, line, column });
  }

  #advance(bytes: Uint8Array, from: number, to: number): void {
    for (let i = bytes.indexOf(LF, from); i !== -1 && i < to; i = bytes.indexOf(LF, i + 1)) {
      this.#line++;
      this.#column = 1;
      from = i + 1;
    }
    this.#column += to - from;
  }

  #keep(chunk: Uint8Array, used: number): void {
    if (used < chunk.length) this.#append(chunk.subarray(used));
  }

  #append(chunk: Uint8Array): void {
    const length = this.#pendingLength + chunk.length;
    if (length > this.#pending.length) {
      const grown = new Uint8Array(Math.max(length, this.#pending.length * 2, 1024));
      grown.set(this.#pending.subarray(0, this.#pendingLength));
      this.#pending = grown;
    }
    this.#pending.set(chunk, this.#pendingLength);
    this.#pendingLength = length;
  }
}

function contentEnd(bytes: Uint8Array, next: number): number {
  if (bytes[next - 1] === LF) return bytes[next - 2] === CR ? next - 2 : next - 1;
  return bytes[next - 1] === CR ? next - 1 : next;
}

function startsComment(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && isSeparator(bytes[at] ?? 0, "telegraf")) at++;
  return bytes[at] === HASH;
}
