// Remote write for ingest: one TimeSeries after the other, without strings or objects. The label bytes of a series are good enough
// to recognise it by; names and values are decoded only for a series that is new. Those bytes are the labels as a 1.0 message has
// them, in both versions, so that a series stays the same when its sender changes the version:
//
//   1.0  labels lie in the series ──────────────────────────────▶ copied as sent  ┐
//   2.0  labels are pairs of symbol numbers ─▶ symbols of the request ─▶ composed ┴▶ 0a len (0a len name 12 len value), ...
//
// The request as a whole is looked over first, so that a body which is no such message changes nothing. A series that cannot be
// is left out, and the next one is read.
// https://prometheus.io/docs/specs/prw/remote_write_spec/ and .../remote_write_spec_2_0/ (2.0-rc.4, and rc.3's start timestamps)
import { counted } from "../base/counted.js";
import { ProtoReader } from "./protoReader.js";
import { decodeLabel } from "./remoteWriteDecode.js";
import { SampleColumns } from "./sampleColumns.js";
import { SYMBOLS_MAX, SymbolTable } from "./symbolTable.js";
import { compareUtf8 } from "./utf8.js";

export type WriteVersion = "1.0" | "2.0";

/** Metric types of 2.0 metadata that matter here. */
export const TYPE_COUNTER = 1;
export const TYPE_GAUGE = 2;

/** Samples of one series in one request. Senders put in a handful; an empty one is two bytes, so that the body's bound alone would allow millions. */
const SAMPLES_MAX = 100_000;
const LABELS_MAX = 4096;
const COPY_BYTES_MAX = 64;

const LABELS = 0x0a;
const SAMPLES = 0x12;
const SYMBOLS = 0x22;
const SERIES = { "1.0": 0x0a, "2.0": 0x2a } as const;
const HISTOGRAMS = { "1.0": 0x22, "2.0": 0x1a } as const;
const EXEMPLARS = { "1.0": 0x1a, "2.0": 0x22 } as const;
/** Of a sample. */
const VALUE = 0x09;
const TIME = 0x10;
/** Of a sample: a 2.0 sender's. 1.0 has no such field, but a router's pieces do (seriesWriter.ts). */
const START = 0x18;
/** 2.0: a label reference that is not packed; metadata; rc.3's start timestamp, of the whole series. */
const LABEL_REF = 0x08;
const METADATA = 0x2a;
const CREATED = 0x30;

export class SeriesReader {
  /** Why the request cannot be read at all; then there are no series. */
  readonly fault: string | undefined;
  /** Of the request, the bad ones included. */
  readonly seriesCount: number = 0;
  /** Why the current series cannot be taken; "" when it can. */
  problem = "";
  readonly samples = new SampleColumns(SAMPLES_MAX);
  histograms = 0;
  exemplars = 0;
  /** Of its metadata: TYPE_*, 0 when not said. */
  type = 0;
  /** Length of the label bytes. */
  labelsLength = 0;
  readonly #version: WriteVersion;
  readonly #reader: ProtoReader;
  readonly #symbols = new SymbolTable();
  /** Pairs: 1.0: where label bytes begin and end; 2.0: the symbols of name and value. */
  readonly #pairs = new Int32Array(2 * LABELS_MAX);
  #numbers = 0;
  /** Where writeLabels() writes. */
  #target: Uint8Array = new Uint8Array(0);
  #to = 0;

  /** `bytes`: a request after Snappy; kept and only read. */
  constructor(bytes: Uint8Array, version: WriteVersion) {
    this.#version = version;
    this.#reader = new ProtoReader(bytes);
    const found = this.#lookOver();
    if (typeof found === "number") this.seriesCount = found;
    else this.fault = found;
    this.#reader.mend(this.fault === undefined ? 0 : bytes.length);
  }

