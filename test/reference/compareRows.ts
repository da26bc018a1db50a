// Says how actual rows differ from expected ones: missing, unasked for, doubled, or of another value. Order is free.
import type { Row } from "#limpet/metric/rowBlock.js";
import { accepts, type ExpectedRow } from "./expectedRow.js";
import { identity } from "./naming.js";

function keyOf(row: Row): string {
  return `${identity(row.name, new Map(Object.entries(row.labels)))} @${row.timestamp}`;
}

/** One line per difference, expected rows first. Empty when all agree. */
export function differences(expected: readonly ExpectedRow[], actual: readonly Row[]): string[] {
  const found: string[] = [];
  const rest = new Map<string, Row>();
  for (const row of actual) {
    const key = keyOf(row);
    const twin = rest.get(key);
    if (twin !== undefined) found.push(`twice: ${key} = ${twin.value} and ${row.value}`);
    rest.set(key, row);
  }
  for (const row of expected) {
    const key = keyOf(row);
    const got = rest.get(key);
    rest.delete(key);
    if (got === undefined) found.push(`missing: ${key} = ${row.value}`);
    else if (!accepts(row, got.value)) {
      found.push(`differs: ${key} expected ${row.value}, got ${got.value} (${row.tolerance.kind})`);
    }
  }
  for (const [key, row] of rest) found.push(`nobody asked for: ${key} = ${row.value}`);
  return found;
}
