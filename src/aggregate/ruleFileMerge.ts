// Checks over all rules of all files, in file order:
//   one id          rules that agree on everything that shapes state are one rule; their outputs are united
//   one identity    two rules that provably write one output series are refused, likely ones warned about
import { formatDuration } from "../base/duration.js";
import { canonicalMatch, type Selector } from "../metric/selector.js";
import type { Output } from "./output.js";
import { outputNameOf } from "./outputName.js";
import type { Rule } from "./rule.js";
import { refuse } from "./ruleFileFields.js";
import type { ProblemList } from "./ruleFileProblem.js";
import type { PlacedRule, RuleContext } from "./ruleFileRule.js";
import { canonicalRelabel } from "./ruleId.js";

/** What one merged rule can have only one of: the key in the file and the value as text. */
function settingsOf(rule: Rule): readonly (readonly [key: string, text: string])[] {
  return [
    ["grace", formatDuration(rule.graceMs)],
    ["late", rule.late],
    ["time", rule.time],
    ["first_sample", rule.firstSample],
    ["series_memory", formatDuration(rule.seriesMemoryMs)],
    ["staleness_interval", formatDuration(rule.stalenessMs)],
    ["max_series", String(rule.maxSeries)],
    ["max_groups", String(rule.maxGroups)],
    ["matched", rule.matched],
    ["type", rule.type ?? "by output"],
    ["state", rule.state],
  ];
}

/** Two rules of one id become one. Reports and answers undefined when they disagree. */
function mergeTwo(first: PlacedRule, second: PlacedRule): PlacedRule | undefined {
  const { fields } = second;
  const errorsBefore = fields.problems.errorCount;
  const same = `this is the same rule as ${first.rule.place} (equal match, grouping and interval)`;
  if (first.rule.interval !== second.rule.interval) {
    const field = fields.byKey.get("interval");
    const message = `${second.rule.interval} is ${first.rule.interval} in other words, and ${same}: its outputs would have two names`;
    refuse(fields, { at: field?.value.at ?? fields.at, path: field?.path ?? fields.path }, message, `write ${first.rule.interval}`);
  }
  const theirs = new Map(settingsOf(first.rule));
  for (const [key, text] of settingsOf(second.rule)) {
    const other = theirs.get(key) ?? "";
    const field = fields.byKey.get(key);
    if (text !== other)
      refuse(
        fields,
        { at: field?.value.at ?? fields.at, path: field?.path ?? fields.path },
        `${same}, whose ${key} is ${other}, not ${text}`,
        "give both the same",
      );
  }
  for (const call of second.calls) {
    if (!first.calls.some((known) => known.name === call.name)) continue;
    const cure = call.args.length > 0 ? `join the arguments in one ${call.name}(...)` : "remove one";
    refuse(fields, { at: call.at, path: call.path }, `${same}, which has the output ${call.name} already`, cure);
  }
  if (first.rule.keepMetricNames || (first.rule.outputName !== undefined && !first.rule.outputName.includes("{output}"))) {
    refuse(fields, { at: fields.at, path: fields.path }, `${same}: two outputs would have one name`, "remove one");
  }
  if (fields.problems.errorCount > errorsBefore) return undefined;
  return { ...first, calls: [...first.calls, ...second.calls], rule: { ...first.rule, outputs: [...first.rule.outputs, ...second.rule.outputs] } };
}

/** What decides, beside the grouping, which series go into a rule and under which names they come out. */
function sourceOf(rule: Rule): string {
  const { match, filter, dropInputLabels, inputRelabel } = rule;
  return JSON.stringify([canonicalMatch(match), filter?.canonical ?? "", dropInputLabels, canonicalRelabel(inputRelabel)]);
}

/** The metric names a rule can match, when its selectors say so; undefined when they are open. */
function metricNames(match: readonly Selector[]): readonly string[] | undefined {
  const names = new Set<string>();
  const alternatives = match.flatMap((selector) => selector.alternatives);
  for (const matchers of alternatives) {
    const literals = matchers.find((matcher) => matcher.label === "__name__" && matcher.literals !== undefined)?.literals;
    if (literals === undefined) return undefined;
    for (const name of literals) names.add(name);
  }
  return alternatives.length === 0 ? undefined : [...names];
}

