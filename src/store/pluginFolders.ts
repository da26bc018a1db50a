// Finds plugins: every folder of plugins/<kind>, beside the code that runs (dist/ or the sources). There is no list to edit.
// In the bundle (scripts/bundle.mjs), where there are no folders, this file is replaced by one that holds them all.
import { readdir } from "node:fs/promises";

const fromSources = import.meta.url.endsWith(".ts");

/** `entry`: the file of a folder that holds the plugin, without its extension. Modules by folder, sorted. */
export async function loadPlugins(kind: "aggregators" | "sinks", entry: (folder: string) => string): Promise<Map<string, object>> {
  const folder = new URL(`${fromSources ? "../.." : ".."}/plugins/${kind}/`, import.meta.url);
  const names = (await readdir(folder, { withFileTypes: true })).filter((found) => found.isDirectory()).map(({ name }) => name);
  const modules = new Map<string, object>();
  for (const name of names.sort()) {
    const url = new URL(`${name}/${entry(name)}${fromSources ? ".ts" : ".js"}`, folder);
    // A module is an object; whoever asks checks its exports.
    modules.set(name, (await import(url.href)) as object);
  }
  return modules;
}
