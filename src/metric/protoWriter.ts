// The bytes of a protobuf message while it grows: the few wire types that remote write needs, without an object per field.
// Whoever writes reserves first. https://protobuf.dev/programming-guides/encoding/

const bytesMin = 64 * 1024;
const scratchBytes = new Uint8Array(8);
const scratch = new DataView(scratchBytes.buffer);

export class ProtoWriter {
  /** What lies behind `length` is no part of the message; replaced when it grows. */
  bytes = new Uint8Array(bytesMin);
  length = 0;

  /** What was written since reset(). A view: later writes may change it. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Starts anew; the buffer is kept. */
  reset(): void {
    this.length = 0;
  }

  /** Room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** `value` >= 0, less than 2^32. */
  varint(value: number): void {
    const bytes = this.bytes;
    let rest = value;
    while (rest > 0x7f) {
      bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.length++] = rest;
  }

  /** Tag and length of a field whose content comes next. */
  tagged(tag: number, length: number): void {
    this.bytes[this.length++] = tag;
    this.varint(length);
  }

  copy(from: Uint8Array, at: number, count: number): void {
    const bytes = this.bytes;
    // Measured on Node 20: a loop takes 1.4 ns a byte, subarray + set 44 ns whatever the size.
    if (count > 32) bytes.set(from.subarray(at, at + count), this.length);
    else for (let i = 0; i < count; i++) bytes[this.length + i] = from[at + i] ?? 0;
    this.length += count;
  }

  double(value: number): void {
    scratch.setFloat64(0, value, true);
    this.copy(scratchBytes, 0, 8);
  }

  /** Two's complement in 64 bits, seven at a time. */
  int64(value: number): void {
    const bytes = this.bytes;
    let low = value >>> 0;
    let high = Math.floor(value / 2 ** 32) >>> 0;
    while (high !== 0 || low > 0x7f) {
      bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[this.length++] = low;
  }
}

/** Bytes of a number as varint(). */
export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** Bytes of a length-delimited field: tag, length, content. */
export function nestedBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

/** Bytes of a number as int64(). */
export function int64Bytes(value: number): number {
  if (value < 0) return 10;
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
