// Line protocol, one line at a time: the complete parser, off the hot path (the engine's reader hands over what it does not know).
//
//   blank | comment                       -> "blank"
//   measurement[,k=v]* SEP f=v[,f=v]* [SEP time] (LF | CRLF | end of stream)   -> "point"
//   anything else                         -> "error", reading goes on after the next LF that follows the offending byte
//   no LF yet, and more bytes may come    -> "incomplete"
//
// The union of two grammars, line by line: Telegraf's ragel parser is tried first and InfluxData's line-protocol/v2 second, so where
// both accept with different values Telegraf's is given. Errors are Telegraf's. As in Telegraf an open quote takes the following
// lines up to the next quote. A line that mixes what only one grammar allows with what only the other allows is refused, as both do.
// Not done here: line numbers, the bound on length (lineStream.ts), precision.

import { isUtf8 } from "node:buffer";
import { LineScanner } from "./lineScanner.js";
import { CR, HASH, isSeparator, LF } from "./lineText.js";

export type FieldValue =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "uint"; readonly value: bigint }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: Uint8Array };

export interface Tag {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface Field {
  readonly key: Uint8Array;
  readonly value: FieldValue;
}

/** Names and strings are unescaped; they may be subarrays of the input, so copy what outlives it. */
export interface Point {
  readonly measurement: Uint8Array;
  /** Invariant: sorted by key bytes, unique (of duplicates the last won). */
  readonly tags: readonly Tag[];
  /** Invariant: not empty, unique (the last value, at the first position). */
  readonly fields: readonly Field[];
  /** As written, in whatever precision the stream has; undefined when missing. */
  readonly time: bigint | undefined;
  /** The raw bytes of `measurement,tags` are bytes[keyStart..keyEnd). */
  readonly keyStart: number;
  readonly keyEnd: number;
}

export interface LineError {
  readonly kind: "error";
  readonly message: string;
  /** Offset in `bytes` of the byte that could not be accepted, `end` when input was missing. */
  readonly offset: number;
  readonly next: number;
}

export type LineResult =
  | { readonly kind: "point"; readonly point: Point; readonly next: number }
  | { readonly kind: "blank"; readonly next: number }
  | LineError
  | { readonly kind: "incomplete" };

const INCOMPLETE: LineResult = { kind: "incomplete" };

/**
 * Decodes the line that starts at `start`. Deterministic in the bytes: the same result whenever it is not "incomplete".
 * @param final no byte follows `end`: the last line may lack its LF, and "incomplete" is never returned.
 * @returns `next`, the start of the following line, is always beyond `start` unless start === end.
 */
export function decodeLine(bytes: Uint8Array, start: number, end: number, final: boolean): LineResult {
  let at = start;
  while (at < end && isSeparator(bytes[at] ?? 0, "telegraf")) at++;
  const blank = blankLine(bytes, at, end, final);
  if (blank !== undefined) return blank;
  const telegraf = new LineScanner(bytes, end, final, "telegraf");
  const first = telegraf.scan(at);
  if (first !== undefined) return { kind: "point", point: first, next: telegraf.at };
  if (telegraf.incomplete) return INCOMPLETE;
  // The reference knows only the space, so a line it accepts cannot start with another separator.
  const reference = new LineScanner(bytes, end, final, "reference");
  if (isSpaces(bytes, start, at)) {
    const second = reference.scan(at);
    if (second !== undefined && isText(bytes, at, reference.at)) return { kind: "point", point: second, next: reference.at };
    if (reference.incomplete) return INCOMPLETE;
  }
  return resync(bytes, end, final, { message: telegraf.fault, offset: telegraf.at });
}

function blankLine(bytes: Uint8Array, at: number, end: number, final: boolean): LineResult | undefined {
  if (at >= end) return final ? { kind: "blank", next: end } : INCOMPLETE;
  const byte = bytes[at];
  if (byte === LF) return { kind: "blank", next: at + 1 };
  if (byte === CR) {
    if (at + 1 >= end) return final ? { kind: "blank", next: end } : INCOMPLETE;
    if (bytes[at + 1] === LF) return { kind: "blank", next: at + 2 };
    return resync(bytes, end, final, { message: "parse error", offset: at + 1 });
  }
  if (byte !== HASH) return undefined;
  const next = lineAfter(bytes, at, end);
  if (next === -1) return final ? { kind: "blank", next: end } : INCOMPLETE;
  return { kind: "blank", next };
}

function resync(bytes: Uint8Array, end: number, final: boolean, fault: { message: string; offset: number }): LineResult {
  const next = lineAfter(bytes, fault.offset, end);
  if (next === -1 && !final) return INCOMPLETE;
  return { kind: "error", message: fault.message, offset: fault.offset, next: next === -1 ? end : next };
}

/** Start of the line after the one `from` is in, -1 when there is no LF before `end`. */
function lineAfter(bytes: Uint8Array, from: number, end: number): number {
  // Bounded: `bytes` may be all of the kernel's memory.
  const lf = bytes.subarray(from, end).indexOf(LF);
  return lf === -1 ? -1 : from + lf + 1;
}

function isSpaces(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 32) return false;
  return true;
}

function isText(bytes: Uint8Array, from: number, to: number): boolean {
  return isUtf8(bytes.subarray(from, to));
}
