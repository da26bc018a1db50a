// What would become of a line: its series under both namings, and per series the rules that take it, their group, output series and
// SliceKey. Uses what admission uses; counts nothing and keeps nothing.
import { xxh64High } from "../base/xxh64.js";
import type { Point } from "../metric/lineDecoder.js";
import { labelsOf, type Naming, nameOf } from "../metric/naming.js";
import type { Series } from "../metric/series.js";
import { decodeUtf8 } from "../metric/utf8.js";
import type { CompiledRule } from "./compile.js";
import { outputLabelsOf } from "./grouping.js";
import { inputOf, outputSeriesOf, sliceBytesOf } from "./relabelled.js";
import type { Rule } from "./rule.js";
import { matchingRules, type RuleIndex } from "./ruleIndex.js";

export interface RuleExplanation {
  readonly rule: Rule;
  /** The series after filters and relabelling; undefined: `match` takes it, a filter or a relabelling step does not. */
  readonly input: Series | undefined;
  readonly group: Series["labels"];
  /** Every row's name and labels (of histogram_bucket the first); undefined: output relabelling drops it. */
  readonly rows: readonly (Series | undefined)[];
  /** Unsigned, 32 bits. */
  readonly sliceKey: number;
}

export interface FieldExplanation {
  readonly field: string;
  /** Text fields make no sample. */
  readonly text: boolean;
  /** undefined: nothing valid is left of the name. */
  readonly series: Readonly<Record<Naming, Series | undefined>>;
  readonly rules: readonly RuleExplanation[];
}

export interface Explainer {
  readonly rules: readonly CompiledRule[];
  readonly index: RuleIndex;
  readonly naming: Naming;
}

function explainRule(compiled: CompiledRule, series: Series, point: Point, field: string): RuleExplanation {
  const { rule } = compiled;
  const raw = {
    measurement: decodeUtf8(point.measurement).text,
    tags: point.tags.map(({ key, value }): [string, string] => [decodeUtf8(key).text, decodeUtf8(value).text]),
  };
  const input = inputOf(rule, series, () => raw, field);
  if (input === undefined) return { rule, input, group: [], rows: [], sliceKey: 0 };
  const group = outputLabelsOf(rule, input);
  return {
    rule,
    input,
    group,
    rows: outputSeriesOf(compiled, input.name, group).flat(),
    sliceKey: xxh64High(sliceBytesOf(compiled, input.name, group)),
  };
}

/** One answer per field, in the line's order. */
export function explainPoint({ rules, index, naming }: Explainer, point: Point): FieldExplanation[] {
  const measurement = decodeUtf8(point.measurement).text;
  return point.fields.map(({ key, value }) => {
    const field = decodeUtf8(key).text;
    const seriesUnder = (under: Naming): Series | undefined => {
      const name = nameOf(measurement, field, under);
      return name === "" ? undefined : { name, labels: labelsOf(point.tags, under).labels };
    };
    const series = { telegraf: seriesUnder("telegraf"), vmagent: seriesUnder("vmagent") };
    const own = series[naming];
    const text = value.kind === "string";
    const matches = own === undefined || text ? [] : matchingRules(index, own);
    const found = matches.flatMap((match) => {
      const compiled = rules[match];
      return compiled === undefined || own === undefined ? [] : [explainRule(compiled, own, point, field)];
    });
    return { field, text, series, rules: found };
  });
}
