// Rows as lines of text, and the one order in which rows are printed (`replay`, `file:`, `stdout:`, goldens).

import { encodeSample } from "./lineEncoder.js";
import type { Row } from "./rowBlock.js";
import { compareUtf8 } from "./utf8.js";

export const rowFormats = ["json", "prom", "lp"] as const;
export type RowFormat = (typeof rowFormats)[number];

/**
 * One row as one line, without its end of line. Numbers are the shortest text that reads back as the same double.
 *   json  {"name","labels","timestamp","value"}: ms; NaN and ±Inf as the strings "NaN", "+Inf", "-Inf"
 *   prom  name{label="value"} value timestamp (text exposition 0.0.4)
 *   lp    name,label=value value=1.5 timestamp in ns; "" for NaN and ±Inf, which line protocol cannot say
 */
export function formatRow(row: Row, format: RowFormat): string {
  if (format === "json") return formatJson(row);
  return format === "prom" ? formatProm(row) : encodeSample(row.name, sortedEntries(row), row.value, row.timestamp);
}

/** By timestamp, then name, then labels as `k=v`, all texts by their UTF-8 bytes. Zero only for equal identities. */
export function compareRows(a: Row, b: Row): number {
  return a.timestamp - b.timestamp || compareUtf8(a.name, b.name) || compareLabels(sortedPairs(a), sortedPairs(b));
}

function sortedPairs(row: Row): string[] {
  return Object.entries(row.labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort(compareUtf8);
}

function compareLabels(a: readonly string[], b: readonly string[]): number {
  for (const [i, text] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    const order = compareUtf8(text, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function formatJson(row: Row): string {
  const labels = Object.fromEntries(sortedEntries(row));
  const value = Number.isFinite(row.value) ? row.value : formatNumber(row.value);
  // JSON.stringify writes -0 as 0; JSON itself can say -0.
  const text = Object.is(value, -0) ? "-0" : JSON.stringify(value);
  return `{"name":${JSON.stringify(row.name)},"labels":${JSON.stringify(labels)},"timestamp":${row.timestamp},"value":${text}}`;
}

function formatProm(row: Row): string {
  const labels = sortedEntries(row).map(([name, value]) => `${name}="${value.replace(/[\\\n"]/g, promEscape)}"`);
  const braces = labels.length === 0 ? "" : `{${labels.join(",")}}`;
  return `${row.name}${braces} ${formatNumber(row.value)} ${row.timestamp}`;
}

function promEscape(text: string): string {
  return text === "\n" ? "\\n" : `\\${text}`;
}

function sortedEntries(row: Row): [string, string][] {
  return Object.entries(row.labels).sort(([a], [b]) => compareUtf8(a, b));
}

function formatNumber(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
