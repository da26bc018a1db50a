// Dependencies point down only.
import { posix } from "node:path";
import { importsOf, isSource, type Tree } from "./source.js";

const L1_UP = ["base", "metric", "slice"];
const AGGREGATE_FACE = ["aggregate/rule.ts", "aggregate/compile.ts", "aggregate/admission.ts", "aggregate/partition.ts"];
const WORLD = ["drive", "execd", "http", "sink", "store", "selfstat", "ui", "loadgen"];
const BELOW_WORLD = [...L1_UP, "aggregate", "route", "assign", "slicelet"];

/** What the folders of src may import: folders, or single files. Their own folder goes without saying. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  metric: ["base"],
  slice: ["base", "metric"],
  kernel: [],
  aggregate: [...L1_UP, "kernel"],
  route: [...L1_UP, ...AGGREGATE_FACE],
  assign: [...L1_UP, ...AGGREGATE_FACE],
  slicelet: [...L1_UP, ...AGGREGATE_FACE],
  ...Object.fromEntries(WORLD.map((folder) => [folder, [...BELOW_WORLD, ...WORLD]])),
  bin: [...BELOW_WORLD, ...WORLD],
};

/** The interface a kind of plugin implements; for sinks with the queue and the connections they share. */
const PLUGIN_FACE: Readonly<Record<string, string>> = { aggregators: "aggregate/output.ts", sinks: "sink" };

export function checkLayers(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!isSource(path)) continue;
    const may = allowedFor(path);
    if (may === undefined) continue;
    if (typeof may === "string") {
      problems.push(may);
      continue;
    }
    for (const { specifier, line } of importsOf(text)) {
      const target = resolve(path, specifier);
      if (target === undefined || may.some((place) => isWithin(target, place))) continue;
      problems.push(`${path}:${line}: may not import ${target}; allowed: ${may.join(", ")} (docs/ARCHITECTURE.md, Layers)`);
    }
  }
  return problems;
}

/** Places a file may import from, undefined when it may import everything, a string when its folder is unknown. */
function allowedFor(path: string): readonly string[] | string | undefined {
  const parts = path.split("/");
  const [top, folder = "", name = ""] = parts;
  if (top === "src") {
    const allowed = ALLOWED[folder];
    if (allowed === undefined) return `${path}: src/${folder} is not a layer; the rooms are ${Object.keys(ALLOWED).join(", ")}`;
    return [`src/${folder}`, ...allowed.map((place) => `src/${place}`)];
  }
  if (top === "plugins") {
    const face = PLUGIN_FACE[folder];
    if (face === undefined) return `${path}: plugins/${folder} is no kind of plugin; there are ${Object.keys(PLUGIN_FACE).join(", ")}`;
    return [`plugins/${folder}/${name}`, `src/${face}`, "src/base", "src/metric"];
  }
  return undefined;
}

function isWithin(target: string, place: string): boolean {
  return target === place || target.startsWith(`${place}/`);
}

/** The imported file as a path of the tree; undefined for packages and node's modules. */
function resolve(from: string, specifier: string): string | undefined {
  const source = specifier.replace(/\.js$/, ".ts");
  if (source.startsWith(".")) return posix.normalize(posix.join(posix.dirname(from), source));
  if (source.startsWith("#limpet/plugins/")) return source.slice(8);
  if (source.startsWith("#limpet/")) return `src/${source.slice(8)}`;
  return undefined;
}
