// Versions of the rules as the assigner hands them out, read.
import type { RuleVersion } from "../slice/ruleVersion.js";
import type { Rule } from "./rule.js";
import { readRules } from "./ruleFile.js";
import { formatProblem } from "./ruleFileProblem.js";
import type { RuleContext } from "./ruleFileRule.js";

/** A version and the rules its files hold. */
export interface ParsedVersion {
  readonly version: RuleVersion;
  readonly rules: readonly Rule[];
}

/** Reads the files of a version, about 1 ms of CPU per rule: once per version and process. The first error, when there is one. */
export function parseRuleVersion(version: RuleVersion, context: Omit<RuleContext, "env">): ParsedVersion | string {
  const files = version.files.map(({ path, text }) => ({ name: path, text }));
  const { rules, problems } = readRules(files, { ...context, env: {} });
  const error = problems.find(({ severity }) => severity === "error");
  return error === undefined ? { version, rules } : formatProblem(error);
}
