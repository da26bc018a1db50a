// Lines in, text out: the notation of test/fixtures/line-vectors.json.
// `m{a=b, c=d} f=1, g=2i @7`, or `✗ tag @LINE:COLUMN`; several results joined by " ; ". Backslash, LF, CR, TAB are written escaped.

import type { FieldValue, Point } from "#limpet/metric/lineDecoder.js";
import { LineStream } from "#limpet/metric/lineStream.js";

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** One character per byte, so that bytes which are not UTF-8 stay visible. */
export function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("latin1")
    .replace(/[\\\n\r\t]/g, (c) => ESCAPES[c] ?? c);
}

function valueText(value: FieldValue): string {
  if (value.kind === "string") return `"${bytesText(value.value)}"`;
  if (value.kind === "float") return Object.is(value.value, -0) ? "-0" : String(value.value);
  return `${String(value.value)}${value.kind === "int" ? "i" : value.kind === "uint" ? "u" : ""}`;
}

export function pointText(point: Point): string {
  const tags = point.tags.map(({ key, value }) => `${bytesText(key)}=${bytesText(value)}`).join(", ");
  const fields = point.fields.map(({ key, value }) => `${bytesText(key)}=${valueText(value)}`).join(", ");
  return `${bytesText(point.measurement)}${tags === "" ? "" : `{${tags}}`} ${fields}${point.time === undefined ? "" : ` @${String(point.time)}`}`;
}

/** Every result of a stream given in these pieces. */
export function resultsOf(pieces: readonly Uint8Array[]): string[] {
  const results: string[] = [];
  const stream = new LineStream({
    point: (point) => results.push(pointText(point)),
    error: ({ message, line, column }) => results.push(`✗ ${message.replace("expected ", "")} @${String(line)}:${String(column)}`),
  });
  // A caller may reuse its buffer: what was not copied would be lost.
  for (const piece of pieces) {
    const buffer = Uint8Array.from(piece);
    stream.write(buffer);
    buffer.fill(0x21);
  }
  stream.end();
  return results;
}

/** The input in one piece, then in every pair of pieces, then byte by byte; all splits that differ from the whole. */
export function splitDifferences(input: Uint8Array): string[] {
  const whole = resultsOf([input]).join(" ; ");
  const differing: string[] = [];
  for (let at = 1; at < input.length; at++) {
    const split = resultsOf([input.subarray(0, at), input.subarray(at)]).join(" ; ");
    if (split !== whole) differing.push(`split at ${String(at)}: ${split} instead of ${whole}`);
  }
  const single = resultsOf(Array.from(input, (_, i) => input.subarray(i, i + 1))).join(" ; ");
  if (single !== whole) differing.push(`byte by byte: ${single} instead of ${whole}`);
  return differing;
}
