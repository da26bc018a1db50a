// limpet.yaml: a section per command with its long options, `_` for `-`, and what several commands share (`sinks`). Read with the
// rule files' own reader, so that `%{NAME}` means the same and an error has a place.
//
//   flag > LIMPET_OPTION_NAME > limpet.yaml > default
import { readFileSync } from "node:fs";
import type { Command, Option } from "commander";
import { describe } from "../aggregate/ruleFileFields.js";
import { formatProblem, ProblemList, type SourceFile, show, sourceFile } from "../aggregate/ruleFileProblem.js";
import { type MapEntry, type MapValue, readYaml, type Value } from "../aggregate/ruleFileYaml.js";
import { nearest } from "../base/nearest.js";
import { systemErrorCode } from "../base/systemError.js";
import { COMMAND_NAMES } from "./commandNames.js";
import { collect, UsageError } from "./options.js";
import { readSinkList } from "./sinkList.js";

/** Sections that are no command's. */
const shared = ["sinks"] as const;
const NEVER = new Set(["config", "help", "version"]);

/** Where something stands and what is wrong with it. */
interface Report {
  readonly file: SourceFile;
  readonly problems: ProblemList;
}

/** Fills in what `--config FILE` says for options that neither a flag nor the environment gave. Throws UsageError with all errors. */
export function applyConfig(command: Command): void {
  const path: unknown = command.opts()["config"];
  if (typeof path !== "string") return;
  const report = { file: sourceFile(path, textOf(path)), problems: new ProblemList() };
  const root = readYaml(report.file, process.env, report.problems);
  for (const section of sectionsOf(root, report)) {
    if (section.key === command.name()) applySection(command, section, report);
    // They stand beside those of --sink.
    if (section.key === "sinks" && command.name() === "aggregate") command.setOptionValue("sinks", readSinkList(section.value, report));
  }
  const errors = report.problems.problems.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new UsageError(errors.map(formatProblem).join("\n"));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--config ${path}: cannot be read (${systemErrorCode(error) ?? "unknown error"})`);
  }
}

function sectionsOf(root: Value | undefined, { file, problems }: Report): readonly MapEntry[] {
  if (root === undefined) return [];
  if (root.kind !== "map") {
    problems.error({ file, at: root.at, path: "", message: `${describe(root)} is not a map of sections`, cure: "begin with aggregate:" });
    return [];
  }
  const known: readonly string[] = [...COMMAND_NAMES, ...shared];
  for (const { key, keyAt } of root.entries)
    if (!known.includes(key))
      problems.error({ file, at: keyAt, path: "", message: `unknown section ${show(key)}`, cure: cureFor(key, known, `use ${known.join(", ")}`) });
  return root.entries;
}

function applySection(command: Command, { key: section, value }: MapEntry, report: Report): void {
  if (value.kind === "null") return;
  const { file, problems } = report;
  if (value.kind !== "map") {
    problems.error({ file, at: value.at, path: section, message: `${describe(value)} is not a map of options`, cure: "write them as option: value" });
    return;
  }
  const options = new Map(command.options.filter((known) => !NEVER.has(known.name())).map((known) => [known.name().replaceAll("-", "_"), known]));
  for (const entry of uniqueEntries(value)) {
    const known = options.get(entry.key);
    const path = `${section}.${entry.key}`;
    if (known === undefined)
      problems.error({
        file,
        at: entry.keyAt,
        path,
        message: "unknown option",
        cure: cureFor(entry.key, [...options.keys()], `limpet ${section} --help lists them`),
      });
    else applyOption(command, known, { path, value: entry.value }, report);
  }
}

function cureFor(word: string, known: readonly string[], otherwise: string): string {
  const meant = nearest(word, known);
  return meant === undefined ? otherwise : `did you mean ${meant}?`;
}

function uniqueEntries({ entries }: MapValue): readonly MapEntry[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}

function applyOption(command: Command, known: Option, { path, value }: { path: string; value: Value }, report: Report): void {
  const key = known.attributeName();
  const source = command.getOptionValueSource(key);
  const parsed = parseValue(known, path, value, report);
  if (parsed !== undefined && source !== "cli" && source !== "env") command.setOptionValueWithSource(key, parsed, "config");
}

/** The option's value; undefined when it is none, which is reported. */
function parseValue(known: Option, path: string, value: Value, { file, problems }: Report): unknown {
  const refuse = (at: number, message: string, cure?: string): undefined => {
    problems.error({ file, at, path, message, cure });
  };
  if (known.isBoolean()) return value.kind === "boolean" ? value.text === "true" : refuse(value.at, `${describe(value)} is not true or false`);
  const items = value.kind === "list" ? value.items : [value];
  if (items.length > 1 && known.parseArg !== collect) return refuse(value.at, "takes one value", "leave the others out");
  let result: unknown;
  for (const item of items) {
    if (item.kind !== "text" && item.kind !== "number")
      return refuse(item.at, `${describe(item)} is not a text`, item.kind === "boolean" ? "quote it" : undefined);
    if (known.argChoices !== undefined && !known.argChoices.includes(item.text))
      return refuse(item.at, `${show(item.text)} is not one of ${known.argChoices.join(", ")}`);
    try {
      // commander's own type for the parsed value is `any`; what it holds is this option's business.
      result = known.parseArg === undefined || known.argChoices !== undefined ? item.text : known.parseArg(item.text, result);
    } catch (error) {
      return refuse(item.at, `${show(item.text)}: ${error instanceof Error ? error.message : "invalid"}`);
    }
  }
  return result;
}
