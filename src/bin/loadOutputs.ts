// The output plugins: a folder `sum_samples` of plugins/aggregators holds `sum_samples.js` with `export const output: Output`.
import type { Output } from "../aggregate/output.js";
import { loadPlugins } from "../store/pluginFolders.js";

const entryOf = (folder: string): string => folder.replaceAll("-", "_");

function isOutput(value: unknown): value is Output {
  if (typeof value !== "object" || value === null) return false;
  return "name" in value && "kinds" in value && "idle" in value && "check" in value && "rows" in value && typeof value.rows === "function";
}

/** The outputs by name, sorted. Throws when a folder holds no output, or one of another name: a packaging error. */
export async function loadOutputs(): Promise<Map<string, Output>> {
  const outputs = new Map<string, Output>();
  for (const [folder, module] of await loadPlugins("aggregators", entryOf)) {
    const name = entryOf(folder);
    const output = "output" in module ? module.output : undefined;
    if (!isOutput(output)) throw new Error(`plugins/aggregators/${folder} has no \`export const output: Output\``);
    if (output.name !== name) throw new Error(`plugins/aggregators/${folder} calls its output ${output.name}; it must be ${name}, as the folder`);
    outputs.set(name, output);
  }
  return outputs;
}
