// RowReader: what a sink pays to walk frozen rows, and what a text sink pays for strings.
import { RowReader } from "#limpet/metric/rowBlock.js";
import type { Bench } from "./bench.js";
import { frozenRows, identities, keptBySize } from "./frozenRows.js";

const blockOf = keptBySize((groups) => frozenRows(identities(groups)));

export const walkRows: Bench = {
  name: "rowBlock: walk rows",
  run(scale) {
    const reader = new RowReader(blockOf(Math.ceil(50_000 * scale)));
    let rows = 0;
    let sum = 0;
    while (reader.next()) {
      rows++;
      sum += reader.value;
    }
    if (sum !== rows * 42.5) throw new Error(`${String(rows)} rows summed up to ${String(sum)}`);
    return { ops: rows, unit: "row" };
  },
};

export const decodeRows: Bench = {
  name: "rowBlock: rows as strings",
  run(scale) {
    const reader = new RowReader(blockOf(Math.ceil(5000 * scale)));
    let rows = 0;
    while (reader.next()) if (reader.row().labels["region"]?.startsWith("eu-central-") === true) rows++;
    return { ops: rows, unit: "row" };
  },
};
