// Values of command line options, and where they may come from: flag > LIMPET_OPTION_NAME > limpet.yaml > default.
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { parse } from "yaml";
import { parseDuration } from "../base/duration.js";
import { nearest } from "../base/nearest.js";

/** An option that the environment may give too: `--data` as LIMPET_DATA. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.env(`LIMPET_${made.name().replaceAll("-", "_").toUpperCase()}`);
}

/** Collects a repeated option. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Parses a duration into ms. */
export function duration(value: string): number {
  const parsed = parseDuration(value);
  if (!parsed.ok) throw new InvalidArgumentError(`${parsed.error}; ${parsed.cure}`);
  return parsed.ms;
}

/** Parses bytes: `1073741824`, `512MiB`, `2GiB`. */
export function byteSize(value: string): number {
  const parts = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(value);
  if (parts === null) throw new InvalidArgumentError("not a size; use e.g. 512MiB or 2GiB");
  const unit = { B: 0, KiB: 10, MiB: 20, GiB: 30 }[parts[2] ?? "B"] ?? 0;
  return Number(parts[1]) * 2 ** unit;
}

/** Wrong use or configuration: ends the process with exit code 2. */
export class UsageError extends Error {
  readonly code = "usage";

  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

function expandEnv(text: string, path: string): string {
  return text.replace(/%\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, name: string) => {
    const value = process.env[name];
    if (value === undefined) throw new UsageError(`${path}: %{${name}} is not set in the environment`);
    return value;
  });
}

function sectionOf(path: string, command: string): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = parse(expandEnv(readFileSync(path, "utf8"), path));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: ${error instanceof Error ? error.message : "cannot be read"}`);
  }
  if (typeof document !== "object" || document === null)
    throw new UsageError(`${path}: expected a map with a section per command, e.g. \`aggregate:\``);
  const section: unknown = Object.entries(document).find(([name]) => name === command)?.[1];
  if (section === undefined || section === null) return {};
  if (typeof section !== "object") throw new UsageError(`${path}: ${command}: expected a map of options`);
  return Object.fromEntries(Object.entries(section));
}

/** Fills in what `--config FILE` says for options that neither a flag nor the environment gave. Throws UsageError. */
export function applyConfig(command: Command): void {
  const path: unknown = command.opts()["config"];
  if (typeof path !== "string") return;
  const options = new Map(command.options.map((known) => [known.name().replaceAll("-", "_"), known]));
  for (const [name, value] of Object.entries(sectionOf(path, command.name()))) {
    const known = options.get(name);
    if (known === undefined) {
      const meant = nearest(name, options.keys());
      throw new UsageError(`${path}: ${command.name()}.${name}: unknown option${meant === undefined ? "" : `; did you mean ${meant}?`}`);
    }
    const key = known.attributeName();
    const source = command.getOptionValueSource(key);
    if (source === "cli" || source === "env") continue;
    command.setOptionValueWithSource(key, parseValue(known, value, `${path}: ${command.name()}.${name}`), "config");
  }
}

function parseValue(known: Option, value: unknown, place: string): unknown {
  if (typeof value === "boolean") return value;
  const texts = (Array.isArray(value) ? value : [value]).map((item: unknown) => {
    if (typeof item === "string" || typeof item === "number") return String(item);
    throw new UsageError(`${place}: expected a text or a list of texts`);
  });
  let result: unknown;
  for (const text of texts) {
    try {
      // commander's own type for the parsed value is `any`; what it holds is this option's business.
      result = known.parseArg === undefined ? text : known.parseArg(text, result);
    } catch (error) {
      throw new UsageError(`${place}: ${error instanceof Error ? error.message : "invalid"}`);
    }
    if (known.argChoices !== undefined && !known.argChoices.includes(text)) {
      throw new UsageError(`${place}: ${text} is not one of ${known.argChoices.join(", ")}`);
    }
  }
  return result;
}
