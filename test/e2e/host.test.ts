// The process as Telegraf's runner, a shell, systemd and a container drive it: what fd 0 is, chunked writes, signals, lost readers,
// two at once, a bare environment, and what it says when it is used wrongly. test/e2e/host.ts is the runner.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Host, stopHosts, until } from "./host.js";
import { fileRows, type SinkServer, startSinkServer } from "./sinkServer.js";

let folder = "";
let rules = "";
const servers: SinkServer[] = [];
const LISTEN = ["--listen", "127.0.0.1:0"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "limpet-host-"));
  rules = join(folder, "rules.yaml");
  writeFileSync(rules, "- {name: a, match: req_ms, interval: 1s, grace: 1s, by: [region], outputs: [sum_samples]}\n");
});
afterEach(() => {
  stopHosts();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const path = (name: string): string => join(folder, name);
const aggregate = (...args: string[]): Host => new Host(["aggregate", "--rules", rules, ...LISTEN, ...args]);
const line = (timeMs: number, value = 1): string => `req,region=r ms=${String(value)} ${String(timeMs)}000000\n`;

async function sinkServer(state?: SinkServer["state"]): Promise<SinkServer> {
  const server = await startSinkServer(state);
  servers.push(server);
  return server;
}

/** Every line says one thing, with a level that Telegraf knows. */
function expectOneLine(stderr: string, words: string): void {
  expect(stderr).toMatch(/^[EW]! [^\n]+\n$/);
  expect(stderr).toContain(words);
}

describe("standard input", () => {
  test("aggregate: a regular file -> read to its end, exit 0", async () => {
    writeFileSync(path("lines"), line(Date.now()).repeat(1000));
    const fd = openSync(path("lines"), "r");
    const host = new Host(["aggregate", "--rules", rules, ...LISTEN, "--sink", `file:${path("from-file")}`], { stdin: fd });
    closeSync(fd);
    expect((await host.ended()).code).toBe(0);
    expect(host.farewell()).toEqual({ read: 1000, applied: 1000, dropped: 0, unsent: 0 });
    expect(fileRows(readFileSync(path("from-file"), "utf8")).map((row) => row.split(" ")[1])).toEqual(["1000"]);
  });

  test("aggregate: /dev/null -> serves, nothing on stdout, SIGINT ends it", async () => {
    const host = new Host(["aggregate", "--rules", rules, ...LISTEN, "--sink", `file:${path("null")}`], { stdin: "ignore" });
    await host.saying("1 rule, ");
    expect((await host.page("/readyz")).status).toBe(200);
    host.child.kill("SIGINT");
    expect([(await host.ended()).code, host.stdout]).toEqual([0, ""]);
  });

  test("aggregate: lines cut at every byte, among bad ones -> all counted, the process goes on", async () => {
    const host = await aggregate("--sink", `file:${path("chunks")}`).ready();
    const text = Buffer.from(`${line(Date.now())}nonsense\n\n# comment\nreq,region=é ms=2 ${String(Date.now())}000000\r\n`);
    for (const byte of text) host.child.stdin?.write(Buffer.of(byte));
    await until(
      async () => (await host.metric("limpet_samples_received_total")) === 2,
      () => host.stderr,
    );
    expectOneLine(host.stderr, "line 2, column");
    expect(await host.metric("limpet_lines_invalid_total")).toBe(1);
    expect((await host.stop()).code).toBe(0);
    expect(host.farewell()).toMatchObject({ read: 3, applied: 2 });
  });

  test("aggregate: SIGTERM with lines still in the pipe -> they are taken", async () => {
    const host = await aggregate("--sink", `file:${path("pipe")}`, "--data", path("pipe.data")).ready();
    // Asleep it cannot read before the signal; 1500 lines are less than the 64 KiB of a pipe.
    host.child.kill("SIGSTOP");
    await host.write(line(Date.now()).repeat(1500));
    host.child.kill("SIGTERM");
    host.child.kill("SIGCONT");
    host.child.kill("SIGTERM");
    expect((await host.ended()).code).toBe(0);
    expect(host.farewell().read).toBe(1500);
  });
});

describe("living with a host", () => {
  test("aggregate: SIGINT, SIGHUP, SIGUSR1, SIGUSR2 -> goes on, opens no debugger; EOF ends it", async () => {
    const host = await aggregate("--sink", `file:${path("signals")}`).ready();
    for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) host.child.kill(signal);
    await host.saying("reload: the rule files have not changed");
    await host.write(line(Date.now()));
    await until(
      async () => (await host.metric("limpet_samples_received_total")) === 1,
      () => host.stderr,
    );
    expect((await host.stop()).code).toBe(0);
    // The one window that was open at the end, and nothing of the signals.
    expectOneLine(host.stderr, "stopped without --data");
    expect(host.stderr).not.toContain("Debugger");
  });

  test("aggregate: nobody reads stdout and stderr any more -> goes on to EOF, rows arrive", async () => {
    const receiver = await sinkServer();
    const host = await aggregate("--sink", receiver.url).ready();
    host.child.stdout?.destroy();
    host.child.stderr?.destroy();
    await host.write(`bad\n${line(Date.now())}`);
    host.child.stdin?.end();
    expect((await host.ended()).code).toBe(0);
    expect(receiver.rows).toHaveLength(1);
  });

  test("aggregate: port taken, cwd /, empty environment -> with the default port it goes on, with a given one it ends with 2", async () => {
    const first = await aggregate("--sink", `file:${path("first")}`).ready();
    const taken = /listening on http:\/\/(\S+)/.exec(first.stdout)?.[1] ?? "";
    const second = new Host(["aggregate", "-rules", rules, "--listen", taken, "--sink", `file:${path("second")}`], { cwd: "/", env: {} });
    expect([(await second.ended()).code, second.stdout]).toEqual([2, ""]);
    expectOneLine(second.stderr, taken);
    const [third, fourth] = [0, 1].map(() => new Host(["aggregate", "-rules", rules, "--sink", `file:${path("third")}`], { cwd: "/", env: {} }));
    await Promise.all([third?.ready(), fourth?.ready()]);
    const outputs = [third?.stdout, fourth?.stdout].filter((text) => text?.includes("going on without /metrics"));
    expect(outputs.length).toBeGreaterThan(0);
    expect([third?.stderr, fourth?.stderr]).toEqual(["", ""]);
    await Promise.all([third?.stop(), fourth?.stop()]);
  });

  test("aggregate: rows on stdout -> nothing else is there", async () => {
    const host = await aggregate("--sink", "stdout:").ready();
    await host.write(line(Date.now()));
    await host.stop();
    expect(fileRows(host.stdout)).toHaveLength(1);
    expect(host.stderr).toContain("I! stopped: read 1 lines");
  });
});

describe("sinks and memory", () => {
  test("aggregate: sink down with a small queue -> input is read, drops are counted, not ready; after recovery rows are in order", async () => {
    const receiver = await sinkServer("refusing");
    const host = await aggregate("--sink", receiver.url, "--sink-queue-max", "3KiB").ready();
    const startMs = Date.now();
    const closed = (): Promise<number> => host.metric("limpet_sink_rows_total", 'outcome="dropped"');
    await until(
      async () => {
        await host.write(Array.from({ length: 20 }, (_, i) => `req,region=r${String(i)} ms=1 ${String(Date.now())}000000\n`).join(""));
        return (await closed()) > 0;
      },
      () => host.stderr,
      12_000,
    );
    expect((await host.page("/readyz")).status).toBe(503);
    expect((await host.page("/healthz")).status).toBe(200);
    receiver.state = "up";
    await until(
      () => receiver.rows.length > 0,
      () => host.stderr,
    );
    await host.stop();
    expect(receiver.stats.outOfOrder + receiver.stats.conflicts).toBe(0);
    expect(host.farewell()).toMatchObject({ dropped: 0, unsent: 0 });
    expect(Date.now() - startMs).toBeLessThan(20_000);
  }, 30_000);

  test("aggregate: memory cap reached -> survives, every pair applied or dropped, as /metrics says while it runs", async () => {
    const host = await aggregate("--sink", `file:${path("memory")}`, "--memory-max", "6MiB").ready();
    for (let from = 0; from < 30_000; from += 1000)
      await host.write(Array.from({ length: 1000 }, (_, i) => `req,region=r${String(from + i)} ms=1 ${String(Date.now())}000000\n`).join(""));
    await until(
      async () => (await host.metric("limpet_samples_received_total")) === 30_000,
      () => host.stderr,
    );
    const [received, matched, ignored, pairs, applied, dropped] = await Promise.all([
      host.metric("limpet_samples_received_total"),
      host.metric("limpet_samples_matched_total"),
      host.metric("limpet_samples_ignored_total"),
      host.metric("limpet_rule_pairs_matched_total"),
      host.metric("limpet_rule_pairs_applied_total"),
      host.metric("limpet_rule_pairs_dropped_total"),
    ]);
    expect([matched + ignored, applied + dropped, ignored + dropped > 0, applied > 0]).toEqual([received, pairs, true, true]);
    expect((await host.stop()).code).toBe(0);
    expect(host.farewell()).toMatchObject({ read: 30_000, applied, dropped, unsent: 0 });
  });
});

describe("wrong use", () => {
  const sink = ["--sink", "file:/dev/null"];
  test.each<[string, string[], string]>([
    ["unknown command", ["agregate"], "did you mean aggregate?"],
    ["unknown option", ["aggregate", "--rulez", "x"], "did you mean --rules?"],
    ["single letter", ["aggregate", "-r", "x"], "use --rules or --retention-max\n"],
    ["no rules", ["aggregate", ...sink], "--rules FILE is missing"],
    ["no such rule file", ["aggregate", "--rules", "/nowhere.yaml", ...sink], "/nowhere.yaml: no such file"],
    ["bad sink", ["aggregate", "--rules", "RULES", "--sink", "kafka://x"], 'unknown kind "kafka:"'],
    ["sink without a path", ["aggregate", "--rules", "RULES", "--sink", "http://h:9090"], "/api/v1/write"],
    ["sink twice", ["aggregate", "--rules", "RULES", ...sink, ...sink], "given twice"],
    ["bad size", ["aggregate", "--rules", "RULES", ...sink, "--memory-max", "3Q"], "is invalid: not a size; use e.g. 512MiB"],
    ["no memory at all", ["aggregate", "--rules", "RULES", ...sink, "--memory-max", "1KiB"], "raise --memory-max"],
    ["bad duration", ["aggregate", "--rules", "RULES", ...sink, "--max-future", "5"], "use 5s for seconds"],
    ["bad port", ["aggregate", "--rules", "RULES", ...sink, "--listen", "1:2:3"], "HOST:PORT is wanted"],
    ["no input", ["aggregate", "--rules", "RULES", ...sink, "--mode", "output"], "pipe Telegraf into it"],
    ["no config", ["aggregate", "--rules", "RULES", ...sink, "--config", "/nowhere.yaml"], "/nowhere.yaml"],
  ])("limpet: %s -> exit 2, one line with the cure", async (_what, args, words) => {
    const host = new Host(
      args.map((arg) => (arg === "RULES" ? rules : arg)),
      { stdin: "ignore" },
    );
    expect([(await host.ended()).code, host.stdout]).toEqual([2, ""]);
    expectOneLine(host.stderr, words);
  });

  test("limpet: flag, environment, limpet.yaml -> taken in that order", async () => {
    const config = path("limpet.yaml");
    writeFileSync(config, `aggregate:\n  rules: "%{RULES}"\n  sink: file:${path("c")}\n  memory_max: 1KiB\n`);
    const start = (args: string[], env: Record<string, string>): Host =>
      new Host(["aggregate", "-config", config, ...args], { stdin: "ignore", env: { RULES: rules, ...env } });
    const first = start([], { LIMPET_MAX_FUTURE: "1m" });
    const second = start(["--max-future", "1m"], { LIMPET_MAX_FUTURE: "2m", LIMPET_MEMORY_MAX: "2KiB" });
    await Promise.all([first.ended(), second.ended()]);
    expectOneLine(first.stderr, "1024 bytes");
    expectOneLine(second.stderr, "2048 bytes");
  });
});
