// Writes frozen rows (rowBlock.ts) from label bytes that are already sorted. The name and an output's own labels (quantile)
// are merged into their place, so that the block is ready for any receiver.
import { headOf } from "./rowBlock.js";

/** A label as bytes. */
export interface LabelBytes {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** What a row adds to its Group's labels: sorted by name bytes. */
export interface AddedLabels {
  readonly labels: readonly LabelBytes[];
  /** The same as a row holds them: entries back to back. */
  readonly entries: Uint8Array;
}

/** The numbers of a row. */
export interface RowNumbers {
  timestampMs: number;
  /** NaN: the staleness marker, for no other NaN is ever a row's value. */
  value: number;
  /** 0: no start timestamp. */
  startMs: number;
  /** Place in rowTypes. */
  type: number;
}

const encoder = new TextEncoder();
const NAME = encoder.encode("__name__");

/** The labels a row gets beside its Group's: `__name__` and the output's own, sorted by name bytes. */
export function rowLabels(name: Uint8Array, extra: readonly (readonly [string, string])[]): AddedLabels {
  const labels = [{ name: NAME, value: name }];
  for (const [key, value] of extra) labels.push({ name: encoder.encode(key), value: encoder.encode(value) });
  labels.sort((a, b) => Buffer.compare(a.name, b.name));
  return { labels, entries: new Uint8Array(encodeLabels(labels).subarray(2)) };
}

/** Labels in the form of a Group's identity: u16 count, then entries as in a row. Sorted by name bytes, values not empty. */
export function encodeLabels(labels: readonly LabelBytes[]): Buffer {
  let bytes = 2;
  for (const { name, value } of labels) bytes += 6 + name.length + value.length;
  const out = Buffer.allocUnsafe(bytes);
  let at = out.writeUInt16LE(labels.length, 0);
  for (const { name, value } of labels) {
    at = out.writeUInt16LE(name.length, at);
    out.set(name, at);
    at = out.writeUInt32LE(value.length, at + name.length);
    out.set(value, at);
    at += value.length;
  }
  return out;
}

const FIRST_BYTES = 65_536;

export class RowWriter {
  #out = Buffer.allocUnsafe(FIRST_BYTES);
  #view = viewOf(this.#out);
  #bytes = 0;
  /** The Group of the last row: where its labels came from, how many they are, and where they stand in a row now. */
  #source: Uint8Array | undefined;
  #at = 0;
  #count = 0;
  #entriesFrom = 0;
  #entriesTo = 0;
  rowCount = 0;
  /** Of the next row; its caller sets them before row(), so that a row needs no object. */
  readonly numbers: RowNumbers = { timestampMs: 0, value: 0, startMs: 0, type: 0 };

