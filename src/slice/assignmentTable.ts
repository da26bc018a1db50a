// Prints an Assignment as the table that tests, logs, people and documentation share.
import type { Assignment, Slice } from "./assignment.js";
import { formatGeneration } from "./generation.js";
import { formatKeyRange, KEY_END, width } from "./keyRange.js";

/** One line per Slice, or per owner with `by: "owner"`; lines end in LF. */
export function assignmentTable(assignment: Assignment, by: "slice" | "owner" = "slice"): string {
  const head = `generation ${formatGeneration(assignment.generation)}  rules ${assignment.rules || "-"}`;
  const rows = by === "slice" ? assignment.slices.map(sliceRow) : ownerRows(assignment);
  const columns = by === "slice" ? ["slice", "share", "owner", "term", "moving to"] : ["resource", "state", "slices", "share", "load"];
  return `${[head, ...align([columns, ...rows])].join("\n")}\n`;
}

function sliceRow(slice: Slice): string[] {
  const { owner, term, movingTo, move } = slice;
  const moving = movingTo === null ? "" : `${movingTo} (${move === null ? "" : formatGeneration(move)})`;
  return [formatKeyRange(slice), share(width(slice)), owner ?? "held", formatGeneration(term), moving];
}

function ownerRows({ slices, resources }: Assignment): string[][] {
  return resources.map(({ id, state, load }) => {
    const own = slices.filter(({ owner }) => owner === id);
    return [id, state, String(own.length), share(own.reduce((sum, slice) => sum + width(slice), 0)), load.toFixed(2)];
  });
}

function share(keys: number): string {
  return `${((keys / KEY_END) * 100).toFixed(2)}%`;
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
