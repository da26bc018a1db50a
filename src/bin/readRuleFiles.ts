// FILE|DIR|GLOB arguments -> texts. A folder means its *.yaml and *.yml, not deeper; a glob knows `*`, `?` and `**`.
// The shell usually expands globs; Telegraf's execd and a Dockerfile do not.
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { RuleText } from "../aggregate/ruleFile.js";

export interface RuleFiles {
  /** In the order of the arguments, sorted within a folder or glob, each path once. */
  readonly files: readonly RuleText[];
  /** One line each: what could not be read, and why. */
  readonly failures: readonly string[];
}

/** Hidden files are editors' and mounts' own. */
const ruleName = /^[^.].*\.ya?ml$/;

/** `*` and `?` of one path segment as a regular expression. */
function segmentPattern(segment: string): RegExp {
  const escaped = segment
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`, "s");
}

async function entriesOf(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  try {
    const entries = await readdir(folder === "" ? "." : folder, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    // A folder of a glob that cannot be read matches nothing; a glob that matches nothing is reported by the caller.
    return [];
  }
}

async function expand(folder: string, segments: readonly string[]): Promise<string[]> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [];
  if (!/[*?]/.test(segment)) {
    const path = folder === "" && segment !== "" ? segment : `${folder}/${segment}`.replace("//", "/");
    if (rest.length > 0) return expand(path, rest);
    return (await stat(path).catch(() => undefined))?.isFile() === true ? [path] : [];
  }
  const found = segment === "**" ? await expand(folder, rest) : [];
  const pattern = segmentPattern(segment);
  for (const entry of await entriesOf(folder)) {
    if (entry.name.startsWith(".") && !segment.startsWith(".")) continue;
    const path = folder === "" ? entry.name : join(folder, entry.name);
    if (segment === "**") {
      if (entry.isFolder) found.push(...(await expand(path, segments)));
    } else if (pattern.test(entry.name)) {
      if (rest.length > 0 && entry.isFolder) found.push(...(await expand(path, rest)));
      else if (rest.length === 0 && !entry.isFolder) found.push(path);
    }
  }
  return found;
}

async function pathsOf(argument: string): Promise<{ paths: string[]; failure?: string }> {
  const found = await stat(argument).catch(() => undefined);
  if (found?.isDirectory() === true) {
    const paths = (await entriesOf(argument))
      .filter((entry) => !entry.isFolder && ruleName.test(entry.name))
      .map((entry) => join(argument, entry.name));
    return paths.length > 0 ? { paths } : { paths, failure: `${argument}: the folder has no *.yaml or *.yml files` };
  }
  if (found !== undefined) return { paths: [argument] };
  if (!/[*?]/.test(argument)) return { paths: [], failure: `${argument}: no such file or folder` };
  const paths = await expand(
    argument.startsWith("/") ? "/" : "",
    argument.split("/").filter((segment) => segment !== "" && segment !== "."),
  );
  return paths.length > 0 ? { paths } : { paths, failure: `${argument}: no file matches; is ${basename(argument)} right?` };
}

/** Reads what the arguments name. Bytes that are not UTF-8 become U+FFFD. Never throws. */
export async function readRuleFiles(patterns: readonly string[]): Promise<RuleFiles> {
  const texts = new Map<string, string>();
  const failures: string[] = [];
  for (const argument of patterns) {
    const { paths, failure } = await pathsOf(argument);
    if (failure !== undefined) failures.push(failure);
    for (const path of paths) {
      if (texts.has(path)) continue;
      try {
        texts.set(path, await readFile(path, "utf8"));
      } catch (cause) {
        failures.push(`${path}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
      }
    }
  }
  return { files: [...texts].map(([name, text]) => ({ name, text })), failures };
}
