// Protocol buffers, read in place: one cursor walks a message and the messages inside it, without objects and without exceptions,
// because a hostile body may hold millions of wrong ones.
//
//   next(end) ─▶ tag, and by its wire type: varint │ start..stop (bytes, a text, a message) │ double(), isStale()
//   into a message: const { start, stop } = reader; reader.at = start; while (reader.next(stop)) ...
//
// Something wrong breaks the cursor: next() is false from then on, until mend() goes on elsewhere.
// https://protobuf.dev/programming-guides/encoding/

const TWO_28 = 2 ** 28;

export class ProtoReader {
  readonly bytes: Buffer;
  readonly #view: DataView;
  /** Offset of the next byte. */
  at = 0;
  /** Of the current field: number << 3 | wire type. */
  tag = 0;
  /** Value of the current field (wire type 0): a signed 64-bit number, rounded to a double. */
  varint = 0;
  /** Where the contents of the current field lie (other wire types). */
  start = 0;
  stop = 0;
  /** What is wrong, with its place; "" while nothing is. */
  fault = "";

  /** `bytes` is kept and only read. */
  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Goes to the next field of the message that ends at `end`; false at its end, and when the reader is broken. */
  next(end: number): boolean {
    if (this.at >= end || this.fault !== "" || !this.#readVarint(end)) return false;
    this.tag = this.varint;
    const wire = this.tag & 7;
    if (wire === 0) return this.#readVarint(end);
    let length = wire === 1 ? 8 : wire === 5 ? 4 : -1;
    if (wire === 2) {
      if (!this.#readVarint(end)) return false;
      length = this.varint;
    }
    const stop = this.at + length;
    if (length < 0 || stop > end) return this.#broken(`field ${String(Math.floor(this.tag / 8))}`);
    this.start = this.at;
    this.stop = stop;
    this.at = stop;
    return true;
  }

  /** Goes past the fields with this tag, of one byte, that come next, as far as they are shorter than 128 bytes and end before `end`. */
  pass(tag: number, end: number): void {
    const { bytes } = this;
    let at = this.at;
    while (at + 1 < end && bytes[at] === tag) {
      const next = at + 2 + (bytes[at + 1] ?? 0);
      if (next > end || (bytes[at + 1] ?? 0) >= 0x80) break;
      at = next;
    }
    this.at = at;
  }

  /** Goes past a tag of one byte, if it is the next one. */
  skip(tag: number, end: number): boolean {
    if (this.at >= end || this.bytes[this.at] !== tag) return false;
    this.at++;
    return true;
  }

  /** Reads one bare varint of the packed field that ends at `end` into `varint`. */
  packed(end: number): boolean {
    return this.at < end && this.fault === "" && this.#readVarint(end);
  }

  text(): string {
    return this.bytes.toString("utf8", this.start, this.stop);
  }

  /** The current field as a double; its tag must have wire type 1. */
  double(): number {
    return this.#view.getFloat64(this.start, true);
  }

  /** Whether the current double is Prometheus' staleness marker: a NaN that a JavaScript number does not keep apart. */
  isStale(): boolean {
    return this.#view.getUint32(this.start, true) === 2 && this.#view.getUint32(this.start + 4, true) === 0x7ff00000;
  }

  /** Goes on at `at` as if nothing had been wrong. */
  mend(at: number): void {
    this.fault = "";
    this.at = at;
  }

  #broken(what: string): false {
    this.fault = `${what} at byte ${String(this.at)}`;
    return false;
  }

  #readVarint(end: number): boolean {
    let at = this.at;
    const first = at < end ? (this.bytes[at] ?? 0) : 0x80;
    if (first < 0x80) {
      // A tag, or most lengths.
      this.at = at + 1;
      this.varint = first;
      return true;
    }
    let low = 0;
    let high = 0;
    let top = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= end) {
        this.at = at;
        return this.#broken("a number ends outside its message");
      }
      const byte = this.bytes[at++] ?? 0;
      if (i < 4) low |= (byte & 0x7f) << (7 * i);
      else if (i < 8) high |= (byte & 0x7f) << (7 * (i - 4));
      else top |= (byte & 0x7f) << (7 * (i - 8));
      if (byte >= 0x80) continue;
      this.at = at;
      // From bit 56 on it is a negative number, or nonsense: bit 63 is the sign, what lies above is cut.
      this.varint = top === 0 ? low + high * TWO_28 : Number(BigInt.asIntN(64, (BigInt(top) << 56n) | (BigInt(high) << 28n) | BigInt(low)));
      return true;
    }
    this.at = at;
    return this.#broken("a number longer than 10 bytes");
  }
}