  /**
   * Adds a row of `numbers`. `source[at..]` holds the Group's labels (encodeLabels) and does not change before take(); `added` comes
   * from rowLabels and wins over a Group's label of the same name.
   */
  row(source: Buffer, at: number, added: AddedLabels): void {
    const start = this.#bytes;
    const { entries, labels } = added;
    const known = source === this.#source && at === this.#at && isBefore(labels, this.#out, this.#entriesFrom);
    let written = labels.length + this.#count;
    if (known) {
      this.#reserve(26 + entries.length + this.#entriesTo - this.#entriesFrom);
      this.#out.set(entries, start + 2);
      this.#bytes = start + 2 + entries.length;
      this.#out.copyWithin(this.#bytes, this.#entriesFrom, this.#entriesTo);
      this.#bytes += this.#entriesTo - this.#entriesFrom;
    } else written = this.#firstOf(source, at, added);
    const { timestampMs, value, startMs, type } = this.numbers;
    const view = this.#view;
    view.setUint16(start, headOf(written, type), true);
    view.setFloat64(this.#bytes, timestampMs, true);
    if (Number.isNaN(value)) this.#stale(this.#bytes + 8);
    else view.setFloat64(this.#bytes + 8, value, true);
    view.setFloat64(this.#bytes + 16, startMs, true);
    this.#bytes += 24;
    this.rowCount++;
  }

  /** The rows so far, as bytes of their own; the writer starts anew. */
  take(): Uint8Array {
    const rows = this.#out.subarray(0, this.#bytes);
    this.#source = undefined;
    this.#bytes = 0;
    this.rowCount = 0;
    if (rows.length < this.#out.length / 2) return new Uint8Array(rows);
    // A large buffer goes with the rows that fill it: a copy would take as much memory again.
    this.#out = Buffer.allocUnsafe(FIRST_BYTES);
    this.#view = viewOf(this.#out);
    return rows;
  }

  /** Writes the labels of a row of another Group than the last one's, or of one that goes between the Group's. Returns how many. */
  #firstOf(source: Buffer, at: number, { labels, entries }: AddedLabels): number {
    const count = source.readUInt16LE(at);
    let end = at + 2;
    for (let i = 0; i < count; i++) {
      end += 2 + source.readUInt16LE(end);
      end += 4 + source.readUInt32LE(end);
    }
    const start = this.#bytes;
    this.#reserve(26 + entries.length + end - at);
    if (count > 0 && !isBefore(labels, source, at + 2)) return this.#merge(source, at, labels);
    this.#out.set(entries, start + 2);
    const from = start + 2 + entries.length;
    source.copy(this.#out, from, at + 2, end);
    this.#bytes = from + end - at - 2;
    this.#source = count > 0 ? source : undefined;
    this.#at = at;
    this.#count = count;
    this.#entriesFrom = from;
    this.#entriesTo = this.#bytes;
    return labels.length + count;
  }

  /** As #firstOf, label by label. There is room for all of them. */
  #merge(source: Buffer, at: number, added: readonly LabelBytes[]): number {
    this.#bytes += 2;
    const count = source.readUInt16LE(at);
    let entry = at + 2;
    let written = 0;
    let next = 0;
    for (let i = 0; i < count; i++) {
      const nameBytes = source.readUInt16LE(entry);
      const end = entry + 6 + nameBytes + source.readUInt32LE(entry + 2 + nameBytes);
      let order = 1;
      for (; next < added.length; next++) {
        const label = added[next];
        if (label === undefined) break;
        order = source.compare(label.name, 0, label.name.length, entry + 2, entry + 2 + nameBytes);
        if (order < 0) break;
        this.#label(label);
        written++;
        if (order === 0) {
          next++;
          break;
        }
      }
      if (order !== 0) {
        source.copy(this.#out, this.#bytes, entry, end);
        this.#bytes += end - entry;
        written++;
      }
      entry = end;
    }
    for (const label of added.slice(next)) {
      this.#label(label);
      written++;
    }
    return written;
  }

  /** Prometheus' staleness marker: a NaN with bits of its own, 0x7ff0000000000002. */
  #stale(at: number): void {
    this.#view.setUint32(at, 2, true);
    this.#view.setUint32(at + 4, 0x7ff00000, true);
  }

  #label({ name, value }: LabelBytes): void {
    this.#bytes = this.#out.writeUInt16LE(name.length, this.#bytes);
    this.#out.set(name, this.#bytes);
    this.#bytes = this.#out.writeUInt32LE(value.length, this.#bytes + name.length);
    this.#out.set(value, this.#bytes);
    this.#bytes += value.length;
  }

  #reserve(bytes: number): void {
    const needed = this.#bytes + bytes;
    if (needed <= this.#out.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#out.length * 2));
    this.#out.copy(grown, 0, 0, this.#bytes);
    this.#out = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether all of the labels sort before the label entry at `at`. Equal names do not. */
function isBefore(labels: readonly LabelBytes[], bytes: Uint8Array, at: number): boolean {
  const last = labels[labels.length - 1];
  if (last === undefined) return true;
  const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  const { name } = last;
  for (let i = 0; i < name.length && i < length; i++) {
    const difference = (name[i] ?? 0) - (bytes[at + 2 + i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return name.length < length;
}