  /** Goes to the next series, good or not (`problem`); false at the end. */
  next(): boolean {
    const reader = this.#reader;
    while (reader.next(reader.bytes.length)) {
      if (reader.tag !== SERIES[this.#version]) continue;
      const { stop } = reader;
      this.#readSeries(reader.start, stop);
      if (reader.fault !== "") {
        this.problem = reader.fault;
        reader.mend(stop);
      }
      return true;
    }
    return false;
  }

  /** Where the label bytes of the current, good series lie in the request; -1: they have to be written out. */
  get labelsAt(): number {
    return this.#version === "1.0" && this.#numbers === 2 ? (this.#pairs[0] ?? -1) : -1;
  }

  /** The request's bytes. */
  get bytes(): Buffer {
    return this.#reader.bytes;
  }

  /** Puts the label bytes of the current, good series at `at`. */
  writeLabels(target: Uint8Array, at: number): void {
    const pairs = this.#pairs;
    this.#target = target;
    this.#to = at;
    for (let i = 0; i < this.#numbers; i += 2) {
      if (this.#version === "1.0") this.#copy(pairs[i] ?? 0, pairs[i + 1] ?? 0);
      else this.#composeLabel(pairs[i] ?? 0, pairs[i + 1] ?? 0);
    }
  }

  /** Labels of the current, good series, in the sender's order, __name__ among them; undefined when they are no labels. */
  labels(): [name: string, value: string][] | undefined {
    const bytes = Buffer.alloc(this.labelsLength);
    this.writeLabels(bytes, 0);
    const reader = new ProtoReader(bytes);
    const labels: [string, string][] = [];
    while (reader.next(bytes.length)) if (reader.tag === LABELS) labels.push(decodeLabel(reader));
    return reader.fault === "" ? labels : undefined;
  }

  /** Counts the series and notes the symbols, or says what is wrong. */
  #lookOver(): number | string {
    const reader = this.#reader;
    const name = this.#version === "1.0" ? "WriteRequest" : "io.prometheus.write.v2.Request";
    const other = this.#version === "1.0" ? "2.0" : "1.0";
    let series = 0;
    while (reader.next(reader.bytes.length)) {
      if (reader.tag === SERIES[this.#version]) series++;
      else if (reader.tag === SERIES[other]) return `not a ${name}: it holds series of remote write ${other}; the content-type must say which it is`;
      else if (reader.tag === SYMBOLS && this.#version === "2.0" && !this.#symbols.add(reader.start, reader.stop))
        return `more than ${String(SYMBOLS_MAX)} symbols; send smaller requests`;
    }
    return reader.fault === "" ? series : `not a ${name}: ${reader.fault}`;
  }

  #readSeries(start: number, stop: number): void {
    const reader = this.#reader;
    const version = this.#version;
    let created = 0;
    this.problem = "";
    this.samples.count = 0;
    this.histograms = 0;
    this.exemplars = 0;
    this.type = 0;
    this.#numbers = 0;
    reader.at = start;
    // Labels stand in front, as all senders write them.
    if (version === "1.0") reader.pass(LABELS, stop);
    if (reader.at > start) this.#addRange(start, reader.at);
    for (let fieldStart = reader.at; reader.next(stop); fieldStart = reader.at) {
      const { tag } = reader;
      if (tag === SAMPLES) this.#readSample();
      else if (tag === LABELS && version === "1.0") this.#addRange(fieldStart, reader.at);
      else if (tag === HISTOGRAMS[version]) this.histograms++;
      else if (tag === EXEMPLARS[version]) this.exemplars++;
      else if (version === "1.0") continue;
      else if (tag === LABELS) this.#readRefs();
      else if (tag === LABEL_REF) this.#addNumber(reader.varint);
      else if (tag === METADATA) this.#readMetadata();
      else if (tag === CREATED) created = reader.varint;
    }
    if (created !== 0) this.samples.fillStarts(created);
    this.#measure();
  }

  /** 1.0: label bytes; those that stand together, as all senders write them, are one range. */
  #addRange(from: number, to: number): void {
    if (this.#numbers > 0 && this.#pairs[this.#numbers - 1] === from) this.#pairs[this.#numbers - 1] = to;
    else {
      this.#addNumber(from);
      this.#addNumber(to);
    }
  }

  #addNumber(number: number): void {
    if (this.problem !== "") return;
    if (this.#numbers === this.#pairs.length) this.problem = `more than ${String(LABELS_MAX)} labels`;
    else if (this.#version === "2.0" && !this.#symbols.has(number))
      this.problem = `label reference ${String(number)} of ${counted(this.#symbols.count, "symbol")}`;
    else this.#pairs[this.#numbers++] = number;
  }

  #readRefs(): void {
    const reader = this.#reader;
    const { stop } = reader;
    reader.at = reader.start;
    while (reader.packed(stop)) this.#addNumber(reader.varint);
  }

  #readMetadata(): void {
    const reader = this.#reader;
    const { stop } = reader;
    reader.at = reader.start;
    while (reader.next(stop)) if (reader.tag === 0x08) this.type = reader.varint;
  }

  #readSample(): void {
    const reader = this.#reader;
    const { samples } = this;
    const { stop } = reader;
    const i = samples.add();
    reader.at = reader.start;
    if (i < 0) {
      this.problem = `more than ${String(SAMPLES_MAX)} samples; send them in several requests`;
      reader.at = stop;
      return;
    }
    while (reader.next(stop)) {
      if (reader.tag === VALUE) {
        const value = reader.double();
        samples.values[i] = value;
        samples.stale[i] = Number(Number.isNaN(value) && reader.isStale());
        // The time is next, as all senders write it.
        if (reader.skip(TIME, stop) && reader.packed(stop)) samples.timestamps[i] = reader.varint;
      } else if (reader.tag === TIME) samples.timestamps[i] = reader.varint;
      else if (reader.tag === START) samples.starts[i] = reader.varint;
    }
  }

  #measure(): void {
    if (this.#version === "2.0" && this.#numbers % 2 === 1 && this.problem === "") this.problem = "an odd number of label references";
    this.labelsLength = 0;
    for (let i = 0; i < this.#numbers; i += 2) {
      const first = this.#pairs[i] ?? 0;
      const second = this.#pairs[i + 1] ?? 0;
      if (this.#version === "1.0") this.labelsLength += second - first;
      else this.labelsLength += withPrefix(this.#contentLength(first, second));
    }
  }

  #contentLength(name: number, value: number): number {
    return withPrefix(this.#symbols.length(name)) + withPrefix(this.#symbols.length(value));
  }

  #composeLabel(name: number, value: number): void {
    this.#writePrefix(LABELS, this.#contentLength(name, value));
    this.#writePrefix(0x0a, this.#symbols.length(name));
    this.#copySymbol(name);
    this.#writePrefix(0x12, this.#symbols.length(value));
    this.#copySymbol(value);
  }

  #copySymbol(ref: number): void {
    const { places } = this.#symbols;
    this.#copy(places[ref * 2] ?? 0, places[ref * 2 + 1] ?? 0);
  }

  #copy(start: number, stop: number): void {
    const { bytes } = this.#reader;
    const target = this.#target;
    let to = this.#to;
    this.#to = to + stop - start;
    // For a few bytes the way out of JavaScript costs more than the copy.
    if (stop - start > COPY_BYTES_MAX) bytes.copy(target, to, start, stop);
    else for (let at = start; at < stop; at++) target[to++] = bytes[at] ?? 0;
  }

  #writePrefix(tag: number, length: number): void {
    const target = this.#target;
    let to = this.#to;
    target[to++] = tag;
    let rest = length;
    for (; rest >= 0x80; rest >>>= 7) target[to++] = (rest & 0x7f) | 0x80;
    target[to++] = rest;
    this.#to = to;
  }
}

/** Bytes of a field of `length` bytes with its tag and length. */
function withPrefix(length: number): number {
  return 1 + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5) + length;
}

export type NamedSeries =
  | { readonly ok: true; readonly name: string; readonly labels: [string, string][] }
  | { readonly ok: false; readonly message: string };

/** The series a list of labels names: sorted, without empty values; not when a label is there twice. */
export function seriesOf(labels: readonly (readonly [name: string, value: string])[]): NamedSeries {
  let name = "";
  const kept: [string, string][] = [];
  for (const [label, value] of labels) {
    if (label === "__name__") name = value;
    else if (label !== "" && value !== "") kept.push([label, value]);
  }
  kept.sort(([a], [b]) => compareUtf8(a, b));
  const twice = kept.find(([label], i) => i > 0 && kept[i - 1]?.[0] === label);
  return twice === undefined ? { ok: true, name, labels: kept } : { ok: false, message: `label ${twice[0]} stands twice in ${name}` };
}
