// The body of a batch: the pieces a router collected for one lane, one behind the other, so that its owner sees of a sample all that
// the router saw.
//
//   lines                                          line protocol, nanoseconds, each line with its LF; when they arrived makes no difference
//   #limpet lines 000001763870000000 0000000102    the same, where a rule goes by `time: arrival`
//   #limpet series 000001763870000000 0000000487   a WriteRequest whose samples may have a start timestamp (metric/seriesWriter.ts)
//                  └─ arrival, ms ─┘ └─ bytes ─┘
//
// A head is a comment to whoever reads line protocol. A piece with a head is as long as that says. One without ends where the next
// head stands at the start of a line: a router puts lines in which one could be seen (a string of several lines) behind a head, and
// a user's own comments never come so far, because routers hand on lines only. What is no head is lines.
import { HASH, LF } from "../metric/lineText.js";
import { LineDocument } from "./lineDocument.js";
import { SeriesDocument } from "./seriesDocument.js";

export type PieceKind = "lines" | "series";

export interface Piece {
  readonly document: LineDocument | SeriesDocument;
  /** When the first Limpet process took it, ms; undefined: not said. */
  readonly arrivedMs: number | undefined;
}

const MARK = "#limpet ";
const LENGTH_DIGITS = 10;
const HEAD = /^#limpet (lines|series) (\d{1,18}) (\d{10})\n/;
/** Longest head. */
export const HEAD_BYTES = MARK.length + "series".length + 1 + 18 + 1 + LENGTH_DIGITS + 1;

/** Writes a head whose piece begins where it ends; returns that place. Its length is not known yet. */
export function writeHead(target: Buffer, at: number, kind: PieceKind, arrivedMs: number): number {
  const digits = String(Math.max(0, Math.trunc(arrivedMs))).padStart(18, "0");
  return at + target.write(`${MARK}${kind} ${digits} ${"0".repeat(LENGTH_DIGITS)}\n`, at, "latin1");
}

/** Says in its head how long the piece at `start` is. */
export function writeLength(target: Buffer, start: number, bytes: number): void {
  target.write(String(bytes).padStart(LENGTH_DIGITS, "0"), start - 1 - LENGTH_DIGITS, "latin1");
}

/** The pieces of a body, in order; they point into it. */
export function piecesOf(body: Uint8Array): Piece[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const pieces: Piece[] = [];
  for (let at = 0; at < bytes.length; ) {
    const head = HEAD.exec(bytes.toString("latin1", at, at + HEAD_BYTES));
    const start = at + (head?.[0].length ?? 0);
    const end = start + Number(head?.[3]);
    if (head === null || end > bytes.length) {
      const next = nextHead(bytes, at);
      pieces.push({ document: new LineDocument(bytes.subarray(at, next)), arrivedMs: undefined });
      at = next;
      continue;
    }
    const piece = bytes.subarray(start, end);
    pieces.push({ document: head[1] === "series" ? new SeriesDocument(piece, "1.0") : new LineDocument(piece), arrivedMs: Number(head[2]) });
    at = end;
  }
  return pieces;
}

/** Where the next head may stand, behind `from`, within lines; their end when none does. */
export function nextHead(bytes: Buffer, from: number): number {
  // One rare byte is looked for much faster than all of them: this is a look at every byte that is routed (bench: partition).
  for (let at = bytes.indexOf(HASH, from + 1); at >= 0; at = bytes.indexOf(HASH, at + 1))
    if (bytes[at - 1] === LF && bytes.toString("latin1", at, at + MARK.length) === MARK) return at;
  return bytes.length;
}

/** Lines and series that are none, by reason. */
export interface Invalid {
  syntax: number;
  too_long: number;
  series: number;
}

/** Of pieces that were read. A piece that is no WriteRequest at all is one series. */
export function invalidOf(pieces: readonly Piece[]): Invalid {
  const invalid: Invalid = { syntax: 0, too_long: 0, series: 0 };
  for (const { document } of pieces) {
    if (document.kind === "series") invalid.series += document.invalid + Number(document.reader.fault !== undefined);
    else {
      invalid.syntax += document.invalid.syntax;
      invalid.too_long += document.invalid.too_long;
    }
  }
  return invalid;
}
