// Runs the simulator outside jest. Its own files are bundled; those of the product are what the build made, as in life (`npm run sim`
// builds first): output plugins are loaded from there, and two kernels in one process would have two memories.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "limpet-sim-"));
const outfile = join(folder, "sim.mjs");
const product = {
  name: "product",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^#limpet\// }, ({ path }) => ({ path: join(root, "dist", path.slice("#limpet/".length)), external: true }));
  },
};
await build({
  entryPoints: [join(root, "test/sim/main.ts")],
  bundle: true,
  platform: "node",
  format: "esm",
  sourcemap: "inline",
  outfile,
  plugins: [product],
  logLevel: "error",
});
const { status } = spawnSync(process.execPath, ["--enable-source-maps", outfile, ...process.argv.slice(2)], { stdio: "inherit" });
rmSync(folder, { recursive: true, force: true });
process.exitCode = status ?? 1;
