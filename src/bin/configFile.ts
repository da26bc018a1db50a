// limpet.yaml: a map with a section per command, which holds the command's long options with _ for -. It stands behind flags and
// LIMPET_OPTION_NAME, before defaults. `%{NAME}` is an environment variable, and must be set. Everything wrong ends the process.
import { readFileSync } from "node:fs";
import type { Command, Option } from "commander";
import { parse, YAMLParseError } from "yaml";
import { nearest } from "../base/nearest.js";
import { systemErrorCode } from "../base/systemError.js";
import { COMMAND_NAMES } from "./commandNames.js";
import { collect, UsageError } from "./options.js";

/** Fills in what `--config FILE` says for options that neither a flag nor the environment gave. Throws UsageError. */
export function applyConfig(command: Command): void {
  const path: unknown = command.opts()["config"];
  if (typeof path !== "string") return;
  const options = new Map(command.options.map((known) => [known.name().replaceAll("-", "_"), known]));
  options.delete("config");
  for (const [name, value] of Object.entries(sectionOf(path, command.name()))) {
    const known = options.get(name);
    if (known === undefined) throw new UsageError(`${path}: ${command.name()}.${name}: unknown option${meant(name, options.keys())}`);
    const key = known.attributeName();
    const source = command.getOptionValueSource(key);
    if (source === "cli" || source === "env") continue;
    command.setOptionValueWithSource(key, parseValue(known, value, `${path}: ${command.name()}.${name}`), "config");
  }
}

function sectionOf(path: string, command: string): Readonly<Record<string, unknown>> {
  const document = readYaml(path);
  if (!isMap(document)) throw new UsageError(`${path}: expected a map with a section per command, e.g. \`${command}:\``);
  for (const name of Object.keys(document))
    if (!COMMAND_NAMES.some((known) => known === name)) throw new UsageError(`${path}: ${name}: no such command${meant(name, COMMAND_NAMES)}`);
  const section = document[command] ?? {};
  if (!isMap(section)) throw new UsageError(`${path}: ${command}: expected a map of options`);
  return section;
}

function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--config ${path}: cannot be read (${systemErrorCode(error) ?? "unknown error"})`);
  }
  try {
    return parse(expandEnv(text, path), { prettyErrors: true, logLevel: "error" });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const message = error instanceof Error ? error.message : "cannot be read";
    if (message.includes("call stack")) throw new UsageError(`${path}: nested too deeply`);
    // What follows the first line is an excerpt; the place stands at its end.
    const [, said = message] = /^(.*?)( at line \d+, column \d+)?:?$/m.exec(message) ?? [];
    const place = error instanceof YAMLParseError ? error.linePos?.[0] : undefined;
    throw new UsageError(`${path}${place === undefined ? "" : `:${String(place.line)}:${String(place.col)}`}: ${said}`);
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function meant(name: string, known: Iterable<string>): string {
  const close = nearest(name, known);
  return close === undefined ? "" : `; did you mean ${close}?`;
}

function expandEnv(text: string, path: string): string {
  return text.replace(/%\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, name: string) => {
    const value = process.env[name];
    if (value === undefined) throw new UsageError(`${path}: %{${name}} is not set in the environment`);
    return value;
  });
}

function parseValue(known: Option, value: unknown, place: string): unknown {
  if (known.isBoolean()) {
    if (typeof value === "boolean") return value;
    throw new UsageError(`${place}: expected true or false`);
  }
  const repeats = known.parseArg === collect;
  const texts: readonly unknown[] = Array.isArray(value) && repeats ? value : [value];
  let result: unknown;
  for (const text of texts) {
    if (typeof text !== "string" && typeof text !== "number")
      throw new UsageError(`${place}: expected a text${repeats ? " or a list of texts" : ""}`);
    result = parseText(known, String(text), { place, before: result });
  }
  return result;
}

function parseText(known: Option, text: string, { place, before }: { readonly place: string; readonly before: unknown }): unknown {
  if (known.argChoices !== undefined && !known.argChoices.includes(text))
    throw new UsageError(`${place}: ${text} is not one of ${known.argChoices.join(", ")}`);
  if (known.parseArg === undefined) return text;
  try {
    // commander's own type for the parsed value is `any`; what it holds is this option's business.
    const parsed: unknown = known.parseArg(text, before);
    return parsed;
  } catch (error) {
    throw new UsageError(`${place}: ${text} ${error instanceof Error ? error.message : "is invalid"}`);
  }
}
