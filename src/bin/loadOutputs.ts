// Finds the output plugins: every folder of plugins/aggregators, beside the code that runs (dist/ or the sources). A folder
// `sum_samples` holds `sum_samples.js` with `export const output: Output`. No registry to edit.
import { readdir } from "node:fs/promises";
import type { Output } from "../aggregate/output.js";

const fromSources = import.meta.url.endsWith(".ts");
const folder = new URL(fromSources ? "../../plugins/aggregators/" : "../plugins/aggregators/", import.meta.url);

function isOutput(value: unknown): value is Output {
  if (typeof value !== "object" || value === null) return false;
  return "name" in value && "kinds" in value && "idle" in value && "check" in value && "rows" in value && typeof value.rows === "function";
}

/** The outputs by name, sorted. Throws when a folder holds no output, or one of another name: a packaging error. */
export async function loadOutputs(): Promise<Map<string, Output>> {
  const outputs = new Map<string, Output>();
  const entries = await readdir(folder, { withFileTypes: true });
  for (const name of entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()) {
    const stem = name.replaceAll("-", "_");
    const url = new URL(`${name}/${stem}${fromSources ? ".ts" : ".js"}`, folder);
    const module = (await import(url.href)) as { readonly output?: unknown }; // a module is an object; its export is checked below
    if (!isOutput(module.output)) throw new Error(`${url.pathname} has no \`export const output: Output\``);
    if (module.output.name !== stem) throw new Error(`${url.pathname} calls its output ${module.output.name}; it must be ${stem}, as the folder`);
    outputs.set(stem, module.output);
  }
  return outputs;
}
