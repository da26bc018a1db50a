// Points to Prometheus samples, `naming: telegraf` of DIALECT, written from the tables there and from Telegraf's
// documented behaviour. Strings and Maps; nothing of src/metric, on purpose.
import type { FieldValue, Point, Sample } from "./point.js";

const VALID_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const VALID_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * Valid names stay. Else an invalid first character goes, other invalid characters become `_`, and `_` is trimmed at both
 * ends. Undefined when nothing remains.
 */
function sanitise(name: string, valid: RegExp, first: RegExp, rest: RegExp): string | undefined {
  if (valid.test(name)) return name;
  let out = "";
  [...name].forEach((character, index) => {
    if (index === 0) out += first.test(character) ? character : "";
    else out += rest.test(character) ? character : "_";
  });
  out = out.replace(/^_+/, "").replace(/_+$/, "");
  return out === "" ? undefined : out;
}

export function metricName(measurement: string, field: string): string | undefined {
  const sanitised = (name: string): string | undefined => sanitise(name, VALID_METRIC, /[a-zA-Z_:]/, /[a-zA-Z0-9_:]/);
  if (measurement === "prometheus" || measurement === "prometheus_remote_write") return sanitised(field);
  if (field === "value" || field === "counter" || field === "gauge") return sanitised(measurement);
  return sanitised(`${measurement}_${field}`);
}

export function labelName(tag: string): string | undefined {
  return sanitise(tag, VALID_LABEL, /[a-zA-Z_]/, /[a-zA-Z0-9_]/);
}

export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Sanitised labels; of tags that become one label the first in raw key order wins. */
function labelsOf(tags: Readonly<Record<string, string>>): Map<string, string> {
  const labels = new Map<string, string>();
  for (const key of Object.keys(tags).sort(byBytes)) {
    const label = labelName(key);
    const value = tags[key];
    if (label !== undefined && value !== undefined && !labels.has(label)) labels.set(label, value);
  }
  return labels;
}

/** The double of a field; undefined for strings. Number(bigint) rounds to nearest, ties to even. */
export function numberOf(value: FieldValue): number | undefined {
  switch (value.kind) {
    case "float":
      return value.value;
    case "int":
    case "uint":
      return Number(value.value);
    case "bool":
      return value.value ? 1 : 0;
    case "string":
      return undefined;
  }
}

/** One text per name and label set, whatever the order of the labels. */
export function identity(name: string, labels: ReadonlyMap<string, string>): string {
  return JSON.stringify([name, [...labels].sort(([a], [b]) => byBytes(a, b))]);
}

/** Whole milliseconds at or before the time. */
export function timeMsOf(timeNs: bigint): number {
  const quotient = timeNs / 1_000_000n;
  return Number(timeNs % 1_000_000n < 0n ? quotient - 1n : quotient);
}

/** The point's samples, in field order. */
export function samplesOf(point: Point): Sample[] {
  const labels = labelsOf(point.tags);
  return point.fields.flatMap(([field, fieldValue]) => {
    const name = metricName(point.measurement, field);
    const value = numberOf(fieldValue);
    if (name === undefined || value === undefined) return [];
    return [{ name, labels, series: identity(name, labels), timeMs: timeMsOf(point.timeNs), value }];
  });
}
