// Snappy block format (not framed), as remote write wants it. Unpacking is snappyjs' work; this file makes it safe on bytes from
// the network: snappyjs 0.7.0 reads a literal length of 2^31 and more as negative and then never ends, runs past the end of a
// short copy, and does not notice that the stream holds less, or more, than it announces.
// Format: https://github.com/google/snappy/blob/main/format_description.txt
import { uncompress as uncompressBlock } from "snappyjs";
import { SnappyCompressor } from "./snappyCompress.js";

/** Input that is no Snappy block, or announces more than the caller accepts. */
export class SnappyError extends Error {
  readonly code = "snappy";
  readonly tooLarge: boolean;

  constructor(message: string, tooLarge = false, options?: ErrorOptions) {
    super(message, options);
    this.name = "SnappyError";
    this.tooLarge = tooLarge;
  }
}

const compressor = new SnappyCompressor();

/** A new buffer; `bytes` is only read. */
export function compressSnappy(bytes: Uint8Array): Uint8Array {
  return compressor.compress(bytes);
}

/** A new buffer of at most `bytesMax` bytes. Throws SnappyError before anything of that size is allocated. */
export function uncompressSnappy(bytes: Uint8Array, bytesMax: number): Uint8Array {
  checkStream(bytes, bytesMax);
  try {
    return uncompressBlock(bytes, bytesMax);
  } catch (cause) {
    // What is left to find: a copy from before the beginning.
    throw new SnappyError("not a Snappy block: a copy refers to nothing", false, { cause });
  }
}

/** Walks the elements without copying: every one lies inside the input, and together they make what the header announces. */
function checkStream(bytes: Uint8Array, bytesMax: number): void {
  let at = 0;
  let announced = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++];
    if (byte === undefined || at > 5) throw new SnappyError("not a Snappy block: its length header does not end");
    announced += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  if (announced > bytesMax) throw new SnappyError(`holds ${announced} bytes, more than the limit of ${bytesMax}`, true);
  let made = 0;
  while (at < bytes.length) {
    const tag = bytes[at++] ?? 0;
    const kind = tag & 3;
    if (kind === 0) {
      const length = literalLength(bytes, at, tag >>> 2);
      at += Math.max(0, (tag >>> 2) - 59) + length;
      made += length;
    } else {
      const extra = kind === 3 ? 4 : kind;
      made += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
      at += extra;
    }
    if (at > bytes.length) throw new SnappyError("not a Snappy block: it ends inside an element");
    if (made > announced) break;
  }
  if (made !== announced) throw new SnappyError(`not a Snappy block: it announces ${announced} bytes and holds ${made > announced ? "more" : made}`);
}

/** Lengths over 60 stand in the 1 to 4 bytes at `at`, little-endian; `code` is the upper six bits of the tag. */
function literalLength(bytes: Uint8Array, at: number, code: number): number {
  if (code < 60) return code + 1;
  let length = 0;
  for (let i = code - 60; i >= 0; i--) length = length * 256 + (bytes[at + i] ?? 0);
  return length + 1;
}
