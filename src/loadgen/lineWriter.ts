// Writes line protocol into one flat buffer without making strings: precomputed key bytes are copied, numbers become
// digits in place. The text is what Telegraf's serializer would write: floats as Go's strconv 'f' with the shortest
// precision (no exponent, no trailing zeros), integers with `i`. The caller takes the bytes with `take` when full.

const ZERO = 48;
const MINUS = 45;
const POINT = 46;

export class LineWriter {
  /** Invariant: length <= bytes.length; bytes[0, length) are written. */
  #bytes: Buffer;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written so far. The caller owns it; the writer goes on in a new buffer of the same capacity. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(this.#bytes.length);
    this.#length = 0;
    return taken;
  }

  raw(source: Uint8Array): void {
    this.#reserve(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
  }

  /** `text` must be ASCII: one byte per character. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.#bytes.write(text, this.#length, "latin1");
    this.#length += text.length;
  }

  byte(code: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = code;
  }

  /** A safe integer in decimal digits. */
  integer(value: number): void {
    this.#reserve(20);
    if (value < 0) this.byte(MINUS);
    this.#digits(Math.abs(value), 1);
  }

  /** `thousandths` / 1000 with the shortest decimal text: 12500 -> `12.5`, 3000 -> `3`. */
  thousandths(thousandths: number): void {
    this.#reserve(24);
    if (thousandths < 0) this.byte(MINUS);
    const magnitude = Math.abs(thousandths);
    this.#digits(Math.floor(magnitude / 1000), 1);
    let fraction = magnitude % 1000;
    if (fraction === 0) return;
    let width = 3;
    while (fraction % 10 === 0) {
      fraction /= 10;
      width--;
    }
    this.byte(POINT);
    this.#digits(fraction, width);
  }

  /** At least `width` digits, zero-padded. */
  #digits(value: number, width: number): void {
    let end = this.#length + width;
    for (let bound = 10 ** width; bound <= value; bound *= 10) end++;
    let rest = value;
    for (let at = end - 1; at >= this.#length; at--) {
      const quotient = Math.floor(rest / 10);
      this.#bytes[at] = ZERO + (rest - quotient * 10);
      rest = quotient;
    }
    this.#length = end;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
