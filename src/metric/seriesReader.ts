// Remote write 1.0 for ingest: one TimeSeries after the other, without strings. The label bytes of a series as they were sent
// are good enough to recognise it by; names and values are decoded only for a series that is new. What decodeWriteRequest()
// (remoteWriteDecode.ts) does for a whole request, this does in place. Metadata, exemplars and native histograms are skipped.
// https://prometheus.io/docs/specs/prw/remote_write_spec/
import { FieldReader, WriteRequestError } from "./remoteWriteDecode.js";
import { compareUtf8 } from "./utf8.js";

const LABELS = 0x0a;
const SAMPLES = 0x12;
const HISTOGRAMS = 0x22;

/** Samples of one series in one request. Senders put in a handful; an empty one is two bytes, so that the body's bound alone would allow millions. */
const SAMPLES_MAX = 100_000;

export class SeriesReader {
  readonly #reader: FieldReader;
  readonly #bytes: Buffer;
  /** The fields of the current series: its labels as they stand, joined. */
  #labels: Buffer = Buffer.alloc(0);
  /** Samples of the current series; only the first `count` are its own. */
  count = 0;
  histograms = 0;
  /** ms since the epoch. */
  timestamps = new Float64Array(16);
  values = new Float64Array(16);
  /** 1: the staleness marker. */
  stale = new Uint8Array(16);

  /** `bytes`: a WriteRequest after Snappy; kept and only read. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#reader = new FieldReader(bytes, 0, bytes.length);
  }

  /** Goes to the next series; false at the end. Throws WriteRequestError. */
  next(): boolean {
    while (this.#reader.next()) {
      if (this.#reader.tag !== LABELS) continue;
      this.#read(this.#reader.message());
      return true;
    }
    return false;
  }

  /** The bytes of the labels: a view when they stand together, as all senders write them. */
  get labelBytes(): Buffer {
    return this.#labels;
  }

  /** Labels of the current series, in the sender's order, __name__ among them. Throws WriteRequestError. */
  labels(): [name: string, value: string][] {
    const reader = new FieldReader(this.#labels, 0, this.#labels.length);
    const labels: [string, string][] = [];
    while (reader.next()) {
      if (reader.tag !== LABELS) continue;
      const label = reader.message();
      let name = "";
      let value = "";
      while (label.next()) {
        if (label.tag === LABELS) name = label.text();
        else if (label.tag === SAMPLES) value = label.text();
      }
      labels.push([name, value]);
    }
    return labels;
  }

  #read(series: FieldReader): void {
    this.count = 0;
    this.histograms = 0;
    let from = 0;
    let to = 0;
    let apart: Buffer[] | undefined;
    for (let fieldStart = series.at; series.next(); fieldStart = series.at) {
      if (series.tag === LABELS) {
        if (to === 0) from = fieldStart;
        else if (to !== fieldStart) {
          apart ??= [];
          apart.push(this.#bytes.subarray(from, to));
          from = fieldStart;
        }
        to = series.at;
      } else if (series.tag === SAMPLES) this.#sample(series.message());
      else if (series.tag === HISTOGRAMS) this.histograms++;
    }
    const last = this.#bytes.subarray(from, to);
    this.#labels = apart === undefined ? last : Buffer.concat([...apart, last]);
  }

  #sample(sample: FieldReader): void {
    if (this.count === SAMPLES_MAX)
      throw new WriteRequestError(`a series has more than ${String(SAMPLES_MAX)} samples; send them in several requests`);
    if (this.count === this.values.length) this.#grow();
    const i = this.count++;
    this.values[i] = 0;
    this.timestamps[i] = 0;
    this.stale[i] = 0;
    while (sample.next()) {
      if (sample.tag === 0x09) {
        this.values[i] = sample.double();
        this.stale[i] = Number(sample.isStale());
      } else if (sample.tag === 0x10) this.timestamps[i] = sample.varint;
    }
  }

  #grow(): void {
    const [timestamps, values, stale] = [this.timestamps, this.values, this.stale];
    const length = values.length * 2;
    this.timestamps = new Float64Array(length);
    this.values = new Float64Array(length);
    this.stale = new Uint8Array(length);
    this.timestamps.set(timestamps);
    this.values.set(values);
    this.stale.set(stale);
  }
}

/** The series a list of labels names: sorted, without empty values. Throws WriteRequestError when a label is there twice. */
export function seriesOf(labels: readonly (readonly [name: string, value: string])[]): { name: string; labels: [string, string][] } {
  let name = "";
  const kept: [string, string][] = [];
  for (const [label, value] of labels) {
    if (label === "__name__") name = value;
    else if (label !== "" && value !== "") kept.push([label, value]);
  }
  kept.sort(([a], [b]) => compareUtf8(a, b));
  for (const [i, [label]] of kept.entries())
    if (i > 0 && kept[i - 1]?.[0] === label) throw new WriteRequestError(`label ${label} stands twice in ${name}`);
  return { name, labels: kept };
}
