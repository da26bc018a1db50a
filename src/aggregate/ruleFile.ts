// Rule files -> Rules, with every problem of every file at once. Pure: texts and environment come in, nothing is read here.
//
//   text -> ruleFileEnv (%{ENV}) -> ruleFileYaml (values with places) -> ruleFileRule (one rule) -> ruleFileMerge (all rules)
//
// A file is a list of rules, or a map {defaults, rules}; all files share one id space.
import type { Rule } from "./rule.js";
import { cureFor, describe, type Field, type Fields, fieldsOf } from "./ruleFileFields.js";
import { counterparts, readKeys, ruleOnlyKeys } from "./ruleFileKeys.js";
import { mergeRules } from "./ruleFileMerge.js";
import { type Problem, ProblemList, type SourceFile, show, sourceFile } from "./ruleFileProblem.js";
import { type PlacedRule, type RuleContext, readRule } from "./ruleFileRule.js";
import { type ListValue, type MapValue, readYaml, type Value } from "./ruleFileYaml.js";

export interface RuleText {
  /** As it shall appear in messages: the path. */
  readonly name: string;
  readonly text: string;
}

const allKeys: readonly string[] = readKeys;

class RuleFileReader {
  readonly file: SourceFile;
  readonly problems: ProblemList;
  readonly context: RuleContext;

  constructor(file: SourceFile, problems: ProblemList, context: RuleContext) {
    this.file = file;
    this.problems = problems;
    this.context = context;
  }

  read(value: Value | undefined): PlacedRule[] {
    if (value === undefined) {
      if (!this.problems.problems.some((problem) => problem.file === this.file.name)) {
        this.problems.warning({ file: this.file, at: 0, path: "", message: "the file has no rules" });
      }
      return [];
    }
    if (value.kind === "list") return this.#rules(value, "rules", undefined);
    if (value.kind === "map") return this.#document(value);
    this.#refuse(value.at, "", `${describe(value)} is not a list of rules`, "begin each rule with -");
    return [];
  }

  #refuse(at: number, path: string, message: string, cure?: string): void {
    this.problems.error({ file: this.file, at, path, message, cure });
  }

  /** The form {defaults, rules}. */
  #document(map: MapValue): PlacedRule[] {
    const keys = new Map(map.entries.map((entry) => [entry.key, entry]));
    if (!keys.has("rules") && map.entries.some((entry) => allKeys.includes(entry.key))) {
      this.#refuse(map.at, "", "a rule stands where the list of rules should be", "begin the rule with - and indent its other keys");
      return [];
    }
    for (const entry of map.entries) {
      if (entry.key === "rules" || entry.key === "defaults") continue;
      this.#refuse(entry.keyAt, "", `unknown key ${show(entry.key)}`, cureFor(entry.key, ["defaults", "rules"]));
    }
    const rules = keys.get("rules");
    const defaults = this.#defaults(keys.get("defaults")?.value);
    if (rules === undefined) this.#refuse(map.at, "", "rules is missing", "add rules: with a list");
    else if (rules.value.kind === "list") return this.#rules(rules.value, "rules", defaults);
    else this.#refuse(rules.value.at, "rules", `${describe(rules.value)} is not a list of rules`, "begin each rule with -");
    return [];
  }

  #defaults(value: Value | undefined): Map<string, Field> | undefined {
    if (value === undefined || value.kind === "null") return undefined;
    if (value.kind !== "map") {
      this.#refuse(value.at, "defaults", `${describe(value)} is not a map`, "write defaults: {interval: 1m}");
      return undefined;
    }
    const fields = this.#fields(value, "defaults");
    for (const key of ruleOnlyKeys) {
      const field = fields.get(key);
      if (field === undefined) continue;
      this.#refuse(field.keyAt, field.path, "cannot stand in defaults", "move it to the rules");
      fields.delete(key);
    }
    return fields;
  }

  #fields(map: MapValue, path: string): Map<string, Field> {
    const fields = fieldsOf(map, { file: this.file, problems: this.problems, path });
    for (const { key, keyAt } of map.entries) {
      if (allKeys.includes(key)) continue;
      this.#refuse(keyAt, path, `unknown key ${show(key)}`, cureFor(key, allKeys));
      fields.delete(key);
    }
    return fields;
  }

  #rules(list: ListValue, path: string, defaults: Map<string, Field> | undefined): PlacedRule[] {
    if (list.items.length === 0) this.problems.warning({ file: this.file, at: list.at, path: "", message: "the file has no rules" });
    const read: PlacedRule[] = [];
    for (const [i, item] of list.items.entries()) {
      const rulePath = `${path}[${String(i)}]`;
      if (item.kind !== "map") {
        this.#refuse(item.at, rulePath, `${describe(item)} is not a rule`, "write a map with interval and outputs");
        continue;
      }
      const errorsBefore = this.problems.errorCount;
      const own = this.#fields(item, rulePath);
      const fields: Fields = { file: this.file, problems: this.problems, at: item.at, path: rulePath, byKey: withDefaults(own, defaults) };
      const placed = readRule(fields, this.context);
      if (placed !== undefined && this.problems.errorCount === errorsBefore) read.push(placed);
    }
    return read;
  }
}

/** A key of the rule replaces the default, and the defaults it cannot stand beside. */
function withDefaults(own: Map<string, Field>, defaults: ReadonlyMap<string, Field> | undefined): Map<string, Field> {
  const fields = new Map(own);
  for (const [key, field] of defaults ?? []) {
    const replaced = own.has(key) || (counterparts[key] ?? []).some((other) => own.has(other));
    if (!replaced) fields.set(key, field);
  }
  return fields;
}

/**
 * Reads all files as one set of rules. Never throws on bad input. `rules` holds the good ones, in file order, rules of one id
 * merged; callers refuse the set when any problem is an error. `problems` are in file order, then by place.
 */
export function readRules(files: readonly RuleText[], context: RuleContext): { rules: Rule[]; problems: Problem[] } {
  const problems = new ProblemList();
  const read: PlacedRule[] = [];
  const order = new Map<string, number>();
  for (const { name, text } of files) {
    const file = sourceFile(name, text);
    if (!order.has(name)) order.set(name, order.size);
    for (const placed of new RuleFileReader(file, problems, context).read(readYaml(file, context.env, problems))) read.push(placed);
  }
  const rules = mergeRules(read, context, problems);
  const sorted = problems.problems.sort((a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || a.line - b.line || a.column - b.column);
  return { rules, problems: sorted };
}
