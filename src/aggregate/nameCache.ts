// What admission would otherwise compute again for every field of every new Key: a fleet has millions of series, but few
// measurements, fields and groups. All maps are bounded: past ENTRIES_MAX entries everything is forgotten and learned anew.
//
//   measurement ─▶ field ─▶ FieldNames: Prometheus name, and per rule: kept label values ─▶ Group
//   LineNames: the labels of one line and, per rule, what `by`/`without` keeps of them; shared by all its fields
import { xxh64Halves } from "../base/xxh64.js";
import type { Point } from "../metric/lineDecoder.js";
import { labelsOf, type Naming, nameOf, sanitizeLabel } from "../metric/naming.js";
import type { Series } from "../metric/series.js";
import type { RawLine } from "../metric/telegrafFilter.js";
import { decodeUtf8 } from "../metric/utf8.js";
import type { CompiledRule } from "./compile.js";
import { outputLabelsOf } from "./grouping.js";
import { stemOf } from "./outputName.js";
import { seriesBytes } from "./sliceBytes.js";

const ENTRIES_MAX = 100_000;
/** Measurement and tags without anything that has to be unescaped, decoded or refused, but spaces in the measurement. */
const PLAIN_KEY = /^(?:[!-+\--[\]-~]|\\ )+(?:,[!-+\--<>-[\]-~]+=[!-+\--<>-[\]-~]+)*$/;

export interface FieldNames {
  /** As it came in. */
  readonly field: string;
  /** "": nothing valid is left of it. */
  readonly name: string;
  /** By rule index: Grouping.text -> Group. */
  readonly groups: Map<string, number>[];
  /** By rule index: stemOf() of the name. */
  readonly stems: string[];
}

/** What a rule keeps of a line's labels. */
export interface Grouping {
  readonly labels: readonly (readonly [string, string])[];
  readonly text: string;
}

export interface LineNames {
  readonly measurement: string;
  readonly labels: Series["labels"];
  /** By rule index. */
  readonly groupings: Map<number, Grouping>;
  /** The line as it came in, for Telegraf's filters; a plain one as the text of its key. */
  readonly raw: RawLine | string;
}

/** A line as Telegraf's filters see it. */
export function rawLineOf({ raw }: LineNames): RawLine {
  if (typeof raw !== "string") return raw;
  const [measurement = "", ...tags] = raw.split(",");
  return { measurement: measurementOf(measurement), tags: tags.map((tag) => [tag.slice(0, tag.indexOf("=")), tag.slice(tag.indexOf("=") + 1)]) };
}

/** `name` stands in the text when the rule has relabelled the Series: its field's other Series may have other names. */
export function groupingOf(compiled: CompiledRule, name: string, labels: Series["labels"]): Grouping {
  const kept = outputLabelsOf(compiled.rule, { name: "", labels });
  // Lengths, because no character is forbidden in a value.
  let text = name === "" ? "" : `=${String(name.length)}:${name}`;
  for (const [label, value] of kept) text += `${String(label.length)}:${label}${String(value.length)}:${value}`;
  return { labels: kept, text };
}

export class NameCache {
  readonly #naming: Naming;
  readonly #measurements = new Map<string, Map<string, FieldNames>>();
  /** Of series that come with their Prometheus name. */
  readonly #named = new Map<string, FieldNames>();
  /** Tag key -> label name. */
  readonly #labels = new Map<string, string>();
  #entries = 0;
  readonly #halves = new Uint32Array(2);
  /** Labels that lost against another one after sanitising, and texts that were not UTF-8; of lines at their first sight. */
  labelsLost = 0;
  badUtf8 = 0;

  constructor(naming: Naming) {
    this.#naming = naming;
  }

  clear(): void {
    this.#measurements.clear();
    this.#named.clear();
    this.#entries = 0;
  }