/** The rule's input always has one of these values for `label`; undefined when it is open. */
function valuesOf(match: readonly Selector[], label: string): ReadonlySet<string> | undefined {
  const values = new Set<string>();
  const alternatives = match.flatMap((selector) => selector.alternatives);
  for (const matchers of alternatives) {
    const literals = matchers.find((matcher) => matcher.label === label && matcher.literals !== undefined)?.literals;
    if (literals === undefined) return undefined;
    for (const value of literals) values.add(value);
  }
  return alternatives.length === 0 ? undefined : values;
}

/** A label both rules keep, whose values they do not share, keeps their outputs apart. */
function keptApart(a: Rule, b: Rule): boolean {
  if ([a, b].some((rule) => rule.dropInputLabels.length + rule.inputRelabel.length + rule.outputRelabel.length > 0)) return false;
  const labels = [...a.match, ...b.match].flatMap((selector) => selector.alternatives.flat().map((matcher) => matcher.label));
  return labels.some((label) => {
    const kept = label !== "__name__" && (a.by === undefined ? a.without?.includes(label) !== true : a.by.includes(label));
    const ours = kept ? valuesOf(a.match, label) : undefined;
    const theirs = kept ? valuesOf(b.match, label) : undefined;
    return ours !== undefined && theirs !== undefined && [...ours].every((value) => !theirs.has(value));
  });
}

interface Identity {
  /** Grouping, constant labels, name and row labels; also the match when the name depends on an open metric name. */
  readonly key: string;
  readonly shown: string;
  /** The name does not depend on the input's. */
  readonly constant: boolean;
}

/** A rule is compared with so many writers of one name: thousands that share a name are kept apart by their labels. */
const comparedMax = 200;

/** Stands for "whatever the metric is called": no file can hold it. */
const anyMetric = "\u0000";

function identitiesOf(rule: Rule, outputs: ReadonlyMap<string, Output>): Identity[] {
  const identities: Identity[] = [];
  const source = sourceOf(rule);
  const group = [rule.by ?? null, rule.without ?? null, rule.labels, canonicalRelabel(rule.outputRelabel)];
  for (const call of rule.outputs) {
    const names = new Set(
      ((rule.inputRelabel.length === 0 ? metricNames(rule.match) : undefined) ?? [anyMetric]).map((metric) => outputNameOf(rule, metric, call.name)),
    );
    for (const name of names) {
      for (const row of outputs.get(call.name)?.rows(call.args) ?? []) {
        const constant = !rule.keepMetricNames && rule.outputName !== undefined && !rule.outputName.includes("{metric}");
        identities.push({
          key: JSON.stringify([name, group, row.labels, name.includes(anyMetric) ? source : ""]),
          shown: name.replace(anyMetric, "METRIC"),
          constant,
        });
      }
    }
  }
  return identities;
}

function reportCollision(first: PlacedRule, second: PlacedRule, identity: Identity): boolean {
  if (keptApart(first.rule, second.rule)) return false;
  const equalSource = sourceOf(first.rule) === sourceOf(second.rule);
  const { fields } = second;
  const cure = "give one of them another output_name or a constant label";
  if (equalSource || identity.constant) {
    refuse(fields, { at: fields.at, path: fields.path }, `writes ${identity.shown} with the same labels as the rule at ${first.rule.place}`, cure);
  } else {
    const message = `may write the same series ${identity.shown} as the rule at ${first.rule.place}, where their groups are equal`;
    fields.problems.warning({ file: fields.file, at: fields.at, path: fields.path, message, cure });
  }
  return true;
}

function checkCollisions(rules: readonly PlacedRule[], outputs: ReadonlyMap<string, Output>): void {
  const writers = new Map<string, PlacedRule[]>();
  for (const placed of rules) {
    if (placed.rule.state === "off") continue;
    const told = new Set<PlacedRule>();
    for (const identity of identitiesOf(placed.rule, outputs)) {
      const others = writers.get(identity.key) ?? [];
      writers.set(identity.key, others);
      const collides = others.some(
        (other) => other !== placed && !told.has(other) && told.add(other).size > 0 && reportCollision(other, placed, identity),
      );
      if (!collides && others.length < comparedMax && !others.includes(placed)) others.push(placed);
    }
  }
}

