// The series a SeriesReader stands at, written as one TimeSeries of a WriteRequest: how a router hands it to its owner. The labels
// are the sender's bytes, and every sample brings its start timestamp (field 3, as in 2.0), so that the owner reads what the router read.
import { int64Bytes, nestedBytes, ProtoWriter } from "./protoWriter.js";
import type { SeriesReader } from "./seriesReader.js";

/** The greatest double that is an int64: what a sender said beyond was rounded up when it was read. */
const INT64_MAX = 2 ** 63 - 1024;

export class SeriesWriter {
  readonly #out = new ProtoWriter();

  /** The samples that are numbers; the others are counted where they were read. A view: the next call writes over it. */
  write(reader: SeriesReader): Uint8Array {
    const { samples, labelsLength } = reader;
    const { count, values, timestamps, starts } = samples;
    let seriesBytes = labelsLength;
    for (let i = 0; i < count; i++)
      if (samples.isNumber(i)) seriesBytes += nestedBytes(sampleBytes(int64Of(timestamps[i] ?? 0), int64Of(starts[i] ?? 0)));
    const out = this.#out;
    out.reset();
    out.reserve(nestedBytes(seriesBytes));
    out.tagged(0x0a, seriesBytes);
    reader.writeLabels(out.bytes, out.length);
    out.length += labelsLength;
    for (let i = 0; i < count; i++) if (samples.isNumber(i)) this.#sample(values[i] ?? 0, int64Of(timestamps[i] ?? 0), int64Of(starts[i] ?? 0));
    return out.written();
  }

  #sample(value: number, timestamp: number, start: number): void {
    const out = this.#out;
    out.tagged(0x12, sampleBytes(timestamp, start));
    out.byte(0x09);
    out.double(value);
    out.byte(0x10);
    out.int64(timestamp);
    if (start === 0) return;
    out.byte(0x18);
    out.int64(start);
  }
}

function sampleBytes(timestamp: number, start: number): number {
  return 10 + int64Bytes(timestamp) + (start === 0 ? 0 : 1 + int64Bytes(start));
}

function int64Of(value: number): number {
  return Math.min(value, INT64_MAX);
}