  line(point: Point): LineNames {
    const measurement = decodeUtf8(point.measurement);
    const { labels, collisions, badUtf8 } = labelsOf(point.tags, this.#naming);
    this.labelsLost += collisions;
    this.badUtf8 += badUtf8 + Number(measurement.bad);
    const raw = {
      measurement: measurement.text,
      tags: point.tags.map(({ key, value }): [string, string] => [decodeUtf8(key).text, decodeUtf8(value).text]),
    };
    return { measurement: measurement.text, labels, groupings: new Map<number, Grouping>(), raw };
  }

  /** The names of a plainly spelled line, undefined when its key is not plain (then it must be decoded). `text`: the raw key. */
  plainLine(text: string): LineNames | undefined {
    if (!PLAIN_KEY.test(text)) return undefined;
    let at = text.indexOf(",");
    if (at < 0) return { measurement: measurementOf(text), labels: [], groupings: new Map<number, Grouping>(), raw: text };
    const measurement = measurementOf(text.slice(0, at));
    const labels: (readonly [string, string])[] = [];
    let sorted = true;
    let before = "";
    while (at < text.length) {
      const equals = text.indexOf("=", at + 1);
      let end = text.indexOf(",", at + 1);
      if (end < 0) end = text.length;
      const label = this.label(text.slice(at + 1, equals));
      if (label === "" || label === "__name__") return undefined;
      if (label <= before) sorted = false;
      before = label;
      labels.push([label, text.slice(equals + 1, end)]);
      at = end;
    }
    if (!sorted && !sortUnique(labels)) return undefined;
    return { measurement, labels, groupings: new Map<number, Grouping>(), raw: text };
  }

  /** Label name of a tag key: sanitised unless names stay raw. "" when nothing is left. */
  label(tag: string): string {
    if (this.#naming === "vmagent") return tag;
    const known = this.#labels.get(tag);
    if (known !== undefined) return known;
    const label = sanitizeLabel(tag);
    if (this.#labels.size < ENTRIES_MAX) this.#labels.set(tag, label);
    return label;
  }

  /** As field(), for a name in bytes that may be anything. */
  decodedField(line: LineNames, fieldName: Uint8Array): FieldNames {
    const field = decodeUtf8(fieldName);
    this.badUtf8 += Number(field.bad);
    return this.field(line, field.text);
  }

  field(line: LineNames, field: string): FieldNames {
    let fields = this.#measurements.get(line.measurement);
    const known = fields?.get(field);
    if (known !== undefined) return known;
    this.#grow();
    fields = this.#measurements.get(line.measurement);
    if (fields === undefined) {
      fields = new Map();
      this.#measurements.set(line.measurement, fields);
    }
    const names: FieldNames = { field, name: nameOf(line.measurement, field, this.#naming), groups: [], stems: [] };
    fields.set(field, names);
    return names;
  }

  /** For a series that is named already: labels as they are. Telegraf filters see it as Telegraf's own parser of remote write does. */
  named(series: Series): { readonly line: LineNames; readonly field: FieldNames } {
    const raw = { measurement: "prometheus_remote_write", tags: series.labels };
    const line = { measurement: "", labels: series.labels, groupings: new Map<number, Grouping>(), raw };
    const known = this.#named.get(series.name);
    if (known !== undefined) return { line, field: known };
    this.#grow();
    const field: FieldNames = { field: series.name, name: series.name, groups: [], stems: [] };
    this.#named.set(series.name, field);
    return { line, field };
  }

  grouping(line: LineNames, compiled: CompiledRule): Grouping {
    const known = line.groupings.get(compiled.index);
    if (known !== undefined) return known;
    const grouping = groupingOf(compiled, "", line.labels);
    line.groupings.set(compiled.index, grouping);
    return grouping;
  }

  stem(field: FieldNames, compiled: CompiledRule): string {
    const known = field.stems[compiled.index];
    if (known !== undefined) return known;
    const stem = stemOf(compiled.rule, field.name);
    field.stems[compiled.index] = stem;
    return stem;
  }

  group(field: FieldNames, compiled: CompiledRule, grouping: Grouping): number | undefined {
    return field.groups[compiled.index]?.get(grouping.text);
  }

  addGroup(field: FieldNames, compiled: CompiledRule, grouping: Grouping, group: number): void {
    this.#grow();
    let groups = field.groups[compiled.index];
    if (groups === undefined) {
      groups = new Map();
      field.groups[compiled.index] = groups;
    }
    groups.set(grouping.text, group);
  }

  /** XXH64 of a Series' identity, as two i32. */
  seriesHash(series: Series): { readonly low: number; readonly high: number } {
    xxh64Halves(seriesBytes(series.name, series.labels), this.#halves, 0);
    return { low: (this.#halves[1] ?? 0) | 0, high: (this.#halves[0] ?? 0) | 0 };
  }

  #grow(): void {
    if (++this.#entries > ENTRIES_MAX) this.clear();
  }
}

/** Of its text in a plain key. */
function measurementOf(text: string): string {
  return text.includes("\\") ? text.replaceAll("\\ ", " ") : text;
}

/** Sorts labels by name (ASCII). False when two have the same name. */
function sortUnique(labels: (readonly [string, string])[]): boolean {
  labels.sort(([a], [b]) => (a < b ? -1 : 1));
  return labels.every(([name], i) => i === 0 || labels[i - 1]?.[0] !== name);
}
