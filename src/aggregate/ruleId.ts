// What makes two rules one: everything that shapes state, and nothing else. Renaming a rule, changing its outputs, its grace
// or its caps keeps the id and with it the state.
//
// Canonical text: JSON of [key, value] pairs sorted by key, defaults left out, so that a key added to the dialect later does
// not change the ids of rules that do not use it. The id is the XXH64 of its UTF-8 as 16 hex digits.
import { xxh64Hex } from "../base/xxh64.js";
import { canonicalMatch } from "../metric/selector.js";
import type { Rule } from "./rule.js";

export type RuleIdentity = Pick<Rule, "match" | "by" | "without" | "intervalMs" | "keepMetricNames" | "outputName" | "labels" | "temporality">;

/** The text the id is the hash of. The interval counts in milliseconds: its spelling is checked elsewhere. */
export function canonicalRule(rule: RuleIdentity): string {
  const pairs: [string, unknown][] = [["interval", rule.intervalMs]];
  const match = canonicalMatch(rule.match);
  if (match !== "") pairs.push(["match", match]);
  if (rule.by !== undefined) pairs.push(["by", rule.by]);
  if (rule.without !== undefined) pairs.push(["without", rule.without]);
  if (rule.keepMetricNames) pairs.push(["keep_metric_names", true]);
  if (rule.outputName !== undefined) pairs.push(["output_name", rule.outputName]);
  if (rule.labels.length > 0) pairs.push(["labels", rule.labels]);
  if (rule.temporality !== "cumulative") pairs.push(["temporality", rule.temporality]);
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(pairs);
}

export function ruleIdOf(rule: RuleIdentity): string {
  return xxh64Hex(canonicalRule(rule));
}
