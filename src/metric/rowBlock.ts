// Frozen rows: what closing a Window yields and what every Sink reads. Final bytes: a re-send, by anyone, is identical.
//
//   row:  u16 head, labelCount x { u16 nameBytes, name, u32 valueBytes, value }, f64 timestampMs, f64 value, f64 startMs
//   head: labelCount in the lower 14 bits, the metric's type in the upper two (snapshots of version 1: always 0, unknown)
//
// Little-endian, unaligned, rows back to back. Labels include __name__ and are sorted by name bytes and unique; values are
// never empty. startMs is the start timestamp of a cumulative row, 0 for none.

/** What receivers are told of a metric. Its place here is the number in a row's head. */
export const rowTypes = ["unknown", "counter", "gauge", "histogram"] as const;
export type RowType = (typeof rowTypes)[number];

export const rowLabelsMax = 0x3fff;
const typeShift = 14;

/** `type`: its place in rowTypes. Throws on more labels than fit. */
export function headOf(labelCount: number, type: number): number {
  if (labelCount > rowLabelsMax) throw new RangeError(`a row of ${labelCount} labels, more than ${rowLabelsMax}`);
  return labelCount | (type << typeShift);
}

export function labelCountOf(head: number): number {
  return head & rowLabelsMax;
}

/** The type's place in rowTypes. */
export function typeNumberOf(head: number): number {
  return head >>> typeShift;
}

/**
 * Rows that say something about a series beside its samples, for sinks that understand it (Sink.marks). `stale`: the series end here
 * (every value is the staleness marker). `zero`: cumulative series begin here, at 0.
 */
export type MarkKind = "stale" | "zero";

export interface RowBlock {
  /** Rule that made the rows (Rule.name). */
  readonly rule: string;
  /** Exclusive end of the Window, ms since the epoch. */
  readonly windowEndMs: number;
  readonly rowCount: number;
  readonly bytes: Uint8Array;
  /** SliceKey of each row's Group, in the order of the rows: whose Slice moves, their rows go with it. Absent: rows of no Group, which stay. */
  readonly keys?: Uint32Array;
  /** When the rows were first offered to the sink they wait for, ms since the epoch. Absent: not yet, or it was not kept. */
  readonly offeredMs?: number;
  /** Absent: samples. */
  readonly mark?: MarkKind;
}

/** A row as people and tests see it: `replay --format json`, goldens. */
export interface Row {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timestamp: number;
  readonly value: number;
}

const decoder = new TextDecoder();

/** Walks a block without allocating: call next(), then read the fields. Offsets point into `bytes`. */
export class RowReader {
  readonly bytes: Uint8Array;
  /** Where the current row starts and (exclusively) ends. */
  rowStart = 0;
  rowEnd = 0;
  labelCount = 0;
  type: RowType = "unknown";
  /** Offset of the first label entry. */
  labelsStart = 0;
  timestampMs = 0;
  value = 0;
  startMs = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** False after the last row. */
  next(): boolean {
    if (this.rowEnd >= this.bytes.length) return false;
    const view = this.#view;
    this.rowStart = this.rowEnd;
    const head = view.getUint16(this.rowStart, true);
    this.labelCount = labelCountOf(head);
    this.type = rowTypes[typeNumberOf(head)] ?? "unknown";
    this.labelsStart = this.rowStart + 2;
    let at = this.labelsStart;
    for (let i = 0; i < this.labelCount; i++) {
      at += 2 + view.getUint16(at, true);
      at += 4 + view.getUint32(at, true);
    }
    this.timestampMs = view.getFloat64(at, true);
    this.value = view.getFloat64(at + 8, true);
    this.startMs = view.getFloat64(at + 16, true);
    this.rowEnd = at + 24;
    return true;
  }

  /** The current row as strings. Allocates: for people, tests and text sinks. */
  row(): Row {
    let at = this.labelsStart;
    let name = "";
    const labels: Record<string, string> = {};
    for (let i = 0; i < this.labelCount; i++) {
      const nameBytes = this.#view.getUint16(at, true);
      const key = decoder.decode(this.bytes.subarray(at + 2, at + 2 + nameBytes));
      at += 2 + nameBytes;
      const valueBytes = this.#view.getUint32(at, true);
      const text = decoder.decode(this.bytes.subarray(at + 4, at + 4 + valueBytes));
      at += 4 + valueBytes;
      if (key === "__name__") name = text;
      else labels[key] = text;
    }
    return { name, labels, timestamp: this.timestampMs, value: this.value };
  }
}

/** All rows of a block as strings. */
export function rowsOf(block: RowBlock): Row[] {
  const rows: Row[] = [];
  const reader = new RowReader(block.bytes);
  while (reader.next()) rows.push(reader.row());
  return rows;
}
