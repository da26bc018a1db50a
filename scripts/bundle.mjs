// Limpet as one file, for hosts that have Node and nothing else: build/limpet.mjs, or the path given. Run `npm run build` before.
//
//   dist/**  (linked kernel) ─┐
//   dist/plugins/**  all      ├─esbuild──▶ limpet.mjs, licences of the packages at its end
//   node_modules              ┘
//
// Two files are replaced: the one that looks for plugin folders, and the one that reads package.json.
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("../", import.meta.url);
const outfile = process.argv[2] ?? fileURLToPath(new URL("build/limpet.mjs", root));

/** A module with every plugin of a kind, as src/store/pluginFolders.ts would find them. */
function pluginFolders() {
  const kinds = { aggregators: (name) => name.replaceAll("-", "_"), sinks: () => "sink" };
  const cases = Object.entries(kinds).map(([kind, entry]) => {
    const names = readdirSync(new URL(`dist/plugins/${kind}/`, root)).sort();
    const entries = names.map((name) => `["${name}", await import("./dist/plugins/${kind}/${name}/${entry(name)}.js")]`);
    return `  if (kind === "${kind}") return new Map([${entries.join(", ")}]);`;
  });
  return `export async function loadPlugins(kind) {\n${cases.join("\n")}\n}\n`;
}

const version = JSON.parse(readFileSync(new URL("package.json", root), "utf8")).version;
const replaced = new Map([
  ["store/pluginFolders.js", pluginFolders()],
  ["bin/version.js", `export const version = ${JSON.stringify(version)};\n`],
]);
const missing = new Set(replaced.keys());

await build({
  entryPoints: [fileURLToPath(new URL("dist/bin/limpet.js", root))],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "eof",
  // Packages in CommonJS ask for Node's own modules by require().
  banner: { js: 'import { createRequire as createRequire_ } from "node:module"; const require = createRequire_(import.meta.url);' },
  plugins: [
    {
      name: "replace",
      setup: ({ onLoad }) => {
        onLoad({ filter: /dist[/\\](store[/\\]pluginFolders|bin[/\\]version)\.js$/ }, ({ path }) => {
          const name = path.replaceAll("\\", "/").split("/dist/").at(-1);
          missing.delete(name);
          return { contents: replaced.get(name), loader: "js", resolveDir: fileURLToPath(root) };
        });
      },
    },
  ],
});
if (missing.size > 0) throw new Error(`${[...missing].join(", ")}: no such file in dist; it has moved, tell scripts/bundle.mjs`);
chmodSync(outfile, 0o755);
