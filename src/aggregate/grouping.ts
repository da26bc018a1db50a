// Which labels an output keeps: a rule's `by` or `without`, and the constant labels it adds.
import type { Series } from "../metric/series.js";
import { compareUtf8 } from "../metric/utf8.js";
import type { Rule } from "./rule.js";

/** Output labels of a Series under a rule, sorted by name (bytes). Constant labels win over input labels of the same name. */
export function outputLabelsOf(rule: Rule, series: Series): (readonly [string, string])[] {
  const constant = new Set(rule.labels.map(([name]) => name));
  const { by, without } = rule;
  const kept = series.labels.filter(([name]) => {
    if (constant.has(name)) return false;
    if (by !== undefined) return by.includes(name);
    return without === undefined || !without.includes(name);
  });
  if (rule.labels.length === 0) return kept;
  return [...kept, ...rule.labels].sort(([a], [b]) => compareUtf8(a, b));
}
