// Builds the bytes of RowBlocks for tests, from strings.
import { headOf, type RowBlock, type RowType, rowTypes } from "#limpet/metric/rowBlock.js";

export interface TestRow {
  /** With __name__; sorted here unless `raw`. */
  readonly labels: readonly (readonly [string, string])[];
  readonly timestamp: number;
  readonly value: number;
  /** Instead of the value: its eight bytes, for NaNs with a payload. */
  readonly valueBytes?: Uint8Array;
  readonly startMs?: number;
  readonly type?: RowType;
  /** Labels as given, whatever is wrong with them. */
  readonly raw?: boolean;
}

export const staleBytes = Uint8Array.from([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);

export function blockOf(rows: readonly TestRow[], rule = "test"): RowBlock {
  const parts = rows.map(rowBytes);
  return { rule, windowEndMs: 0, rowCount: rows.length, bytes: Buffer.concat(parts) };
}

/** `name{a=1,b=2}` at a time, with a value. */
export function testRow(series: string, timestamp: number, value: number): TestRow {
  const [, name = "", inside = ""] = /^([^{]*)(?:\{(.*)\})?$/.exec(series) ?? [];
  const labels =
    inside === "" ? [] : inside.split(",").map((pair): [string, string] => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]);
  return { labels: [["__name__", name], ...labels], timestamp, value };
}

function rowBytes(row: TestRow): Buffer {
  const labels = row.labels.map(([name, value]): [Buffer, Buffer] => [Buffer.from(name), Buffer.from(value)]);
  if (row.raw !== true) labels.sort(([a], [b]) => Buffer.compare(a, b));
  const parts: Uint8Array[] = [u16(headOf(labels.length, rowTypes.indexOf(row.type ?? "unknown")))];
  for (const [name, value] of labels) parts.push(u16(name.length), name, u32(value.length), value);
  const tail = Buffer.alloc(24);
  tail.writeDoubleLE(row.timestamp, 0);
  tail.writeDoubleLE(row.value, 8);
  tail.writeDoubleLE(row.startMs ?? 0, 16);
  if (row.valueBytes !== undefined) tail.set(row.valueBytes, 8);
  return Buffer.concat([...parts, tail]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
