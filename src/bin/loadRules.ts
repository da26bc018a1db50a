// Rule files to Rules, for every command that runs them: prints every problem, and refuses the set when one is an error.
import type { Rule } from "../aggregate/rule.js";
import { type RuleText, readRules } from "../aggregate/ruleFile.js";
import { formatProblem } from "../aggregate/ruleFileProblem.js";
import type { RuleContext } from "../aggregate/ruleFileRule.js";
import { xxh64Hex } from "../base/xxh64.js";
import { readRuleFiles } from "./readRuleFiles.js";

export interface LoadedRules {
  /** undefined: there was an error; `messages` says which. */
  readonly rules: readonly Rule[] | undefined;
  readonly files: readonly RuleText[];
  /** Of the files' names and bytes: equal when nothing has changed. */
  readonly fingerprint: string;
  readonly messages: readonly { readonly severity: "error" | "warning" | "info"; readonly text: string }[];
}

/** Reads what the arguments name as one set of rules. */
export async function loadRules(patterns: readonly string[], context: Omit<RuleContext, "env">): Promise<LoadedRules> {
  const { files, failures } = await readRuleFiles(patterns);
  const { rules, problems } = readRules(files, { ...context, env: process.env });
  const messages = [
    ...failures.map((text) => ({ severity: "error" as const, text })),
    ...problems.map((problem) => ({ severity: problem.severity, text: `${formatProblem(problem)}\n${problem.excerpt}` })),
  ];
  const fingerprint = xxh64Hex(JSON.stringify(files));
  if (messages.some(({ severity }) => severity === "error")) return { rules: undefined, files, fingerprint, messages };
  if (rules.length > 0) return { rules, files, fingerprint, messages };
  return {
    rules: undefined,
    files,
    fingerprint,
    messages: [...messages, { severity: "error", text: "there is no rule in the rule files; add one, see configs/rules" }],
  };
}
