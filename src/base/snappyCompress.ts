// Compresses to one Snappy block (not framed): greedy matching through a hash table of four-byte words, in fragments of 64 KiB.
// Ours, because a flush is compressed once and cold: snappyjs' compressor is compiled, given up and compiled again six times on the
// way, which cost more than the compressing (bench: remoteWrite; docs/benchmarks.md).
// Format: https://github.com/google/snappy/blob/main/format_description.txt

const FRAGMENT_BYTES = 65_536;
const TABLE_BITS = 14;
/** Words are looked for up to here from the end, so that none reaches beyond it. */
const MARGIN = 15;

/** Where the word of a hash was seen last, from the start of the fragment. */
const table = new Uint16Array(1 << TABLE_BITS);

function slotOf(word: number): number {
  return Math.imul(word, 0x1e35a7bd) >>> (32 - TABLE_BITS);
}

export class SnappyCompressor {
  #out = new Uint8Array(FRAGMENT_BYTES);
  #at = 0;

  /** A new buffer; `bytes` is only read. */
  compress(bytes: Uint8Array): Uint8Array {
    const bytesMax = 32 + bytes.length + Math.floor(bytes.length / 6);
    if (this.#out.length < bytesMax) this.#out = new Uint8Array(bytesMax);
    this.#at = 0;
    let rest = bytes.length;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#out[this.#at++] = (rest & 0x7f) | 0x80;
    this.#out[this.#at++] = rest;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let from = 0; from < bytes.length; from += FRAGMENT_BYTES) this.#fragment(bytes, view, from);
    return this.#out.slice(0, this.#at);
  }

  #fragment(bytes: Uint8Array, view: DataView, from: number): void {
    const end = Math.min(from + FRAGMENT_BYTES, bytes.length);
    const last = end - MARGIN;
    table.fill(0);
    let literal = from;
    let p = from + 1;
    // Where nothing repeats, ever larger steps.
    let steps = 32;
    while (p <= last) {
      const word = view.getInt32(p, true);
      const slot = slotOf(word);
      const match = from + (table[slot] ?? 0);
      table[slot] = p - from;
      if (view.getInt32(match, true) !== word) {
        p += steps++ >>> 5;
        continue;
      }
      let length = 4;
      while (p + length + 4 <= end && view.getInt32(p + length, true) === view.getInt32(match + length, true)) length += 4;
      while (p + length < end && bytes[p + length] === bytes[match + length]) length++;
      this.#literal(bytes, literal, p);
      this.#copy(p - match, length);
      p += length;
      literal = p;
      steps = 32;
      if (p <= last) table[slotOf(view.getInt32(p - 1, true))] = p - 1 - from;
    }
    this.#literal(bytes, literal, end);
  }

  #literal(bytes: Uint8Array, from: number, to: number): void {
    const out = this.#out;
    const count = to - from;
    if (count === 0) return;
    const code = count - 1;
    if (code < 60) out[this.#at++] = code << 2;
    else {
      out[this.#at++] = (code < 0x100 ? 60 : 61) << 2;
      out[this.#at++] = code & 0xff;
      if (code >= 0x100) out[this.#at++] = code >>> 8;
    }
    // A loop is faster than a view of the bytes, as long as they are few.
    if (count > 64) out.set(bytes.subarray(from, to), this.#at);
    else for (let i = 0; i < count; i++) out[this.#at + i] = bytes[from + i] ?? 0;
    this.#at += count;
  }

  /** `offset`: 1 to 65535; `length` from 4 on. */
  #copy(offset: number, length: number): void {
    let rest = length;
    // Never fewer than 4 are left over.
    for (; rest >= 68; rest -= 64) this.#copyOf(offset, 64);
    if (rest > 64) {
      this.#copyOf(offset, 60);
      rest -= 60;
    }
    this.#copyOf(offset, rest);
  }

  #copyOf(offset: number, length: number): void {
    const out = this.#out;
    if (length < 12 && offset < 2048) {
      out[this.#at++] = 1 | ((length - 4) << 2) | ((offset >>> 8) << 5);
      out[this.#at++] = offset & 0xff;
      return;
    }
    out[this.#at++] = 2 | ((length - 1) << 2);
    out[this.#at++] = offset & 0xff;
    out[this.#at++] = offset >>> 8;
  }
}
