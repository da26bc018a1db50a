// Telegraf's filters in a rule: lists of globs, and for tags a map of them.
import type { TelegrafFilter, Texts } from "../metric/telegrafFilter.js";
import { compileGlobs } from "../metric/telegrafGlob.js";
import { describe, type Field, type Fields, refuse } from "./ruleFileFields.js";
import { filterKeys } from "./ruleFileKeys.js";
import type { Value } from "./ruleFileYaml.js";

interface Patterns {
  readonly texts: readonly string[];
  readonly accepts: Texts;
}

function readPatterns(fields: Fields, value: Value, path: string): Patterns | undefined {
  if (value.kind !== "list") {
    const cure = value.kind === "map" ? "write [a, b*]" : `write [${value.text}]`;
    return refuse(fields, { at: value.at, path }, `${describe(value)} is not a list of patterns`, cure);
  }
  if (value.items.length === 0) return refuse(fields, { at: value.at, path }, "the list is empty", "remove the key, or name a pattern such as cpu*");
  const texts: string[] = [];
  for (const [i, item] of value.items.entries()) {
    const where = { at: item.at, path: `${path}[${String(i)}]` };
    if (item.kind === "list" || item.kind === "map" || item.kind === "null") {
      refuse(fields, where, `${describe(item)} is not a pattern`, "write text such as cpu*");
      continue;
    }
    const single = compileGlobs([item.text]);
    if (single.ok) texts.push(item.text);
    else refuse(fields, where, `bad pattern: ${single.error}`, "Telegraf's globs: * ? [a-z] [!a] {a,b}");
  }
  if (texts.length < value.items.length) return undefined;
  const compiled = compileGlobs(texts);
  if (compiled.ok) return { texts: [...new Set(texts)].sort(), accepts: compiled.accepts };
  return refuse(fields, { at: value.at, path }, `bad patterns: ${compiled.error}`, "Telegraf's globs: * ? [a-z] [!a] {a,b}");
}

function readTags(fields: Fields, { value, path }: Field): readonly (readonly [string, Patterns])[] | undefined {
  if (value.kind !== "map") return refuse(fields, { at: value.at, path }, `${describe(value)} is not a map of tags`, "write {cpu: [cpu0, cpu1]}");
  if (value.entries.length === 0) return refuse(fields, { at: value.at, path }, "the map is empty", "remove the key, or write {cpu: [cpu0]}");
  const tags: [string, Patterns][] = [];
  for (const entry of value.entries) {
    const read = readPatterns(fields, entry.value, `${path}.${entry.key}`);
    if (read !== undefined) tags.push([entry.key, read]);
  }
  return tags.length < value.entries.length ? undefined : tags.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The field of a key or of its old name; both are an error. */
function oneOf(fields: Fields, key: string, old: string): Field | undefined {
  const field = fields.byKey.get(key);
  const older = fields.byKey.get(old);
  if (field !== undefined && older !== undefined) {
    refuse(fields, { at: older.keyAt, path: older.path }, `stands beside ${key}, which means the same`, `keep ${key}`);
  }
  return field ?? older;
}

/** undefined without filters, or when one is wrong (reported). */
export function readFilter(fields: Fields): TelegrafFilter | undefined {
  if (!filterKeys.some((key) => fields.byKey.has(key))) return undefined;
  const canonical: [string, unknown][] = [];
  const patterns = (key: string, field: Field | undefined): Texts | undefined => {
    const read = field === undefined ? undefined : readPatterns(fields, field.value, field.path);
    if (read !== undefined) canonical.push([key, read.texts]);
    return read?.accepts;
  };
  const tags = (key: string): TelegrafFilter["tagpass"] => {
    const field = fields.byKey.get(key);
    const read = field === undefined ? undefined : readTags(fields, field);
    if (read !== undefined) canonical.push([key, read.map(([tag, { texts }]) => [tag, texts])]);
    return read?.map(([tag, { accepts }]) => [tag, accepts]);
  };
  const filter = {
    namepass: patterns("namepass", fields.byKey.get("namepass")),
    namedrop: patterns("namedrop", fields.byKey.get("namedrop")),
    tagpass: tags("tagpass"),
    tagdrop: tags("tagdrop"),
    fieldinclude: patterns("fieldinclude", oneOf(fields, "fieldinclude", "fieldpass")),
    fieldexclude: patterns("fieldexclude", oneOf(fields, "fieldexclude", "fielddrop")),
  };
  return { ...filter, canonical: JSON.stringify(canonical) };
}
