// `match:`: a selector, or a list of which any may hold. A selector's error is placed inside the YAML value.
import type { Selector } from "../metric/selector.js";
import { parseSelector } from "../metric/selectorParse.js";
import { describe, type Field, type Fields, refuse } from "./ruleFileFields.js";
import { show } from "./ruleFileProblem.js";
import type { Value } from "./ruleFileYaml.js";

/** Names as Telegraf's naming leaves them (sanitised before matching). */
export const plainLabel = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

export type Naming = "telegraf" | "vmagent";

/** A name that no sample can have under telegraf naming is most likely a file written for vmagent's. */
export function warnUnmatchable(fields: Fields, where: { at: number; path: string }, name: string): void {
  fields.problems.warning({
    ...where,
    file: fields.file,
    message: `no series has ${show(name)} under naming: telegraf, which writes ${name.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/^(?=[0-9])/, "_")}`,
    cure: "write that, or set naming: vmagent",
  });
}

function readOne(fields: Fields, value: Value, path: string, naming: Naming): Selector | undefined {
  if (value.kind !== "text") {
    const cure = value.kind === "map" ? `quote the selector: '{label="value"}'` : "write a metric name or '{label=\"value\"}'";
    return refuse(fields, { at: value.at, path }, `${describe(value)} is not a selector`, cure);
  }
  const parsed = parseSelector(value.text);
  if (!parsed.ok) {
    const { at, message, cure } = parsed.error;
    return refuse(fields, { at: value.locate(at), path }, message, cure);
  }
  if (naming === "telegraf") {
    for (const matcher of parsed.selector.alternatives.flat()) {
      const bad = matcher.label !== "__name__" && !plainLabel.test(matcher.label) ? matcher.label : undefined;
      if (bad !== undefined) warnUnmatchable(fields, { at: value.at, path }, bad);
      else if (matcher.label === "__name__" && matcher.op === "=" && matcher.value !== "" && !plainName.test(matcher.value)) {
        warnUnmatchable(fields, { at: value.at, path }, matcher.value);
      }
    }
  }
  return parsed.selector;
}

/** The selectors; empty when the rule takes everything (said in an info line). */
export function readMatch(fields: Fields, naming: Naming): readonly Selector[] {
  const field = fields.byKey.get("match");
  if (field === undefined) {
    fields.problems.info({ file: fields.file, at: fields.at, path: fields.path, message: "has no match and takes every series" });
    return [];
  }
  if (field.value.kind === "list" && field.value.items.length === 0) {
    refuse(fields, { at: field.value.at, path: field.path }, "the list is empty", "remove match: to take every series");
  }
  return readSelectors(fields, field, naming);
}

/** One selector, or a list of which any may hold. */
export function readSelectors(fields: Fields, { value, path }: Field, naming: Naming): readonly Selector[] {
  if (value.kind !== "list") {
    const selector = readOne(fields, value, path, naming);
    return selector === undefined ? [] : [selector];
  }
  return value.items.flatMap((item, i) => readOne(fields, item, `${path}[${String(i)}]`, naming) ?? []);
}
