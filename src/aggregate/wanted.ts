// Which rules want a field of a new series, and whether its samples pass on beside them. Cold path: admission asks once per Field.
import { allocate } from "../kernel/alloc.js";
import { PASS_ROWS, PASS_UNMATCHED, ROOT_PASS } from "../kernel/layout.js";
import { heapBuffer } from "../kernel/memory.js";
import { rowLabelsMax } from "../metric/rowBlock.js";
import type { Series } from "../metric/series.js";
import type { CompiledRule } from "./compile.js";
import { type FieldNames, type LineNames, rawLineOf } from "./nameCache.js";
import { inputOf, rawRowLabels } from "./relabelled.js";
import { matchingRules, type RuleIndex } from "./ruleIndex.js";

/** The rules that want a field, and the Series each of them groups: the field's own unless the rule changes it. */
export type Wanted = readonly (readonly [compiled: CompiledRule, input: Series])[];

export function wantedBy(
  index: RuleIndex,
  rules: readonly CompiledRule[],
  line: LineNames,
  { field, series }: { field: FieldNames; series: Series },
): Wanted {
  if (field.name === "") return [];
  const wanted: (readonly [CompiledRule, Series])[] = [];
  for (const match of matchingRules(index, series)) {
    const compiled = rules[match];
    const input = compiled === undefined ? undefined : inputOf(compiled.rule, series, () => rawLineOf(line), field.field);
    if (compiled !== undefined && input !== undefined) wanted.push([compiled, input]);
  }
  return wanted;
}

/** Whether samples pass that these rules want. Rules that only measure (shadow) take nothing away. */
export function isPassed(root: number, wanted: Wanted): boolean {
  const active = wanted.filter(([{ rule }]) => rule.state === "active");
  if (active.length === 0) return (i32.load(root + ROOT_PASS) & PASS_UNMATCHED) !== 0;
  return active.some(([{ rule }]) => rule.matched === "keep");
}

/** FIELD_PASS of a new Field, to be released with it; -1 without memory. */
export function passAt(root: number, series: Series, wanted: Wanted): number {
  const bits = i32.load(root + ROOT_PASS);
  if (bits === 0 || !isPassed(root, wanted)) return 0;
  if ((bits & PASS_ROWS) === 0) return 1;
  // No row can say it.
  if (series.name === "" || series.labels.length >= rowLabelsMax) return 0;
  const labels = rawRowLabels(series);
  const at = allocate(root, 4 + labels.length);
  if (at === 0) return -1;
  i32.store(at, labels.length);
  labels.copy(heapBuffer, at + 4);
  return at;
}
