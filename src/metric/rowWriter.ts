// Writes frozen rows (rowBlock.ts) from label bytes that are already sorted. The name and an output's own labels (quantile)
// are merged into their place, so that the block is ready for any receiver.
import { headOf, type RowBlock } from "./rowBlock.js";

/** A label as bytes. */
export interface LabelBytes {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** The numbers of a row. */
export interface RowNumbers {
  readonly timestampMs: number;
  /** NaN: the staleness marker, for no other NaN is ever a row's value. */
  readonly value: number;
  /** 0: no start timestamp. */
  readonly startMs: number;
  /** Place in rowTypes. */
  readonly type: number;
}

const encoder = new TextEncoder();
const NAME = encoder.encode("__name__");

/** The labels a row gets beside its Group's: `__name__` and the output's own, sorted by name bytes. */
export function rowLabels(name: Uint8Array, extra: readonly (readonly [string, string])[]): LabelBytes[] {
  const labels = [{ name: NAME, value: name }];
  for (const [key, value] of extra) labels.push({ name: encoder.encode(key), value: encoder.encode(value) });
  return labels.sort((a, b) => Buffer.compare(a.name, b.name));
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

export class RowWriter {
  #out = Buffer.allocUnsafe(65536);
  #bytes = 0;
  #keys = new Uint32Array(1024);
  rowCount = 0;
  /** SliceKey of the rows that are added from now on. */
  key = 0;

  /**
   * Adds a row. `source[at..]` holds the Group's labels (encodeLabels), `added` comes from rowLabels and wins over a Group's
   * label of the same name.
   */
  row(source: Buffer, at: number, added: readonly LabelBytes[], row: RowNumbers): void {
    const start = this.#bytes;
    this.#reserve(2);
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
        this.#reserve(end - entry);
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
    this.#out.writeUInt16LE(headOf(written, row.type), start);
    this.#reserve(24);
    this.#bytes = this.#out.writeDoubleLE(row.timestampMs, this.#bytes);
    this.#bytes = Number.isNaN(row.value) ? this.#stale() : this.#out.writeDoubleLE(row.value, this.#bytes);
    this.#bytes = this.#out.writeDoubleLE(row.startMs, this.#bytes);
    if (this.rowCount === this.#keys.length) {
      const grown = new Uint32Array(this.rowCount * 2);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    this.#keys[this.rowCount++] = this.key;
  }

  /** The rows so far, as bytes of their own; the writer starts anew. */
  take(): Pick<RowBlock, "rowCount" | "bytes"> & { readonly keys: Uint32Array } {
    const taken = { rowCount: this.rowCount, bytes: new Uint8Array(this.#out.subarray(0, this.#bytes)), keys: this.#keys.slice(0, this.rowCount) };
    this.#bytes = 0;
    this.rowCount = 0;
    return taken;
  }

  /** Prometheus' staleness marker: a NaN with bits of its own, 0x7ff0000000000002. */
  #stale(): number {
    this.#out.writeUInt32LE(2, this.#bytes);
    return this.#out.writeUInt32LE(0x7ff00000, this.#bytes + 4);
  }

  #label({ name, value }: LabelBytes): void {
    this.#reserve(6 + name.length + value.length);
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
  }
}