/** Whether the rule's output has the name its input has. */
function keepsName(rule: Rule): boolean {
  return rule.keepMetricNames || rule.outputName === "{metric}";
}

/** Raw samples that pass under the name of an output could be the same series with the same timestamp. */
function checkPassing(rules: readonly PlacedRule[]): void {
  const keeping = rules.filter(({ rule }) => rule.matched === "keep" && rule.state === "active");
  for (const { rule, fields } of rules) {
    if (!keepsName(rule) || rule.state !== "active") continue;
    const names = metricNames(rule.match);
    for (const { rule: other } of keeping) {
      const theirs = metricNames(other.match);
      const shared = names?.find((name) => theirs?.includes(name) === true);
      if (shared === undefined && names !== undefined && theirs !== undefined) continue;
      const field = fields.byKey.get("keep_metric_names") ?? fields.byKey.get("output_name");
      const place = { at: field?.value.at ?? fields.at, path: field?.path ?? fields.path };
      const who = other === rule ? "matched: keep" : `matched: keep of the rule at ${other.place}`;
      const cure = "let the output have another name, or matched: drop";
      if (shared !== undefined || other === rule) refuse(fields, place, `the output has the name of raw samples that pass by ${who}`, cure);
      else {
        const message = `the output may have the name of raw samples that pass by ${who}`;
        fields.problems.warning({ file: fields.file, at: place.at, path: place.path, message, cure });
      }
    }
  }
}

/**
 * As checkPassing, for a process in which unmatched samples pass: a raw series equal to the output must be one the rule takes.
 * It is when all that the rule looks at beside the name is kept in the output.
 */
function checkUnmatched(rules: readonly PlacedRule[]): void {
  for (const { rule, fields } of rules) {
    if (!keepsName(rule) || rule.state !== "active") continue;
    const { filter, dropInputLabels, inputRelabel, match, by, without } = rule;
    const dropped = match
      .flatMap((selector) => selector.alternatives.flat().map(({ label }) => label))
      .find((label) => label !== "__name__" && (by === undefined ? without?.includes(label) : !by.includes(label)) === true);
    if (dropped === undefined && filter === undefined && dropInputLabels.length + inputRelabel.length === 0) continue;
    const field = fields.byKey.get("keep_metric_names") ?? fields.byKey.get("output_name");
    const what = dropped === undefined ? "by its filters or relabelling" : `by the label ${dropped}, which its output does not have`;
    const message = `the rule tells its series ${what}, and others of this name pass (unmatched: pass): both could be one series`;
    const cure = "let the output have another name, or unmatched: drop";
    refuse(fields, { at: field?.value.at ?? fields.at, path: field?.path ?? fields.path }, message, cure);
  }
}

function warnSharedNames(rules: readonly PlacedRule[], problems: ProblemList): void {
  const byName = new Map<string, Rule>();
  for (const { rule, fields } of rules) {
    const other = byName.get(rule.name);
    const field = fields.byKey.get("name");
    if (other === undefined) byName.set(rule.name, rule);
    else if (field !== undefined) {
      const message = `the rule at ${other.place} has the same name: their self-metrics cannot be told apart`;
      problems.warning({ file: fields.file, at: field.value.at, path: field.path, message, cure: "rename one" });
    }
  }
}

/** The rules as the engine runs them, in file order. */
export function mergeRules(read: readonly PlacedRule[], context: RuleContext, problems: ProblemList): Rule[] {
  const byId = new Map<string, PlacedRule>();
  for (const placed of read) {
    const first = byId.get(placed.rule.id);
    byId.set(placed.rule.id, first === undefined ? placed : (mergeTwo(first, placed) ?? first));
  }
  const merged = [...byId.values()];
  checkCollisions(merged, context.outputs);
  checkPassing(merged);
  if (context.unmatched === "pass") checkUnmatched(merged);
  warnSharedNames(merged, problems);
  return merged.map((placed) => placed.rule);
}
