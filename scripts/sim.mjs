// Runs the simulator outside jest: bundled from the sources, so that it is never older than they are.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "limpet-sim-"));
const outfile = join(folder, "sim.mjs");
const sources = {
  name: "sources",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^#limpet\// }, ({ path }) => {
      const source = path.slice("#limpet/".length).replace(/\.js$/, ".ts");
      return { path: source.startsWith("plugins/") ? join(root, source) : join(root, "src", source) };
    });
  },
};
await build({
  entryPoints: [join(root, "test/sim/main.ts")],
  bundle: true,
  platform: "node",
  format: "esm",
  sourcemap: "inline",
  outfile,
  plugins: [sources],
  logLevel: "error",
});
const { status } = spawnSync(process.execPath, ["--enable-source-maps", outfile, ...process.argv.slice(2)], { stdio: "inherit" });
rmSync(folder, { recursive: true, force: true });
process.exitCode = status ?? 1;
