// Links dist/kernel into one function scope. V8 reads an exported constant through a cell, with checks, at every use, and calls an
// exported function the same way; within one scope both are constants. Measured on the R1 workload: 645 -> 450 ns per line
// (docs/benchmarks.md). The sources stay modules, tests run them as modules, and this changes no behaviour.
//
//   dist/kernel/X.js  (tsc) ──▶ dist/kernel/modules/X.js ──esbuild──▶ dist/kernel/linked.js ──▶ dist/kernel/X.js re-exports
//
// Runs after every build; a file that tsc did not write anew is already linked, and its module is kept.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const kernel = new URL("../dist/kernel/", import.meta.url);
const modules = new URL("modules/", kernel);
const MARK = "// linked by scripts/linkKernel.mjs";

mkdirSync(modules, { recursive: true });
const names = readdirSync(kernel)
  .filter((file) => file.endsWith(".js") && file !== "linked.js")
  .map((file) => file.slice(0, -3));

for (const name of names) {
  const text = readFileSync(new URL(`${name}.js`, kernel), "utf8");
  if (!text.startsWith(MARK)) writeFileSync(new URL(`${name}.js`, modules), text);
}

const entry = names.map((name) => `import * as ${name}_ from "./${name}.js"; export { ${name}_ as ${name} };`).join("\n");
const result = await build({
  stdin: { contents: entry, resolveDir: modules.pathname, sourcefile: "kernel.js" },
  bundle: true,
  write: false,
  format: "iife",
  globalName: "kernel",
  target: "es2022",
  minifySyntax: true,
  metafile: true,
});
const [output] = result.outputFiles;
writeFileSync(new URL("linked.js", kernel), `${MARK}\n${output.text}export { kernel };\n`);

for (const name of names) {
  const source = readFileSync(new URL(`${name}.js`, modules), "utf8");
  const exported = [...source.matchAll(/^export (?:async )?(?:function|const|class) (\w+)/gm)].map((match) => match[1]);
  const lines = exported.map((symbol) => `export const ${symbol} = kernel.${name}.${symbol};`);
  writeFileSync(new URL(`${name}.js`, kernel), [MARK, `import { kernel } from "./linked.js";`, ...lines, ""].join("\n"));
}
