// RowReader: what a sink pays to walk frozen rows, per row.
import { RowReader } from "#limpet/metric/rowBlock.js";
import type { Bench } from "./bench.js";

const ROWS = 200_000;
const LABELS = [
  ["__name__", "http_requests_duration_ms:10s_by_region_service_count_samples"],
  ["region", "eu-central-1"],
  ["service", "checkout-07"],
] as const;

/** A block of equal rows, as src/metric/rowBlock.ts describes them; about 130 bytes each. */
function block(rows: number): Uint8Array {
  const labels = LABELS.map(([name, value]) => {
    const head = Buffer.alloc(2 + name.length + 4);
    head.writeUInt16LE(name.length, 0);
    head.write(name, 2, "latin1");
    head.writeUInt32LE(value.length, 2 + name.length);
    return Buffer.concat([head, Buffer.from(value, "latin1")]);
  });
  const count = Buffer.alloc(2);
  count.writeUInt16LE(LABELS.length);
  const numbers = Buffer.alloc(24);
  numbers.writeDoubleLE(1763870000000, 0);
  numbers.writeDoubleLE(42.5, 8);
  const row = Buffer.concat([count, ...labels, numbers]);
  return Buffer.alloc(rows * row.length, row);
}

const blocks = new Map<number, Uint8Array>();

function blockOf(rows: number): Uint8Array {
  const made = blocks.get(rows) ?? block(rows);
  blocks.set(rows, made);
  return made;
}

export const walkRows: Bench = {
  name: "rowBlock: walk rows",
  run(scale) {
    const reader = new RowReader(blockOf(Math.ceil(ROWS * scale)));
    let rows = 0;
    let sum = 0;
    while (reader.next()) {
      rows++;
      sum += reader.value;
    }
    if (sum !== rows * 42.5) throw new Error(`${rows} rows summed up to ${sum}`);
    return { ops: rows, unit: "row" };
  },
};

export const decodeRows: Bench = {
  name: "rowBlock: rows as strings",
  run(scale) {
    const reader = new RowReader(blockOf(Math.ceil((ROWS / 10) * scale)));
    let rows = 0;
    while (reader.next()) if (reader.row().labels["region"] === "eu-central-1") rows++;
    return { ops: rows, unit: "row" };
  },
};
