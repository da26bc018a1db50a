// Snappy block format (not framed), as remote write wants it; compressing is snappyCompress.ts. Unpacking is ours, because a library's
// was 14 % of what a sample by remote write costs, and needed a walk over hostile bytes in front of it (bench: seriesIn).
//
//   length │ literal: tag, bytes │ copy: tag, how far back ...     every element is checked before it is obeyed
//
// Short literals and copies are moved four bytes at a time, at most SLACK bytes further than they are long: what comes next is written
// over that, and behind the last one lies room for it.
// Format: https://github.com/google/snappy/blob/main/format_description.txt
import { SnappyCompressor } from "./snappyCompress.js";

/** Input that is no Snappy block, or announces more than the caller accepts. */
export class SnappyError extends Error {
  readonly code = "snappy";
  readonly tooLarge: boolean;

  constructor(message: string, tooLarge = false) {
    super(message);
    this.name = "SnappyError";
    this.tooLarge = tooLarge;
  }
}

const SLACK = 16;
/** From here on a call costs less than a loop. */
const LITERAL_LONG = 64;
/** An element of three bytes makes 64. */
const GROWTH_MAX = 22;

const compressor = new SnappyCompressor();

/** A new buffer; `bytes` is only read. */
export function compressSnappy(bytes: Uint8Array): Uint8Array {
  return compressor.compress(bytes);
}

/** A new buffer of at most `bytesMax` bytes; `bytes` is only read. Throws SnappyError before more is allocated than the bytes could make. */
export function uncompressSnappy(bytes: Uint8Array, bytesMax: number): Uint8Array {
  let at = 0;
  let announced = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++];
    if (byte === undefined || at > 5) throw new SnappyError("not a Snappy block: its length header does not end");
    announced += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  if (announced > bytesMax) throw new SnappyError(`holds ${String(announced)} bytes, more than the limit of ${String(bytesMax)}`, true);
  if (announced > bytes.length * GROWTH_MAX) throw damaged(`it announces ${String(announced)} bytes, more than ${String(bytes.length)} can make`);
  return unpack(bytes, at, announced);
}

/** The elements at `start`, which make `announced` bytes. */
function unpack(bytes: Uint8Array, start: number, announced: number): Uint8Array {
  const end = bytes.length;
  // Every byte of the part that is handed out is written below.
  const out = Buffer.allocUnsafe(announced + SLACK);
  const from = new DataView(bytes.buffer, bytes.byteOffset, end);
  const to = new DataView(out.buffer, out.byteOffset, out.length);
  let made = 0;
  for (let at = start; at < end; ) {
    const tag = bytes[at++] ?? 0;
    const kind = tag & 3;
    if (kind === 0) {
      const extra = Math.max(0, (tag >>> 2) - 59);
      const length = extra === 0 ? (tag >>> 2) + 1 : numberAt(bytes, at, extra) + 1;
      at += extra;
      if (length > end - at) throw damaged("it ends inside an element");
      if (length > announced - made) throw more(announced);
      if (length <= 16 && end - at >= 16) {
        to.setUint32(made, from.getUint32(at, true), true);
        to.setUint32(made + 4, from.getUint32(at + 4, true), true);
        if (length > 8) {
          to.setUint32(made + 8, from.getUint32(at + 8, true), true);
          to.setUint32(made + 12, from.getUint32(at + 12, true), true);
        }
      } else if (length > LITERAL_LONG) out.set(bytes.subarray(at, at + length), made);
      else for (let i = 0; i < length; i++) out[made + i] = bytes[at + i] ?? 0;
      at += length;
      made += length;
      continue;
    }
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    if (at + (kind === 3 ? 4 : kind) > end) throw damaged("it ends inside an element");
    let back = 0;
    if (kind === 2) back = from.getUint16(at, true);
    else if (kind === 1) back = ((tag >>> 5) << 8) | (bytes[at] ?? 0);
    else back = from.getUint32(at, true);
    at += kind === 3 ? 4 : kind;
    if (back === 0 || back > made) throw damaged("a copy refers to nothing");
    if (length > announced - made) throw more(announced);
    // Nearer than four bytes it overlaps what is being written.
    if (back < 4) for (let i = made; i < made + length; i++) out[i] = out[i - back] ?? 0;
    else for (let i = made; i < made + length; i += 4) to.setUint32(i, to.getUint32(i - back, true), true);
    made += length;
  }
  if (made !== announced) throw damaged(`it announces ${String(announced)} bytes and holds ${String(made)}`);
  return out.subarray(0, announced);
}

/** A little-endian number of 1 to 4 bytes. */
function numberAt(bytes: Uint8Array, at: number, count: number): number {
  let number = 0;
  for (let i = count - 1; i >= 0; i--) number = number * 256 + (bytes[at + i] ?? 0);
  return number;
}

function damaged(what: string): SnappyError {
  return new SnappyError(`not a Snappy block: ${what}`);
}

function more(announced: number): SnappyError {
  return damaged(`it announces ${String(announced)} bytes and holds more`);
}
