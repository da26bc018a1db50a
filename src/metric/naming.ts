// From a line's (measurement, tags, field) to the Series it is a sample of.
//
// naming "telegraf" (default): what Telegraf's remote write would send. `measurement_field`; the field alone when the measurement is
//   `prometheus` or `prometheus_remote_write`; the measurement alone for the v1 fields value, counter, gauge. Names are made valid
//   ("legacy") before rules match. Telegraf source: plugins/serializers/prometheus/convert.go.
// naming "vmagent": `measurement_field` always, raw, as VictoriaMetrics ingests it; sanitizeForSink makes it valid when rows leave.
//
// Both: empty label values are dropped. A tag called `__name__` cannot rename the metric: it is dropped and counted as a collision,
// because the name's label is taken. Labels that collide after sanitising: the first in key order stays, the others are counted.
// Bytes that are not UTF-8 become U+FFFD and are counted (under "telegraf" those in a name then become `_`).

import type { Tag } from "./lineDecoder.js";
import type { Series } from "./series.js";
import { compareUtf8, decodeUtf8 } from "./utf8.js";

export type Naming = "telegraf" | "vmagent";

export type NamedSeries =
  | {
      readonly series: Series /** Labels dropped for want of a name of their own. */;
      readonly collisions: number /** Texts with bytes that are not UTF-8. */;
      readonly badUtf8: number;
    }
  | { readonly ignored: "name" };

const VALID_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const VALID_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Labels of a line's tags, as every Series of the line has them. */
export interface NamedLabels {
  readonly labels: Series["labels"];
  readonly collisions: number;
  readonly badUtf8: number;
}

/**
 * The Series of one field of a line. `{ignored: "name"}` when nothing valid is left of its name.
 * @param tags unescaped, sorted by key bytes, unique: as decodeLine gives them.
 */
export function seriesOf(measurement: Uint8Array, tags: readonly Tag[], field: Uint8Array, naming: Naming): NamedSeries {
  const first = decodeUtf8(measurement);
  const second = decodeUtf8(field);
  const name = nameOf(first.text, second.text, naming);
  if (name === "") return { ignored: "name" };
  const { labels, collisions, badUtf8 } = labelsOf(tags, naming);
  return { series: { name, labels }, collisions, badUtf8: badUtf8 + Number(first.bad) + Number(second.bad) };
}

/** Prometheus name of a field; "" when nothing valid is left. */
export function nameOf(measurement: string, field: string, naming: Naming): string {
  return naming === "vmagent" ? `${measurement}_${field}` : sanitizeMetric(telegrafName(measurement, field));
}

/** Labels of tags that are unescaped, sorted by key bytes and unique: as decodeLine gives them. */
export function labelsOf(tags: readonly Tag[], naming: Naming): NamedLabels {
  let collisions = 0;
  let badUtf8 = 0;
  const seen = new Set<string>();
  const labels: (readonly [string, string])[] = [];
  for (const tag of tags) {
    if (tag.value.length === 0) continue;
    const key = decodeUtf8(tag.key);
    const value = decodeUtf8(tag.value);
    badUtf8 += Number(key.bad) + Number(value.bad);
    const label = naming === "vmagent" ? key.text : sanitizeLabel(key.text);
    if (label === "") continue;
    if (label === "__name__" || seen.has(label)) {
      collisions++;
      continue;
    }
    seen.add(label);
    labels.push([label, value.text]);
  }
  return { labels: labels.sort(([a], [b]) => compareUtf8(a, b)), collisions, badUtf8 };
}

/** Name before sanitising, under naming "telegraf". */
function telegrafName(measurement: string, field: string): string {
  if (measurement === "prometheus" || measurement === "prometheus_remote_write") return field;
  if (field === "value" || field === "counter" || field === "gauge") return measurement;
  return `${measurement}_${field}`;
}

/** As Telegraf: a valid name is kept; else a bad first rune goes, other bad runes become `_`, `_` is trimmed. May be "". */
export function sanitizeMetric(name: string): string {
  return VALID_METRIC.test(name) ? name : sanitize(name, /[a-zA-Z_:]/, /[^a-zA-Z0-9_:]/gu);
}

/** As sanitizeMetric, for label names, where a colon is not valid. */
export function sanitizeLabel(name: string): string {
  return VALID_LABEL.test(name) ? name : sanitize(name, /[a-zA-Z_]/, /[^a-zA-Z0-9_]/gu);
}

// Telegraf stops here, and so may leave a digit in front (`99x` -> `9x`), which Prometheus 2 refuses. Same names win over valid ones.
function sanitize(name: string, first: RegExp, others: RegExp): string {
  const head = String.fromCodePoint(name.codePointAt(0) ?? 0);
  const rest = name.slice(head.length).replace(others, "_");
  return `${first.test(head) ? head : ""}${rest}`.replace(/^_+/, "").replace(/_+$/, "");
}

/** A valid Prometheus name for a row that leaves: each bad rune becomes `_`, and `_` goes before a leading digit. Never "". */
export function sanitizeForSink(name: string, kind: "metric" | "label"): string {
  if ((kind === "metric" ? VALID_METRIC : VALID_LABEL).test(name)) return name;
  const clean = name.replace(kind === "metric" ? /[^a-zA-Z0-9_:]/gu : /[^a-zA-Z0-9_]/gu, "_");
  return clean === "" || /^[0-9]/.test(clean) ? `_${clean}` : clean;
}
