// What admission would otherwise compute again for every field of every new Key: a fleet has millions of series, but few
// measurements, fields and groups. All maps are bounded: past ENTRIES_MAX entries everything is forgotten and learned anew.
//
//   measurement ─▶ field ─▶ FieldNames: Prometheus name, and per rule: kept label values ─▶ Group
//   LineNames: the labels of one line and, per rule, what `by`/`without` keeps of them; shared by all its fields
import { xxh64Halves } from "../base/xxh64.js";
import type { Point } from "../metric/lineDecoder.js";
import { labelsOf, type Naming, nameOf } from "../metric/naming.js";
import type { Series } from "../metric/series.js";
import type { RawLine } from "../metric/telegrafFilter.js";
import { decodeUtf8 } from "../metric/utf8.js";
import type { CompiledRule } from "./compile.js";
import { outputLabelsOf } from "./grouping.js";
import { seriesBytes } from "./sliceBytes.js";

const ENTRIES_MAX = 100_000;

export interface FieldNames {
  /** As it came in. */
  readonly field: string;
  /** "": nothing valid is left of it. */
  readonly name: string;
  /** By rule index: Grouping.text -> Group. */
  readonly groups: Map<string, number>[];
}

/** What a rule keeps of a line's labels. */
export interface Grouping {
  readonly labels: readonly (readonly [string, string])[];
  readonly text: string;
}

export interface LineNames {
  readonly measurement: string;
  readonly labels: Series["labels"];
  readonly groupings: (Grouping | undefined)[];
  /** The line as Telegraf's filters see it. Valid while its bytes are: during one call of admission. */
  readonly raw: () => RawLine;
}

/** `name` stands in the text when the rule has relabelled the Series: its field's other Series may have other names. */
export function groupingOf(compiled: CompiledRule, name: string, labels: Series["labels"]): Grouping {
  const kept = outputLabelsOf(compiled.rule, { name: "", labels });
  let text = name === "" ? "" : `${name}\xfe`;
  for (const [label, value] of kept) text += `${label}\xff${value}\xff`;
  return { labels: kept, text };
}

export class NameCache {
  readonly #naming: Naming;
  readonly #rules: number;
  readonly #measurements = new Map<string, Map<string, FieldNames>>();
  #entries = 0;
  readonly #halves = new Uint32Array(2);
  /** Labels that lost against another one after sanitising, and texts that were not UTF-8. */
  labelCollisions = 0;
  badUtf8 = 0;

  constructor(naming: Naming, rules: number) {
    this.#naming = naming;
    this.#rules = rules;
  }

  clear(): void {
    this.#measurements.clear();
    this.#entries = 0;
  }

  line(point: Point): LineNames {
    const measurement = decodeUtf8(point.measurement);
    const { labels, collisions, badUtf8 } = labelsOf(point.tags, this.#naming);
    this.labelCollisions += collisions;
    this.badUtf8 += badUtf8 + Number(measurement.bad);
    let raw: RawLine | undefined;
    return {
      measurement: measurement.text,
      labels,
      groupings: new Array<Grouping | undefined>(this.#rules),
      raw: () => (raw ??= { measurement: measurement.text, tags: point.tags.map((tag) => [decodeUtf8(tag.key).text, decodeUtf8(tag.value).text]) }),
    };
  }

  field(line: LineNames, fieldName: Uint8Array): FieldNames {
    const field = decodeUtf8(fieldName);
    this.badUtf8 += Number(field.bad);
    let fields = this.#measurements.get(line.measurement);
    const known = fields?.get(field.text);
    if (known !== undefined) return known;
    this.#grow();
    fields = this.#measurements.get(line.measurement);
    if (fields === undefined) {
      fields = new Map();
      this.#measurements.set(line.measurement, fields);
    }
    const names: FieldNames = { field: field.text, name: nameOf(line.measurement, field.text, this.#naming), groups: [] };
    fields.set(field.text, names);
    return names;
  }

  grouping(line: LineNames, compiled: CompiledRule): Grouping {
    const known = line.groupings[compiled.index];
    if (known !== undefined) return known;
    const grouping = groupingOf(compiled, "", line.labels);
    line.groupings[compiled.index] = grouping;
    return grouping;
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
