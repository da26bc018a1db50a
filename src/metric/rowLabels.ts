// What is wrong with a frozen row's labels. Checked before a row is sent, since receivers do not: Prometheus 2.42 stores the
// metric name "a-b c" with 204, and answers a doubled label with 500, which the protocol says to retry.
import { isUtf8 } from "node:buffer";
import type { RowReader } from "./rowBlock.js";

const nameLabel = Buffer.from("__name__");
/** 1: may start a label name; 2: may follow; 4: may also stand in a metric name. */
const nameBytes = new Uint8Array(256);
for (let code = 0; code < 128; code++) {
  const text = String.fromCharCode(code);
  nameBytes[code] = /[A-Za-z_]/.test(text) ? 7 : /[0-9]/.test(text) ? 2 : text === ":" ? 4 : 0;
}

/** Says why no receiver should get the reader's current row; undefined when its labels are as RowBlock promises and the data model allows. */
export function labelProblem(reader: RowReader, view: DataView): string | undefined {
  const bytes = reader.bytes;
  let at = reader.labelsStart;
  let before = -1;
  let named = false;
  for (let i = 0; i < reader.labelCount; i++) {
    const nameStart = at + 2;
    const nameEnd = nameStart + view.getUint16(at, true);
    const valueStart = nameEnd + 4;
    const valueEnd = valueStart + view.getUint32(nameEnd, true);
    if (before >= 0 && compareNames(view, before, at) >= 0) return "label names not sorted, or one twice";
    if (!isLabelName(bytes, nameStart, nameEnd)) return "label name with a byte outside [a-zA-Z0-9_]";
    if (valueEnd === valueStart) return "empty label value";
    if (isNameLabel(bytes, nameStart, nameEnd)) {
      named = true;
      if (!isMetricName(bytes, valueStart, valueEnd)) return "metric name with a byte outside [a-zA-Z0-9_:]";
    } else if (!isText(bytes, valueStart, valueEnd)) return "label value that is not UTF-8";
    before = at;
    at = valueEnd;
  }
  return named ? undefined : "no metric name";
}

/** Compares the names of the label entries at two offsets, by bytes. */
function compareNames(view: DataView, a: number, b: number): number {
  const aBytes = view.getUint16(a, true);
  const bBytes = view.getUint16(b, true);
  const common = Math.min(aBytes, bBytes);
  for (let i = 0; i < common; i++) {
    const difference = view.getUint8(a + 2 + i) - view.getUint8(b + 2 + i);
    if (difference !== 0) return difference;
  }
  return aBytes - bBytes;
}

function isNameLabel(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== nameLabel.length) return false;
  for (let i = 0; i < nameLabel.length; i++) if (bytes[start + i] !== nameLabel[i]) return false;
  return true;
}

function isLabelName(bytes: Uint8Array, start: number, end: number): boolean {
  let kind = 1;
  for (let i = start; i < end; i++) {
    if (((nameBytes[bytes[i] ?? 0] ?? 0) & kind) === 0) return false;
    kind = 2;
  }
  return end > start;
}

function isMetricName(bytes: Uint8Array, start: number, end: number): boolean {
  let kind = 5;
  for (let i = start; i < end; i++) {
    if (((nameBytes[bytes[i] ?? 0] ?? 0) & kind) === 0) return false;
    kind = 6;
  }
  return end > start;
}

function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((bytes[i] ?? 0) >= 0x80) return isUtf8(bytes.subarray(start, end));
  return true;
}
