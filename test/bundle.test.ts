// Plan: the bundle as a host without npm has it: alone in a folder, run by plain node from `/` with no environment. What is looked up by
// name at run time (commands, outputs, sinks, the version) must be inside.
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadSinks } from "#limpet/sink/openSink.js";
import { fileRows } from "./e2e/sinkServer.js";

let folder = "";
const path = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "limpet-bundle-"));
  const built = spawnSync(process.execPath, ["scripts/bundle.mjs", path("limpet.mjs")], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(built.stderr);
}, 60_000);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function run(args: readonly string[], input = ""): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [path("limpet.mjs"), ...args], { cwd: "/", env: {}, input, encoding: "utf8" });
}

describe("bundle", () => {
  test("bundle: --version, --help -> this package's version, every command", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string };
    expect(run(["--version"]).stdout).toBe(`${version}\n`);
    for (const command of ["aggregate", "replay", "check", "test", "explain", "parse", "up"])
      expect(run([]).stderr + run(["--help"]).stdout).toContain(command);
  });

  test("bundle: a rule with every output -> all plugins are inside", () => {
    const names = readdirSync("plugins/aggregators").map((name) => (name === "quantiles" ? '"quantiles(0.5)"' : name));
    writeFileSync(path("all.yaml"), `- {match: m, interval: 1m, outputs: [${names.join(", ")}]}\n`);
    const { status, stdout } = run(["check", path("all.yaml")]);
    expect([status, stdout]).toEqual([0, expect.stringContaining("ok")]);
  });

  test("bundle: every kind of sink -> known", async () => {
    const said = run(["aggregate", "--rules", path("all.yaml"), "--sink", "nowhere:"], "x a=1\n").stderr;
    const forms = [...(await loadSinks()).values()].map(({ form }) => form);
    expect(forms.length).toBeGreaterThanOrEqual(readdirSync("plugins/sinks").length);
    for (const form of forms) expect(said).toContain(form);
  });

  test("bundle: aggregate as a processor and to a file -> lines pass, rows are right, nothing else is said", () => {
    writeFileSync(path("rules.yaml"), "- {match: req_ms, interval: 1s, by: [region], outputs: [sum_samples, total]}\n");
    const now = `${String(Date.now())}000000`;
    const input = `cpu,host=a usage=1.5 ${now}\nreq,region=r,host=b ms=4 ${now}\n`;
    const processor = run(
      ["aggregate", "--mode", "processor", "--rules", path("rules.yaml"), "--listen", "127.0.0.1:0", "--sink", `file:${path("rows")}`],
      input,
    );
    expect(processor.status).toBe(0);
    expect(processor.stdout).toMatch(new RegExp(`^cpu,host=a usage=1.5 ${now}\nreq_ms:1s_by_region_sum_samples,region=r value=4 \\d{19}\n`));
    for (const line of processor.stderr.trimEnd().split("\n")) expect(line).toMatch(/^[IW]! ./);
    expect(fileRows(readFileSync(path("rows"), "utf8"))).toHaveLength(2);
  });
});

describe("systemd unit", () => {
  const unit = readFileSync("configs/systemd/limpet.service", "utf8");
  const words = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.split(" ") ?? [];

  test("ExecStart -> the bundle's path and options that exist, its configuration the example's", () => {
    expect(words.slice(0, 4)).toEqual(["/usr/bin/env", "node", "/opt/limpet/limpet.mjs", "aggregate"]);
    const help = run(["aggregate", "--help"]).stdout;
    for (const word of words.filter((one) => one.startsWith("--"))) expect(help).toContain(word);
    expect(words.at(-1)).toBe("/etc/limpet/limpet.yaml");
    expect(unit).toMatch(/^StateDirectory=limpet$/m);
    expect(readFileSync("configs/limpet.yaml", "utf8")).toContain("data: /var/lib/limpet\n");
    // A stop takes less than 4 s; SIGTERM is systemd's default.
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(4);
    expect(unit).toMatch(/^ExecReload=\S+ -HUP \$MAINPID$/m);
  });

  test.each(readdirSync("configs/systemd"))("systemd-analyze verify of %s, where there is one -> nothing to say", (file) => {
    copyFileSync(join("configs/systemd", file), path(file));
    const verify = spawnSync("systemd-analyze", ["verify", path(file)], { encoding: "utf8" });
    // Not installed: the units are at least parsed above and in clusterConfigs.test.ts.
    if (verify.error !== undefined) return;
    const about = verify.stderr.split("\n").filter((line) => line.includes(file));
    expect(about).toEqual([]);
  });
});
