// The part of a Rule that has meaning in the reference, with a selector that it can match by itself: the generators make
// both this and the YAML text, so no parser of the project stands between a rule and its expected rows.
import type { Rule, Validity } from "#limpet/aggregate/rule.js";
import type { Sample } from "./point.js";

export interface LabelTest {
  readonly label: string;
  readonly op: "=" | "!=" | "=~" | "!~";
  /** Text, or for =~ and !~ a regular expression that means the same in RE2 and in JavaScript. */
  readonly value: string;
}

type SharedKeys =
  | "interval"
  | "intervalMs"
  | "dedupMs"
  | "by"
  | "without"
  | "outputs"
  | "keepMetricNames"
  | "outputName"
  | "labels"
  | "firstSample"
  | "seriesMemoryMs"
  | "stalenessMs"
  | "temporality";

export interface ReferenceRule extends Pick<Rule, SharedKeys> {
  /** Alternatives, each a conjunction; none: everything matches. */
  readonly match: readonly (readonly LabelTest[])[];
  /** Starts of the windows it counts for; all without. */
  readonly validity?: Validity;
}

function holds(test: LabelTest, sample: Sample): boolean {
  const actual = test.label === "__name__" ? sample.name : (sample.labels.get(test.label) ?? "");
  switch (test.op) {
    case "=":
      return actual === test.value;
    case "!=":
      return actual !== test.value;
    case "=~":
      return new RegExp(`^(?:${test.value})$`, "su").test(actual);
    case "!~":
      return !new RegExp(`^(?:${test.value})$`, "su").test(actual);
  }
}

export function matches(rule: ReferenceRule, sample: Sample): boolean {
  if (rule.match.length === 0) return true;
  return rule.match.some((tests) => tests.every((test) => holds(test, sample)));
}

/** The output's name for an input metric. */
export function outputNameOf(rule: ReferenceRule, metric: string, output: string): string {
  if (rule.keepMetricNames) return metric;
  const by = (rule.by ?? []).filter((label) => label !== "__name__").sort();
  const without = [...(rule.without ?? [])].sort();
  if (rule.outputName !== undefined) {
    return rule.outputName
      .replaceAll("{metric}", metric)
      .replaceAll("{interval}", rule.interval)
      .replaceAll("{by}", by.join("_"))
      .replaceAll("{without}", without.join("_"))
      .replaceAll("{output}", output);
  }
  let name = `${metric}:${rule.interval}`;
  if (by.length > 0) name += `_by_${by.join("_")}`;
  if (without.length > 0) name += `_without_${without.join("_")}`;
  return `${name}_${output}`;
}

/** Labels of the sample's group: kept ones plus the rule's constants. `by: []` keeps all, as vmagent does. */
export function outputLabelsOf(rule: ReferenceRule, sample: Sample): Map<string, string> {
  const by = rule.by ?? [];
  const kept = new Map<string, string>();
  for (const [label, value] of sample.labels) {
    if (by.length > 0 ? by.includes(label) : !(rule.without ?? []).includes(label)) kept.set(label, value);
  }
  for (const [label, value] of rule.labels) kept.set(label, value);
  return kept;
}
