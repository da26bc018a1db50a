// Readers of one key each: a value of the wrong kind or outside its limit becomes a problem at its place, and undefined.

import { parseDuration } from "../base/duration.js";
import { nearest } from "../base/nearest.js";
import { type ProblemList, type SourceFile, show } from "./ruleFileProblem.js";
import type { MapValue, Value } from "./ruleFileYaml.js";

export interface Field {
  readonly key: string;
  readonly keyAt: number;
  readonly value: Value;
  readonly path: string;
}

/** The keys of one rule, its own and those it takes from `defaults`. Empty values (`by:`) are left out. */
export interface Fields {
  readonly file: SourceFile;
  readonly problems: ProblemList;
  readonly at: number;
  readonly path: string;
  readonly byKey: ReadonlyMap<string, Field>;
}

/** The entries of a map as fields. A key without a value counts as absent, as in vmagent, with a warning. */
export function fieldsOf(map: MapValue, context: Omit<Fields, "at" | "byKey">): Map<string, Field> {
  const byKey = new Map<string, Field>();
  for (const { key, keyAt, value } of map.entries) {
    const field = { key, keyAt, value, path: `${context.path}.${key}` };
    if (value.kind !== "null") byKey.set(key, field);
    else
      context.problems.warning({
        file: context.file,
        at: keyAt,
        path: field.path,
        message: "has no value and counts as absent",
        cure: "remove the key",
      });
  }
  return byKey;
}

export function describe(value: Value): string {
  if (value.kind === "list") return "a list";
  if (value.kind === "map") return "a map";
  return value.kind === "null" ? "nothing" : show(value.text);
}

export function refuse(fields: Fields, where: { readonly at: number; readonly path: string }, message: string, cure?: string): undefined {
  fields.problems.error({ ...where, file: fields.file, message, cure });
  return undefined;
}

/** What to write instead of `word`: the nearest allowed word, else all of them when they are few. */
export function cureFor(word: string, allowed: readonly string[]): string {
  const near = nearest(word, allowed);
  if (near !== undefined) return `did you mean ${near}?`;
  if (allowed.length > 24) return "docs/rules.md lists the keys";
  return allowed.length === 1 ? `use ${allowed.join("")}` : `use ${allowed.slice(0, -1).join(", ")} or ${allowed.at(-1) ?? ""}`;
}

export interface DurationLimits {
  readonly minMs: number;
  readonly minText: string;
}

/** Whole milliseconds, at least the limit. */
export function readDuration(fields: Fields, key: string, limits?: DurationLimits): { text: string; ms: number } | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  if (value.kind === "list" || value.kind === "map")
    return refuse(fields, { at: value.at, path }, `${describe(value)} is not a duration`, "use 10s or 1m");
  const parsed = parseDuration(value.text);
  if (!parsed.ok)
    return refuse(fields, { at: value.at, path }, value.text === "" ? parsed.error : `${show(value.text)} ${parsed.error}`, parsed.cure);
  if (!Number.isInteger(parsed.ms))
    return refuse(
      fields,
      { at: value.at, path },
      `${show(value.text)} is not a whole number of milliseconds`,
      `use ${String(Math.ceil(parsed.ms))}ms`,
    );
  if (limits !== undefined && parsed.ms < limits.minMs) {
    return refuse(
      fields,
      { at: value.at, path },
      `${show(value.text)} is less than ${limits.minText}`,
      `use ${limits.minText.split(" ")[0] ?? ""} or more`,
    );
  }
  return { text: value.text, ms: parsed.ms };
}

export function readWord<W extends string>(fields: Fields, key: string, allowed: readonly W[]): W | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  const word = value.kind === "text" ? allowed.find((candidate) => candidate === value.text) : undefined;
  if (word !== undefined) return word;
  return refuse(
    fields,
    { at: value.at, path },
    `${describe(value)} is not a word of ${key}`,
    cureFor(value.kind === "text" ? value.text : "", allowed),
  );
}

export function readBoolean(fields: Fields, key: string): boolean | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  if (value.kind === "boolean") return value.text.toLowerCase() === "true";
  return refuse(fields, { at: value.at, path }, `${describe(value)} is not true or false`, "use true or false, without quotes");
}

const countMax = 2_147_483_647;

export function readCount(fields: Fields, key: string, min: number): number | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  const count = value.kind === "number" ? Number(value.text) : Number.NaN;
  if (Number.isInteger(count) && count >= min && count <= countMax) return count;
  return refuse(fields, { at: value.at, path }, `${describe(value)} is not a whole number from ${String(min)} to ${String(countMax)}`);
}

export function readText(fields: Fields, key: string): { text: string; field: Field; locate: (index: number) => number } | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  if (value.kind === "text") return { text: value.text, field, locate: value.locate };
  return refuse(
    fields,
    { at: value.at, path },
    `${describe(value)} is not text`,
    value.kind === "number" || value.kind === "boolean" ? `quote it: "${value.text}"` : "write one value",
  );
}

/** A list of label names, sorted, each once. */
export function readLabelNames(fields: Fields, key: string): readonly string[] | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  if (value.kind !== "list") {
    const cure = value.kind === "text" ? `write [${value.text}]` : "write [region, service]";
    return refuse(fields, { at: value.at, path }, `${describe(value)} is not a list of label names`, cure);
  }
  const names = new Set<string>();
  let good = true;
  for (const [i, item] of value.items.entries()) {
    const itemPath = `${path}[${String(i)}]`;
    if (item.kind !== "text" || item.text === "") {
      const cure = item.kind === "number" || item.kind === "boolean" ? `quote it: "${item.text}"` : "write a name such as region";
      refuse(fields, { at: item.at, path: itemPath }, `${item.kind === "text" ? '""' : describe(item)} is not a label name`, cure);
      good = false;
      continue;
    }
    if (names.has(item.text))
      fields.problems.warning({ file: fields.file, at: item.at, path: itemPath, message: `${show(item.text)} stands twice`, cure: "remove one" });
    names.add(item.text);
  }
  return good ? [...names].sort() : undefined;
}
