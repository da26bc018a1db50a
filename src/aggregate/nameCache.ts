// What admission would otherwise compute again for every field of every new Key: a fleet has millions of series, but few
// measurements, fields and groups. All maps are bounded: past ENTRIES_MAX entries everything is forgotten and learned anew.
//
//   measurement ─▶ field ─▶ FieldNames: Prometheus name, and per rule: kept label values ─▶ Group
//   LineNames: the labels of one line and, per rule, what `by`/`without` keeps of them; shared by all its fields
import { xxh64Halves } from "../base/xxh64.js";
import type { Point } from "../metric/lineDecoder.js";
import { labelsOf, type Naming, nameOf } from "../metric/naming.js";
import type { Series } from "../metric/series.js";
import { decodeUtf8 } from "../metric/utf8.js";
import type { CompiledRule } from "./compile.js";
import { outputLabelsOf } from "./grouping.js";
import { seriesBytes } from "./sliceBytes.js";

const ENTRIES_MAX = 100_000;

export interface FieldNames {
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
}

export class NameCache {
  readonly #naming: Naming;
  readonly #rules: number;
  readonly #measurements = new Map<string, Map<string, FieldNames>>();
  /** Of series that come with their Prometheus name. */
  readonly #named = new Map<string, FieldNames>();
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
    this.#named.clear();
    this.#entries = 0;
  }

  line(point: Point): LineNames {
    const measurement = decodeUtf8(point.measurement);
    const { labels, collisions, badUtf8 } = labelsOf(point.tags, this.#naming);
    this.labelCollisions += collisions;
    this.badUtf8 += badUtf8 + Number(measurement.bad);
    return { measurement: measurement.text, labels, groupings: new Array<Grouping | undefined>(this.#rules) };
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
    const names: FieldNames = { name: nameOf(line.measurement, field.text, this.#naming), groups: [] };
    fields.set(field.text, names);
    return names;
  }

  /** For a series that is named already: labels as they are. */
  named(series: Series): { readonly line: LineNames; readonly field: FieldNames } {
    const line = { measurement: "", labels: series.labels, groupings: new Array<Grouping | undefined>(this.#rules) };
    const known = this.#named.get(series.name);
    if (known !== undefined) return { line, field: known };
    this.#grow();
    const field: FieldNames = { name: series.name, groups: [] };
    this.#named.set(series.name, field);
    return { line, field };
  }

  grouping(line: LineNames, compiled: CompiledRule): Grouping {
    const known = line.groupings[compiled.index];
    if (known !== undefined) return known;
    const labels = outputLabelsOf(compiled.rule, { name: "", labels: line.labels });
    let text = "";
    for (const [label, value] of labels) text += `${label}\xff${value}\xff`;
    const grouping = { labels, text };
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
  seriesHash(line: LineNames, field: FieldNames): { readonly low: number; readonly high: number } {
    xxh64Halves(seriesBytes(field.name, line.labels), this.#halves, 0);
    return { low: (this.#halves[1] ?? 0) | 0, high: (this.#halves[0] ?? 0) | 0 };
  }

  #grow(): void {
    if (++this.#entries > ENTRIES_MAX) this.clear();
  }
}
