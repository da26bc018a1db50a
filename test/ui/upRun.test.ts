// Plan: a whole run with a stand-in for the aggregator that can misbehave in each way; every way ends with the right exit
// code and words, no process left behind and the cursor back. test/e2e/up.test.ts runs the real one.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { UpError } from "#limpet/ui/upError.js";
import { runUp, type UpOptions } from "#limpet/ui/upRun.js";

const fake = fileURLToPath(new URL("fakeAggregator.mjs", import.meta.url));

interface Ran {
  readonly exitCode: number;
  readonly message: string;
  readonly out: string;
  readonly err: string;
}

async function run(mode: string, changed: Partial<UpOptions> = {}, isTTY = false): Promise<Ran> {
  const text = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    isTTY,
    columns: 80,
    rows: 24,
    write: (more: string) => {
      text[name] += more;
    },
    on: () => undefined,
    off: () => undefined,
  });
  const options: UpOptions = {
    rulesFile: "rules.yaml",
    linesPerSecond: 5_000,
    durationMs: 1_600,
    sink: undefined,
    portBase: undefined,
    json: false,
    stopDeadlineMs: 5_000,
    command: [process.execPath, fake, mode],
    streams: { out: stream("out"), err: stream("err"), color: false },
    ...changed,
  };
  try {
    return { exitCode: await runUp(options), message: "", ...text };
  } catch (error) {
    if (!(error instanceof UpError)) throw error;
    return { exitCode: error.exitCode, message: error.message, ...text };
  }
}

/** The stand-in's own words: `W! pid N`. */
function pidIn(text: string): number {
  return Number(/pid (\d+)/.exec(text)?.[1]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("up run", () => {
  test("up run: a good aggregator, not a terminal -> plain lines, the ledger, exit 0", async () => {
    const { exitCode, out, err } = await run("good");
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^0:0\d {2}[\d,]+ lines\/s {2}29,871 series in/);
    expect(out).toContain("It closes");
    expect(out).not.toContain("\u001b[");
    expect(isAlive(pidIn(err))).toBe(false);
  });

  test("up run: --json -> stdout is the ledger alone", async () => {
    const { exitCode, out } = await run("good", { json: true });
    expect(exitCode).toBe(0);
    expect(out.trimEnd().split("\n").length).toBe(1);
    const ledger = JSON.parse(out) as Record<string, number | boolean>; // an object by the line before
    expect(ledger["closes"]).toBe(true);
    expect(ledger["lines_sent"]).toBeGreaterThan(4_000);
    expect(ledger["rows_stored"]).toBeGreaterThan(0);
  });

  test("up run: a terminal -> a screen that is taken away again, then the ledger", async () => {
    const { exitCode, out } = await run("good", {}, true);
    expect(exitCode).toBe(0);
    expect(out.startsWith("\u001b[?25l")).toBe(true);
    expect(out).toContain("29,871 series in");
    const end = out.indexOf("\u001b[?25h");
    expect(end).toBeGreaterThan(0);
    expect(out.slice(end)).toContain("It closes");
    expect(out.slice(end)).not.toContain("?25l");
  });

  test("up run: an aggregator that loses a line -> the ledger does not close, exit 1", async () => {
    const { exitCode, out } = await run("lossy");
    expect(exitCode).toBe(1);
    expect(out).toContain("✗ lines sent");
    expect(out).toContain("does not close");
  });

  test("up run: the aggregator crashes -> says so in its words, exit 1, the cursor is back", async () => {
    const { exitCode, message, out } = await run("crash", { durationMs: undefined }, true);
    expect(exitCode).toBe(1);
    expect(message).toContain("exit code 3");
    expect(message).toContain("assertion failed: fake");
    expect(out.endsWith("\u001b[?25h")).toBe(true);
  });

  test("up run: an error in the rules -> the aggregator's message, exit 2", async () => {
    const { exitCode, message } = await run("config", { durationMs: undefined });
    expect(exitCode).toBe(2);
    expect(message).toContain("rules.yaml:3:1: unknown key intervall; use interval");
  });

  test("up run: the aggregator never ends -> killed after the deadline and gone, exit 1", async () => {
    const { exitCode, message, out } = await run("hang", { stopDeadlineMs: 300 }, true);
    expect(exitCode).toBe(1);
    expect(message).toContain("did not stop within 0.3 s");
    const pid = pidIn(out);
    expect(pid).toBeGreaterThan(0);
    expect(isAlive(pid)).toBe(false);
  });

  test("up run: no ledger at the end -> exit 1", async () => {
    const { exitCode, message } = await run("mute");
    expect(exitCode).toBe(1);
    expect(message).toContain("without printing its ledger");
  });

  test("up run: the port is taken -> names it and the cure, exit 1", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    // A server that listens on TCP has an AddressInfo.
    const { port } = server.address() as AddressInfo;
    const { exitCode, message } = await run("good", { portBase: port }).finally(() => server.close());
    expect(exitCode).toBe(1);
    expect(message).toMatch(/^port \d+ on 127\.0\.0\.1 is taken; choose another --port-base$/);
  });
});
