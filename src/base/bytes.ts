// Growing little-endian writer and bounds-checked reader, for snapshots.

export class ByteWriter {
  #out = Buffer.allocUnsafe(65536);
  #at = 0;

  u32(value: number): void {
    this.#at = this.#room(4).writeUInt32LE(value >>> 0, this.#at);
  }

  i32(value: number): void {
    this.#at = this.#room(4).writeInt32LE(value, this.#at);
  }

  f64(value: number): void {
    this.#at = this.#room(8).writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length).set(value, this.#at);
    this.#at += value.length;
  }

  /** What was written, as bytes of their own. */
  take(): Uint8Array {
    return new Uint8Array(this.#out.subarray(0, this.#at));
  }

  #room(bytes: number): Buffer {
    if (this.#at + bytes > this.#out.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#at + bytes, this.#out.length * 2));
      this.#out.copy(grown, 0, 0, this.#at);
      this.#out = grown;
    }
    return this.#out;
  }
}

/** Reads past the end throw a RangeError: the bytes are not what they claim to be. */
export class ByteReader {
  readonly #in: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#in = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#in.length - this.#at;
  }

  u32(): number {
    this.#at += 4;
    return this.#in.readUInt32LE(this.#at - 4);
  }

  i32(): number {
    this.#at += 4;
    return this.#in.readInt32LE(this.#at - 4);
  }

  f64(): number {
    this.#at += 8;
    return this.#in.readDoubleLE(this.#at - 8);
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    if (length > this.left) throw new RangeError(`${String(length)} bytes wanted, ${String(this.left)} left`);
    this.#at += length;
    return this.#in.subarray(this.#at - length, this.#at);
  }
}
