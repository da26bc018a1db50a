// `limpet check FILE...`: every problem of every rule file, each with its line and a caret, then one line of sums.
import type { Command } from "commander";
import { readRules } from "../../aggregate/ruleFile.js";
import { formatProblem, type Problem } from "../../aggregate/ruleFileProblem.js";
import { counted } from "../../base/counted.js";
import { loadOutputs } from "../loadOutputs.js";
import { option } from "../options.js";
import { readRuleFiles } from "../readRuleFiles.js";

export interface CheckResult {
  /** What to print, without a last newline. */
  readonly text: string;
  /** 0: nothing wrong (warnings may stand); 2: errors. */
  readonly exitCode: 0 | 2;
}

function printed(problem: Problem): string {
  return `${formatProblem(problem)}\n${problem.excerpt}`;
}

/** Checks the files as one set of rules. `env` expands `%{NAME}`. */
export async function checkRuleFiles(
  patterns: readonly string[],
  naming: "telegraf" | "vmagent",
  env: Readonly<Record<string, string | undefined>>,
): Promise<CheckResult> {
  const outputs = await loadOutputs();
  const { files, failures } = await readRuleFiles(patterns);
  const { rules, problems } = readRules(files, { outputs, env, naming });
  const count = (severity: Problem["severity"]): number => problems.filter((problem) => problem.severity === severity).length;
  const errors = count("error") + failures.length;
  const verdict = errors === 0 ? "ok" : counted(errors, "error");
  const rest = [counted(count("warning"), "warning"), `${String(count("info"))} info`].filter((part) => !part.startsWith("0 "));
  const sums = [verdict, ...rest].join(", ");
  const summary = `${counted(files.length, "file")}, ${counted(rules.length, errors === 0 ? "rule" : "good rule")}: ${sums}`;
  return { text: [...failures, ...problems.map(printed), summary].join("\n"), exitCode: errors > 0 ? 2 : 0 };
}

export function registerCheck(program: Command): void {
  program
    .command("check")
    .description("validate rule files: all errors at once, with line, column and cure")
    .argument("<file...>", "rule files, folders of *.yaml, or globs; together one set of rules")
    .addOption(
      option("--naming <naming>", "how samples are named, which decides what can match").choices(["telegraf", "vmagent"]).default("telegraf"),
    )
    .action(async (patterns: string[], _options: unknown, command: Command) => {
      const { naming } = command.opts<{ naming: "telegraf" | "vmagent" }>();
      const { text, exitCode } = await checkRuleFiles(patterns, naming, process.env);
      process.stdout.write(`${text}\n`);
      process.exitCode = exitCode;
    });
}
