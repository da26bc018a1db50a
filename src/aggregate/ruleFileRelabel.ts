// `input_relabel_configs`, `output_relabel_configs`: vmagent's relabelling steps, each checked as vmagent does at load.
import { compileRelabel, type RelabelAction, type RelabelConfig, type RelabelStep, relabelActions } from "../metric/relabel.js";
import type { Selector } from "../metric/selector.js";
import { compileLabelRegex } from "../metric/selectorRegex.js";
import { cureFor, describe, type Field, type Fields, fieldsOf, refuse } from "./ruleFileFields.js";
import { relabelKeys } from "./ruleFileKeys.js";
import { type Naming, plainLabel, readSelectors } from "./ruleFileMatch.js";
import { show } from "./ruleFileProblem.js";

/** A good step and where it stands. */
export interface PlacedStep {
  readonly step: RelabelStep;
  readonly at: number;
  readonly path: string;
}

/** A number or boolean counts as its text, as in vmagent. */
function readScalar(fields: Fields, key: string): string | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  if (value.kind === "list" || value.kind === "map")
    return refuse(fields, { at: value.at, path }, `${describe(value)} is not text`, "write one value");
  return value.text;
}

function readTexts(fields: Fields, key: string, what: string): readonly string[] | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  if (value.kind !== "list") return refuse(fields, { at: value.at, path }, `${describe(value)} is not a list of ${what}`, "write [a, b]");
  const texts: string[] = [];
  for (const [i, item] of value.items.entries()) {
    if (item.kind !== "list" && item.kind !== "map" && item.kind !== "null" && item.text !== "") texts.push(item.text);
    else
      refuse(fields, { at: item.at, path: `${path}[${String(i)}]` }, `${item.kind === "text" ? '""' : describe(item)} is not text`, "write a name");
  }
  return texts;
}

/** The expression: one, or a list of which any may match. */
function readRegex(fields: Fields): string | undefined {
  const field = fields.byKey.get("regex");
  if (field === undefined) return undefined;
  const regex = field.value.kind === "list" ? readTexts(fields, "regex", "expressions")?.join("|") : readScalar(fields, "regex");
  if (regex === undefined) return undefined;
  const compiled = compileLabelRegex(regex);
  if (compiled.ok) return regex;
  const cure = "RE2 syntax: no look-around, no back-references";
  return refuse(fields, { at: field.value.at, path: field.path }, `bad regular expression: ${compiled.error}`, cure);
}

function readAction(fields: Fields): RelabelAction | undefined {
  const text = readScalar(fields, "action");
  const field = fields.byKey.get("action");
  if (text === undefined || field === undefined) return field === undefined ? "replace" : undefined;
  const where = { at: field.value.at, path: field.path };
  const word = text.toLowerCase();
  if (word === "graphite")
    return refuse(fields, where, "the action graphite is not supported", "use replace with source_labels: [__name__] and a regex");
  const action = relabelActions.find((known) => known === word);
  return action ?? refuse(fields, where, `${show(text)} is not a relabelling action`, cureFor(word, relabelActions));
}

function readModulus(fields: Fields): number | undefined {
  const field = fields.byKey.get("modulus");
  if (field === undefined) return undefined;
  const { value, path } = field;
  const modulus = value.kind === "number" ? Number(value.text) : Number.NaN;
  if (Number.isSafeInteger(modulus) && modulus >= 1) return modulus;
  return refuse(fields, { at: value.at, path }, `${describe(value)} is not a whole number from 1 to 2^53`, "write modulus: 16");
}

/** Per action: keys that must stand, and keys that must not. `sources` is how many source_labels at least; 0 with `if` for keep and drop. */
interface Demands {
  readonly sources: number;
  readonly target: boolean;
  readonly without: readonly string[];
}

const demands: Readonly<Record<RelabelAction, Demands>> = {
  replace: { sources: 0, target: true, without: [] },
  replace_all: { sources: 1, target: true, without: [] },
  keep: { sources: 1, target: false, without: [] },
  drop: { sources: 1, target: false, without: [] },
  keep_if_equal: { sources: 2, target: false, without: ["target_label", "regex"] },
  drop_if_equal: { sources: 2, target: false, without: ["target_label", "regex"] },
  keep_if_contains: { sources: 1, target: true, without: ["regex"] },
  drop_if_contains: { sources: 1, target: true, without: ["regex"] },
  keepequal: { sources: 0, target: true, without: ["regex"] },
  dropequal: { sources: 0, target: true, without: ["regex"] },
  keep_metrics: { sources: 0, target: false, without: ["source_labels"] },
  drop_metrics: { sources: 0, target: false, without: ["source_labels"] },
  uppercase: { sources: 1, target: true, without: [] },
  lowercase: { sources: 1, target: true, without: [] },
  hashmod: { sources: 1, target: true, without: [] },
  labelmap: { sources: 0, target: false, without: [] },
  labelmap_all: { sources: 0, target: false, without: [] },
  labeldrop: { sources: 0, target: false, without: [] },
  labelkeep: { sources: 0, target: false, without: [] },
};

