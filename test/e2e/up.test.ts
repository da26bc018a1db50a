// Plan: `limpet up` as it is built in dist/, with real processes behind it: a short run closes its ledger, also through restarts, Ctrl-C
// ends one with its ledger too, a process that dies is named, and what is used wrongly is refused with a cure before anything starts.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { createReceiver } from "#limpet/http/remoteWriteReceiver.js";

const limpet = fileURLToPath(new URL("../../dist/bin/limpet.js", import.meta.url));

const up = (args: readonly string[]) => execa(process.execPath, [limpet, "up", ...args], { reject: false, stdin: "ignore" });

/** The last line of stdout as the counts it holds. */
function ledgerOf(stdout: string): Record<string, number> {
  const ledger: unknown = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  // What is read below is compared with numbers; a wrong shape fails there.
  return ledger as Record<string, number>;
}

async function childrenOf(pid: number | undefined): Promise<{ readonly pid: number; readonly command: string }[]> {
  const { stdout } = await execa("ps", ["-o", "pid=,args=", "--ppid", String(pid)], { reject: false });
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => ({ pid: Number.parseInt(line, 10), command: line }));
}

describe("up", () => {
  test("up: one aggregator, 12 s of load -> the ledger closes, windows were stored, nothing was lost", async () => {
    const { exitCode, stdout, stderr } = await up(["--aggregators", "1", "--duration", "12s", "--rate", "10000", "--json"]);
    expect(stderr).not.toContain("E! ");
    const ledger = ledgerOf(stdout);
    expect(ledger).toMatchObject({ closes: true, lines_invalid: 0, pairs_dropped: {}, pairs_rejected: 0, rows_conflict: 0, aggregators_started: 1 });
    expect(ledger["lines_sent"]).toBeGreaterThan(60_000);
    expect(ledger["rows_stored"]).toBeGreaterThan(300);
    expect(ledger["rows_stored"]).toBe(ledger["rows_sent"]);
    expect(ledger["samples_received"]).toBeGreaterThan(ledger["lines_sent"] ?? Infinity);
    expect(exitCode).toBe(0);
  });

  test("up: three aggregators through a rolling restart -> closes, every matched sample is a pair, and in the receiver's counts", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "limpet-up-"));
    const rules = path.join(folder, "rules.yaml");
    // Every sample becomes one pair, so what routers matched must be what owners applied, and what the windows count.
    await writeFile(rules, "- { interval: 2s, grace: 30s, by: [service], outputs: [count_samples] }\n");
    let counted = 0;
    const receiver = createReceiver({
      onSeries: (series) => {
        for (const { samples } of series) for (const { value } of samples) if (!Number.isNaN(value)) counted += value;
      },
    });
    const server = createServer(receiver.handler).listen(0, "127.0.0.1");
    await once(server, "listening");
    // A server that listens on TCP has an AddressInfo.
    const { port } = server.address() as AddressInfo;
    const sink = `http://127.0.0.1:${String(port)}/api/v1/write`;
    const args = ["--aggregators", "3", "--chaos", "rolling-restart", "--duration", "15s", "--rate", "2000", "--rules", rules, "--sink", sink];
    const { exitCode, stdout, stderr } = await up([...args, "--json"]);
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true });
    expect(stderr).not.toContain("E! ");
    const ledger = ledgerOf(stdout);
    expect(ledger).toMatchObject({ closes: true, lines_invalid: 0, pairs_dropped: {}, pairs_ignored: {}, rows_conflict: 0 });
    expect(ledger["aggregators_started"]).toBeGreaterThan(3);
    expect(ledger["moves"]).toBeGreaterThan(0);
    expect(ledger["pause_ms_p99"]).toBeGreaterThan(0);
    expect(ledger["lines_sent"]).toBeGreaterThan(15_000);
    expect([ledger["pairs_applied"], counted, receiver.stats.rowsStored]).toEqual([
      ledger["samples_matched"],
      ledger["samples_matched"],
      ledger["rows_sent"],
    ]);
    expect(exitCode).toBe(0);
  }, 120_000);

  test("up: an aggregator of the cluster is killed -> said with its name, nobody is left, exit 1", async () => {
    const run = up(["--rate", "1000"]);
    await once(run.stdout, "data");
    const victim = (await childrenOf(run.pid)).find(({ command }) => command.includes(" aggregate "));
    process.kill(victim?.pid ?? 0, "SIGKILL");
    const { exitCode, stderr } = await run;
    expect(stderr).toMatch(/limpet up: aggregator \d ended by SIGKILL/);
    expect(await childrenOf(run.pid)).toEqual([]);
    expect(exitCode).toBe(1);
  }, 60_000);

  test("up: Ctrl-C -> ends with the ledger, exit 0", async () => {
    const run = up(["--rate", "2000", "--aggregators", "2"]);
    await once(run.stdout, "data");
    run.kill("SIGINT");
    const { exitCode, stdout } = await run;
    expect(stdout).toContain("It closes");
    expect(exitCode).toBe(0);
  }, 60_000);

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
    ["no aggregators", ["--aggregators", "0"], "from 1 to 32"],
    ["killing", ["--chaos", "kill"], "use rolling-restart or scale"],
    ["chaos of another kind", ["--chaos", "monkey"], "Use none, rolling-restart, scale"],
    ["chaos for one alone", ["--aggregators", "1", "--chaos", "scale"], "use --aggregators 2 or more"],
    ["no such rule file", ["--rules", "nowhere.yaml"], "nowhere.yaml"],
    ["a rate that is no number", ["--rate", "fast"], "such as 20000"],
    ["a duration without a unit", ["--duration", "10"], "use 10s for seconds"],
    ["a port out of range", ["--port-base", "70000"], "from 1 to 65000"],
    ["an unknown option", ["--durations", "10s"], "--duration"],
  ])("up: %s -> refused with a cure, exit 2", async (_what, args, words) => {
    const { exitCode, stderr } = await up(args);
    expect(stderr).toContain(words);
    expect(exitCode).toBe(2);
  });
});
