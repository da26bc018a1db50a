// Rows as InfluxDB sees them: the series' name is the measurement, its labels are tags, the value is the float field `value`.
// Telegraf names such a line as we named the row.
import { RowReader } from "../metric/rowBlock.js";
import { labelProblem } from "../metric/rowLabels.js";
import type { Batch } from "./batch.js";

export const influxField = "value";

/** Why InfluxDB must not get a row: line protocol knows no NaN, no infinity, and no text with these in it. */
export function influxProblem(reader: RowReader, view: DataView): string | undefined {
  if (!Number.isFinite(reader.value)) return "a value that is no finite number";
  const { bytes, rowStart, rowEnd } = reader;
  for (let i = rowStart; i < rowEnd - 24; i++) {
    // Only a byte that may be one of them costs the look at the texts.
    if (bytes[i] !== 0x5c && bytes[i] !== 0x0a) continue;
    const texts = Object.values(reader.row().labels);
    return texts.some((text) => text.includes("\n") || text.endsWith("\\"))
      ? "a label with a line break, or a backslash at its end"
      : labelProblem(reader, view);
  }
  return labelProblem(reader, view);
}

/** Hands out a batch's rows in order. */
export function eachRow(
  { blocks, starts }: Batch,
  take: (row: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly timestamp: number;
    readonly value: number;
  }) => void,
): void {
  let reader = new RowReader(new Uint8Array(0));
  for (const [i, block] of blocks.entries()) {
    if (reader.bytes !== block.bytes) reader = new RowReader(block.bytes);
    reader.rowEnd = starts[i] ?? 0;
    reader.next();
    take(reader.row());
  }
}