/** A selector in place of labels satisfies these. */
const ifSuffices: readonly RelabelAction[] = ["keep", "drop", "keep_metrics", "drop_metrics"];

function checkDemands(fields: Fields, config: RelabelConfig): void {
  const { action } = config;
  const demand = demands[action];
  const here = { at: fields.at, path: fields.path };
  const byIf = config.ifs.length > 0 && ifSuffices.includes(action);
  if (config.sourceLabels.length < demand.sources && !byIf) {
    const some = demand.sources === 2 ? "at least two source_labels" : "source_labels";
    refuse(fields, here, `${action} needs ${some}`, demand.sources === 2 ? "add source_labels: [a, b]" : "add source_labels: [a]");
  }
  if (demand.target && config.targetLabel === "") refuse(fields, here, `${action} needs a target_label`, "add target_label: a");
  for (const key of demand.without) {
    const field = fields.byKey.get(key);
    if (field !== undefined) refuse(fields, { at: field.keyAt, path: field.path }, `${action} does not use ${key}`, "remove it");
  }
  if ((action === "keep_metrics" || action === "drop_metrics") && !byIf && (config.regex ?? "") === "") {
    refuse(fields, here, `${action} needs a regex`, "add regex: the_metric");
  }
  if (action === "hashmod" && !fields.byKey.has("modulus")) refuse(fields, here, "hashmod needs a modulus", "add modulus: 16");
}

/** Label names that a step can set must be names a label can have; a name made of groups shows only at run time. */
function warnTarget(fields: Fields, naming: Naming): void {
  const field = fields.byKey.get("target_label");
  if (field?.value.kind !== "text" || naming !== "telegraf" || field.value.text.includes("$")) return;
  if (field.value.text === "" || plainLabel.test(field.value.text)) return;
  fields.problems.warning({
    file: fields.file,
    at: field.value.at,
    path: field.path,
    message: `${show(field.value.text)} is not a label name and will be sent as ${field.value.text.replace(/[^a-zA-Z0-9_]/g, "_")}`,
    cure: "use letters, digits and _",
  });
}

function readStep(fields: Fields, naming: Naming): RelabelStep | undefined {
  const errorsBefore = fields.problems.errorCount;
  for (const { key, keyAt, path } of fields.byKey.values()) {
    if (relabelKeys.some((known) => known === key)) continue;
    const graphite = key === "match" || key === "labels";
    if (graphite) refuse(fields, { at: keyAt, path }, `${key} belongs to the action graphite, which is not supported`, "remove it");
    else refuse(fields, { at: keyAt, path }, `unknown key ${show(key)}`, cureFor(key, relabelKeys));
  }
  const ifField = fields.byKey.get("if");
  const ifs: readonly Selector[] = ifField === undefined ? [] : readSelectors(fields, ifField, naming);
  const config = {
    action: readAction(fields) ?? "replace",
    ifs,
    sourceLabels: readTexts(fields, "source_labels", "label names") ?? [],
    separator: readScalar(fields, "separator") ?? ";",
    targetLabel: readScalar(fields, "target_label") ?? "",
    regex: readRegex(fields),
    modulus: readModulus(fields) ?? 1,
    replacement: readScalar(fields, "replacement") ?? "$1",
  };
  if (fields.problems.errorCount > errorsBefore) return undefined;
  checkDemands(fields, config);
  warnTarget(fields, naming);
  return fields.problems.errorCount > errorsBefore ? undefined : compileRelabel(config);
}

/** The steps of one key, in order; empty without it. */
export function readRelabel(fields: Fields, key: string, naming: Naming): readonly PlacedStep[] {
  const field = fields.byKey.get(key);
  if (field === undefined) return [];
  const { value, path } = field;
  if (value.kind !== "list") {
    refuse(fields, { at: value.at, path }, `${describe(value)} is not a list of relabelling steps`, "begin each step with -");
    return [];
  }
  const steps: PlacedStep[] = [];
  for (const [i, item] of value.items.entries()) {
    const itemPath = `${path}[${String(i)}]`;
    const step = readItem(fields, { ...field, value: item, path: itemPath }, naming);
    if (step !== undefined) steps.push({ step, at: item.at, path: itemPath });
  }
  return steps;
}

function readItem(fields: Fields, { value, path }: Field, naming: Naming): RelabelStep | undefined {
  if (value.kind !== "map")
    return refuse(fields, { at: value.at, path }, `${describe(value)} is not a relabelling step`, "write {action: labeldrop, regex: pod}");
  const { file, problems } = fields;
  return readStep({ file, problems, at: value.at, path, byKey: fieldsOf(value, { file, problems, path }) }, naming);
}
