// What makes two rules one: everything that shapes state, and nothing else. Renaming a rule, changing its outputs, its grace
// or its caps keeps the id and with it the state.
//
// Canonical text: JSON of [key, value] pairs sorted by key, defaults left out, so that a key added to the dialect later does
// not change the ids of rules that do not use it. The id is the XXH64 of its UTF-8 as 16 hex digits.
import { xxh64Hex } from "../base/xxh64.js";
import type { RelabelStep } from "../metric/relabel.js";
import { canonicalMatch } from "../metric/selector.js";
import type { Rule } from "./rule.js";

export type RuleIdentity = Pick<
  Rule,
  | "match"
  | "filter"
  | "dropInputLabels"
  | "inputRelabel"
  | "outputRelabel"
  | "by"
  | "without"
  | "intervalMs"
  | "dedupMs"
  | "keepMetricNames"
  | "outputName"
  | "labels"
  | "temporality"
  | "sketch"
>;

/** Steps as text that does not depend on how defaults and selectors are spelled. */
export function canonicalRelabel(steps: readonly RelabelStep[]): string {
  return JSON.stringify(
    steps.map(({ config }) => [
      config.action,
      config.ifs.length === 0 ? null : [canonicalMatch(config.ifs)],
      config.sourceLabels,
      config.separator,
      config.targetLabel,
      config.regex ?? "(.*)",
      config.modulus,
      config.replacement,
    ]),
  );
}

/** The text the id is the hash of. The interval counts in milliseconds: its spelling is checked elsewhere. */
export function canonicalRule(rule: RuleIdentity): string {
  const pairs: [string, unknown][] = [["interval", rule.intervalMs]];
  const match = canonicalMatch(rule.match);
  if (match !== "") pairs.push(["match", match]);
  if (rule.filter !== undefined) pairs.push(["filter", rule.filter.canonical]);
  if (rule.dropInputLabels.length > 0) pairs.push(["drop_input_labels", rule.dropInputLabels]);
  if (rule.inputRelabel.length > 0) pairs.push(["input_relabel_configs", canonicalRelabel(rule.inputRelabel)]);
  if (rule.outputRelabel.length > 0) pairs.push(["output_relabel_configs", canonicalRelabel(rule.outputRelabel)]);
  if (rule.dedupMs > 0) pairs.push(["dedup_interval", rule.dedupMs]);
  if (rule.by !== undefined) pairs.push(["by", rule.by]);
  if (rule.without !== undefined) pairs.push(["without", rule.without]);
  if (rule.keepMetricNames) pairs.push(["keep_metric_names", true]);
  if (rule.outputName !== undefined) pairs.push(["output_name", rule.outputName]);
  if (rule.labels.length > 0) pairs.push(["labels", rule.labels]);
  if (rule.temporality !== "cumulative") pairs.push(["temporality", rule.temporality]);
  if (rule.sketch !== "exponential") pairs.push(["sketch", rule.sketch]);
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(pairs);
}

export function ruleIdOf(rule: RuleIdentity): string {
  return xxh64Hex(canonicalRule(rule));
}
