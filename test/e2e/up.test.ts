// Plan: `limpet up` as it is built in dist/, with the real aggregator behind it: a short run closes its ledger, Ctrl-C ends
// one with its ledger too, and what is used wrongly is refused with a cure before anything starts.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";

const limpet = fileURLToPath(new URL("../../dist/bin/limpet.js", import.meta.url));

const up = (args: readonly string[]) => execa(process.execPath, [limpet, "up", ...args], { reject: false, stdin: "ignore" });

/** The last line of stdout as the counts it holds. */
function ledgerOf(stdout: string): Record<string, number> {
  const ledger: unknown = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  // What is read below is compared with numbers; a wrong shape fails there.
  return ledger as Record<string, number>;
}

describe("up", () => {
  test("up: 12 s of load -> the ledger closes, windows were stored, nothing was lost", async () => {
    const { exitCode, stdout, stderr } = await up(["--duration", "12s", "--rate", "10000", "--json"]);
    expect(stderr).not.toContain("E! ");
    const ledger = ledgerOf(stdout);
    expect(ledger).toMatchObject({ closes: true, lines_invalid: 0, pairs_dropped: {}, pairs_rejected: 0, rows_conflict: 0, aggregators_started: 1 });
    expect(ledger["lines_sent"]).toBeGreaterThan(60_000);
    expect(ledger["rows_stored"]).toBeGreaterThan(300);
    expect(ledger["rows_stored"]).toBe(ledger["rows_sent"]);
    expect(ledger["samples_received"]).toBeGreaterThan(ledger["lines_sent"] ?? Infinity);
    expect(exitCode).toBe(0);
  });

  test("up: Ctrl-C -> ends with the ledger, exit 0", async () => {
    const run = up(["--rate", "2000"]);
    await once(run.stdout, "data");
    run.kill("SIGINT");
    const { exitCode, stdout } = await run;
    expect(stdout).toContain("It closes");
    expect(exitCode).toBe(0);
  });

  test("up: an error in the rules -> its place and cure, exit 2", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "limpet-up-"));
    const file = path.join(folder, "bad.yaml");
    await writeFile(file, "- intervall: 5s\n");
    const { exitCode, stdout, stderr } = await up(["--rules", file, "--json"]);
    await rm(folder, { recursive: true });
    expect(stderr).toContain("bad.yaml:1:3");
    expect(stderr).toContain("interval");
    expect(stdout).toBe("");
    expect(exitCode).toBe(2);
  });

  test.each([
    ["more than one aggregator", ["--aggregators", "3"], "use 1"],
    ["chaos", ["--chaos", "kill"], "use none"],
    ["no such rule file", ["--rules", "nowhere.yaml"], "nowhere.yaml"],
    ["a rate that is no number", ["--rate", "fast"], "such as 20000"],
    ["a duration without a unit", ["--duration", "10"], "use 10s for seconds"],
    ["a port out of range", ["--port-base", "70000"], "from 1 to 65534"],
    ["an unknown option", ["--durations", "10s"], "--duration"],
  ])("up: %s -> refused with a cure, exit 2", async (_what, args, words) => {
    const { exitCode, stderr } = await up(args);
    expect(stderr).toContain(words);
    expect(exitCode).toBe(2);
  });
});
