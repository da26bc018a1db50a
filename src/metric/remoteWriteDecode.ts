// Remote write 1.0, reading: the WriteRequest message (after Snappy) to series with labels and samples. Small and bounded, for
// the embedded receiver and for ingest; what it does not know (metadata, exemplars, histograms) it skips.
// https://prometheus.io/docs/specs/prw/remote_write_spec/

export interface DecodedSample {
  /** ms since the epoch. */
  readonly timestamp: number;
  readonly value: number;
  /** The staleness marker: NaN bits 0x7ff0000000000002, which a JavaScript number does not keep apart. */
  readonly stale: boolean;
}

export interface DecodedSeries {
  /** As sent: with __name__, in the sender's order. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly DecodedSample[];
}

/** The bytes are no WriteRequest. */
export class WriteRequestError extends Error {
  readonly code = "write_request";
}

/** All series of a WriteRequest, in the sender's order. Throws WriteRequestError. Nothing returned points into `bytes`. */
export function decodeWriteRequest(bytes: Uint8Array): DecodedSeries[] {
  const reader = new FieldReader(bytes, 0, bytes.length);
  const series: DecodedSeries[] = [];
  while (reader.next()) if (reader.tag === 0x0a) series.push(decodeSeries(reader.message()));
  return series;
}

function decodeSeries(reader: FieldReader): DecodedSeries {
  const labels: [string, string][] = [];
  const samples: DecodedSample[] = [];
  while (reader.next()) {
    if (reader.tag === 0x0a) labels.push(decodeLabel(reader.message()));
    else if (reader.tag === 0x12) samples.push(decodeSample(reader.message()));
  }
  return { labels, samples };
}

function decodeLabel(reader: FieldReader): [string, string] {
  let name = "";
  let value = "";
  while (reader.next()) {
    if (reader.tag === 0x0a) name = reader.text();
    else if (reader.tag === 0x12) value = reader.text();
  }
  return [name, value];
}

function decodeSample(reader: FieldReader): DecodedSample {
  let value = 0;
  let timestamp = 0;
  let stale = false;
  while (reader.next()) {
    if (reader.tag === 0x09) {
      value = reader.double();
      stale = reader.isStale();
    } else if (reader.tag === 0x10) timestamp = reader.varint;
  }
  return { timestamp, value, stale };
}

/** Walks the fields of one message: next(), then tag and one of varint, double(), text(), message(). */
export class FieldReader {
  tag = 0;
  /** Value of the current varint field, as a signed 64-bit number rounded to a double. */
  varint = 0;
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #start = 0;
  #stop = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  /** Offset in the bytes of the field that comes next. */
  get at(): number {
    return this.#at;
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.tag = this.#readVarint();
    const wire = this.tag & 7;
    if (wire === 0) {
      this.varint = this.#readVarint();
      return true;
    }
    const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? this.#readVarint() : -1;
    this.#start = this.#at;
    this.#stop = this.#at + length;
    if (length < 0 || this.#stop > this.#end) throw new WriteRequestError(`not a WriteRequest: field ${this.tag >>> 3} at byte ${this.#at}`);
    this.#at = this.#stop;
    return true;
  }

  message(): FieldReader {
    return new FieldReader(this.#bytes, this.#start, this.#stop);
  }

  text(): string {
    return this.#bytes.toString("utf8", this.#start, this.#stop);
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#start);
  }

  isStale(): boolean {
    return this.#bytes.readUInt32LE(this.#start) === 2 && this.#bytes.readUInt32LE(this.#start + 4) === 0x7ff00000;
  }

  #readVarint(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#at < this.#end ? (this.#bytes[this.#at++] ?? 0) : -1;
      if (byte < 0) throw new WriteRequestError(`not a WriteRequest: a number ends outside its message at byte ${this.#at}`);
      if (shift < 28) low += (byte & 0x7f) * 2 ** shift;
      else high += (byte & 0x7f) * 2 ** (shift - 28);
      if (byte < 0x80) {
        if (high < 2 ** 25) return low + high * 2 ** 28;
        // Past 2^53 only a negative number, or nonsense: bit 63 is the sign, what lies above is cut.
        return Number(BigInt.asIntN(64, (BigInt(high) << 28n) | BigInt(low)));
      }
    }
    throw new WriteRequestError(`not a WriteRequest: a number longer than 10 bytes at byte ${this.#at}`);
  }
}
