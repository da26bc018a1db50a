// Plan: Telegraf runs the built command in each of its modes (execdRunner.ts is its side): in `/`, without an environment, through
// signals, stops, reloads, kills, stalls and double starts. At a clean stop the host's books and ours are equal: every line it wrote came
// back as it was, or is in a row. After a kill, no more is missing than was open or in a pipe.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { ExecdRunner, forgetRunners } from "./execdRunner.js";
import { Host, stopHosts, until } from "./host.js";
import { fileRows } from "./sinkServer.js";

let folder = "";
let rules = "";
const LISTEN = ["--listen", "127.0.0.1:0"];
/** What a service of systemd without Environment= has. */
const BARE = { cwd: "/", env: {} };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "limpet-execd-"));
  rules = join(folder, "rules.yaml");
  writeFileSync(rules, "- {name: a, match: req_ms, interval: 1s, grace: 1s, by: [region], outputs: [sum_samples]}\n");
});
afterEach(() => {
  forgetRunners();
  stopHosts();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const path = (name: string): string => join(folder, name);
const args = (mode: string, ...more: string[]): string[] => ["aggregate", "--mode", mode, "--rules", rules, ...LISTEN, ...more];
const run = (mode: string, ...more: string[]): ExecdRunner => new ExecdRunner(args(mode, ...more), BARE);
const now = (): string => `${String(Date.now())}000000`;
const wanted = (value = 1): string => `req,host=h,region=r ms=${String(value)} ${now()}\n`;
const other = (i: number): string => `cpu,host=h usage=${String(i)}.5,n=${String(i)}i,text="a, b=\\"${String(i)}\\"",ok=true ${now()}\n`;

/** Sum of the values of the rows among metrics. */
function rowSum(metrics: readonly string[]): number {
  return metrics.reduce((sum, metric) => sum + Number(/^req_ms:1s_by_region_sum_samples,region=r value=(\S+) \d{19}$/.exec(metric)?.[1] ?? 0), 0);
}

function unchanged(metrics: readonly string[]): string {
  return metrics
    .filter((metric) => metric.startsWith("cpu"))
    .map((metric) => `${metric}\n`)
    .join("");
}

async function post(host: Host, body: string, url = "/api/v2/write"): Promise<number> {
  const answer = await fetch(host.url(url), { method: "POST", body });
  await answer.text();
  return answer.status;
}

describe("processor", () => {
  test.each(["EOF", "SIGTERM"] as const)(
    "processor: lines of both kinds, %s -> all of the others byte for byte and in order, the rest in rows",
    async (how) => {
      const telegraf = run("processor");
      await telegraf.host.ready();
      let sent = "";
      for (let i = 0; i < 500; i++) {
        const line = other(i);
        sent += line;
        await telegraf.write(line + wanted());
      }
      if (how === "SIGTERM") {
        await until(
          async () => (await telegraf.host.metric("limpet_samples_matched_total")) === 500,
          () => telegraf.host.stderr,
        );
        telegraf.host.child.kill("SIGTERM");
      }
      const ended = await telegraf.stop();
      expect([ended.code, ended.signal, ended.ms < 4000]).toEqual([0, null, true]);
      expect(unchanged(telegraf.metrics)).toBe(sent);
      expect(rowSum(telegraf.metrics)).toBe(500);
      expect([telegraf.parseErrors, telegraf.starts]).toEqual([[], 1]);
      expect(telegraf.host.farewell()).toEqual({ read: 1000, applied: 500, dropped: 0, unsent: 0 });
      expect(telegraf.host.stderr).toContain("passed 2000 samples\n");
      for (const line of telegraf.host.stderr.trimEnd().split("\n")) expect(line).toMatch(/^[WI]! ./);
    },
  );

  test("processor: Telegraf's signals -> none ends it; wrong and endless lines -> one short log line each, what follows passes", async () => {
    const telegraf = run("processor");
    await telegraf.host.ready();
    for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) telegraf.host.child.kill(signal);
    await telegraf.host.saying("reload: the rule files have not changed");
    const last = other(1);
    await telegraf.write(`${"x".repeat(200_000)}\n${"y".repeat(2_000_000)} a=1\n\n${last}`);
    expect((await telegraf.stop()).code).toBe(0);
    expect(unchanged(telegraf.metrics)).toBe(last);
    expect(telegraf.host.stderr).toContain("W! line 2, column 1: line longer than 1048576 bytes");
  });

  test("processor: nobody reads its output -> it stops reading, memory stays, nothing is lost when the reader is back", async () => {
    const telegraf = run("processor");
    await telegraf.host.ready();
    const { stdout } = telegraf.host.child;
    stdout?.pause();
    let sent = "";
    let written = 0;
    let stalled = false;
    const feed = (async () => {
      for (let i = 0; i < 60; i++) {
        const batch = other(i).repeat(1000);
        sent += batch;
        await telegraf.write(batch);
        written = i + 1;
      }
    })();
    for (let before = -1; !stalled; before = written) {
      await delay(500);
      stalled = written === before && written < 60;
      if (written === 60) break;
    }
    expect(stalled).toBe(true);
    // Of 5 MB, what waits is 1 MiB here and what pipes and our own reader hold.
    expect(await telegraf.host.metric("limpet_stdout_waiting_bytes")).toBeGreaterThan(1 << 20);
    expect(await telegraf.host.metric("limpet_stdout_waiting_bytes")).toBeLessThan(2 << 20);
    expect(await telegraf.host.metric("limpet_samples_received_total")).toBeLessThan(180_000);
    stdout?.resume();
    await feed;
    expect((await telegraf.stop()).code).toBe(0);
    expect(unchanged(telegraf.metrics)).toBe(sent);
  }, 60_000);

  test("processor: its output is never read again -> SIGTERM ends it in time, and it says how much is lost", async () => {
    const telegraf = run("processor");
    await telegraf.host.ready();
    telegraf.host.child.stdout?.pause();
    const batch = other(1).repeat(2000);
    void telegraf.write(batch.repeat(30));
    await until(
      async () => (await telegraf.host.metric("limpet_stdout_waiting_bytes")) > 1 << 20,
      () => telegraf.host.stderr,
    );
    const start = performance.now();
    telegraf.host.child.kill("SIGTERM");
    await telegraf.host.saying("that should have passed not taken from standard output: lost");
    telegraf.host.child.stdout?.resume();
    expect((await telegraf.stop()).code).toBe(0);
    expect(performance.now() - start).toBeLessThan(5000);
    const { read, unsent } = telegraf.host.farewell();
    expect(unsent).toBeGreaterThan(1000);
    // What is in the pipe and in our own reader still arrives, a line may be cut.
    expect(telegraf.metrics.length).toBeGreaterThanOrEqual(read - unsent);
  }, 20_000);

  test("processor: reader of stdout gone -> says so and ends, Telegraf starts it again", async () => {
    const telegraf = run("processor");
    const first = await telegraf.host.ready();
    first.child.stdout?.destroy();
    await telegraf.write(other(1));
    await first.saying("standard output is closed");
    expect((await first.ended()).code).toBe(1);
    await until(
      () => telegraf.starts === 2,
      () => first.stderr,
    );
    await telegraf.host.ready();
    await telegraf.write(other(2));
    await telegraf.stop();
    expect(unchanged(telegraf.metrics)).toContain("n=2i");
  });

  test("processor: killed again and again in mid-stream -> no more is missing than was open, in a pipe or refused", async () => {
    const telegraf = run("processor");
    await telegraf.host.ready();
    let sent = 0;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 200; i++) {
        await telegraf.write(other(i).repeat(50));
        sent += 50;
      }
      await telegraf.kill();
      await telegraf.host.ready();
    }
    await telegraf.stop();
    const back = telegraf.metrics.filter((metric) => metric.startsWith("cpu")).length;
    const pipes = (2 * 65_536 + 2 * (1 << 20)) / other(0).length;
    expect(back).toBeLessThanOrEqual(sent);
    expect(sent - telegraf.linesRefused - back).toBeLessThanOrEqual(3 * pipes);
    expect(back).toBeGreaterThan(0);
    expect(telegraf.starts).toBe(4);
  }, 30_000);

  test("processor: asleep for a while -> nothing is lost or out of order", async () => {
    const telegraf = run("processor");
    await telegraf.host.ready();
    telegraf.host.child.kill("SIGSTOP");
    const sent = Array.from({ length: 5000 }, (_, i) => other(i)).join("");
    const writing = telegraf.write(sent);
    telegraf.host.child.kill("SIGCONT");
    await writing;
    await telegraf.stop();
    expect(unchanged(telegraf.metrics)).toBe(sent);
  });

  test("processor: reloaded in mid-window with --data -> the window's row is one, and complete", async () => {
    writeFileSync(path("long.yaml"), "- {name: a, match: req_ms, interval: 3s, grace: 1s, by: [region], outputs: [sum_samples]}\n");
    const telegraf = new ExecdRunner(["aggregate", "--mode", "processor", "--rules", path("long.yaml"), ...LISTEN, "--data", path("reload")], BARE);
    await telegraf.host.ready();
    const at = `${String(Math.floor(Date.now() / 3000) * 3000 + 1)}000000`;
    await telegraf.write(`req,region=r ms=1 ${at}\n`);
    expect((await telegraf.reload()).code).toBe(0);
    await telegraf.host.ready();
    await telegraf.write(`req,region=r ms=2 ${at}\n`);
    await until(
      () => telegraf.metrics.length > 0,
      () => telegraf.host.stderr,
    );
    await telegraf.stop();
    expect(telegraf.metrics).toEqual([`req_ms:3s_by_region_sum_samples,region=r value=3 ${String(BigInt(at) + 2_999_000_000n)}`]);
  }, 30_000);

  test("processor: started twice with one --data and one port -> both work, the second says what it goes on without", async () => {
    const first = new ExecdRunner(args("processor", "--data", path("twice")), BARE);
    await first.host.ready();
    const listen = first.host.url().replace(/^http:\/\/|\/$/g, "");
    const second = new ExecdRunner(["aggregate", "--mode", "processor", "--rules", rules, "--listen", listen, "--data", path("twice")], BARE);
    await second.host.ready();
    expect(second.host.stderr).toContain("skip_processors_after_aggregators = true");
    expect(second.host.stderr).toContain("going on without /metrics");
    for (const telegraf of [first, second]) await telegraf.write(other(1));
    await Promise.all([first.stop(), second.stop()]);
    expect([first, second].map(({ metrics, starts }) => [metrics.length, starts])).toEqual([
      [1, 1],
      [1, 1],
    ]);
  }, 30_000);
});

describe("input", () => {
  test("input: posted by every door, ticks on stdin -> rows and what passes on stdout, EOF ends it", async () => {
    const telegraf = run("input");
    await telegraf.host.ready();
    const line = other(7);
    expect(await post(telegraf.host, line + wanted(2))).toBe(204);
    expect(await post(telegraf.host, "cpu,host=h n=1i 1700000000\n", "/write?precision=s")).toBe(204);
    expect(await post(telegraf.host, "cpu,host=h n=2i\n", "/telegraf")).toBe(204);
    await telegraf.write("\n\n");
    expect((await telegraf.stop()).code).toBe(0);
    const passed = unchanged(telegraf.metrics);
    expect(passed).toMatch(/^cpu,host=h n=2i \d{19}$/m);
    expect(passed.replace(/^.* n=2i .*\n/m, "")).toBe(`${line}cpu,host=h n=1i 1700000000000000000\n`);
    expect(rowSum(telegraf.metrics)).toBe(2);
    expect(telegraf.parseErrors).toEqual([]);
    expect(telegraf.host.farewell()).toEqual({ read: 4, applied: 1, dropped: 0, unsent: 0 });
  });

  test("input: nobody reads its output -> 503 with Retry-After, 204 again when it is read", async () => {
    const telegraf = run("input");
    await telegraf.host.ready();
    telegraf.host.child.stdout?.pause();
    const body = other(1).repeat(3000);
    let accepted = 0;
    await until(
      async () => {
        const status = await post(telegraf.host, body);
        if (status === 204) accepted++;
        return status === 503;
      },
      () => telegraf.host.stderr,
    );
    telegraf.host.child.stdout?.resume();
    await until(
      async () => (await post(telegraf.host, body)) === 204,
      () => telegraf.host.stderr,
    );
    await telegraf.stop();
    expect(telegraf.metrics).toHaveLength((accepted + 1) * 3000);
  }, 30_000);

  test("input: its port is taken -> exit 2, because nothing could come", async () => {
    const first = run("input");
    await first.host.ready();
    const listen = first.host.url().replace(/^http:\/\/|\/$/g, "");
    const second = new Host(["aggregate", "--mode", "input", "--rules", rules, "--listen", listen], BARE);
    expect((await second.ended()).code).toBe(2);
    expect(second.stderr).toContain("choose another address with --listen");
  });

  test("input, processor: --sink stdout: -> exit 2 with the cure; other sinks get the rows too", async () => {
    const wrong = new Host(args("processor", "--sink", "stdout:"), BARE);
    expect([(await wrong.ended()).code, wrong.stdout]).toEqual([2, ""]);
    expect(wrong.stderr).toMatch(/^E! .*leave it out\n$/);
    const telegraf = run("processor", "--sink", `file:${path("beside")}`);
    await telegraf.host.ready();
    await telegraf.write(wanted(5) + other(1));
    await telegraf.stop();
    expect(rowSum(telegraf.metrics)).toBe(5);
    expect(fileRows(readFileSync(path("beside"), "utf8"))).toHaveLength(1);
  });
});

describe("output", () => {
  test("output: EOF, then killed -> the books agree at the stop; Telegraf starts it again after the kill", async () => {
    const telegraf = run("output", "--sink", `file:${path("output")}`);
    await telegraf.host.ready();
    await telegraf.kill();
    await telegraf.host.ready();
    for (let i = 0; i < 100; i++) await telegraf.write(wanted() + other(i));
    const ended = await telegraf.stop();
    expect([ended.code, telegraf.starts]).toEqual([0, 2]);
    expect(telegraf.host.farewell()).toEqual({ read: 200, applied: 100, dropped: 0, unsent: 0 });
    const values = fileRows(readFileSync(path("output"), "utf8")).map((row) => Number(row.split(" ")[1]));
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(100);
  });

  test("output: neither stdout nor stderr is read, both full -> input is read all the same, EOF ends it in time", async () => {
    const telegraf = run("output", "--sink", `file:${path("deaf")}`);
    await telegraf.host.ready();
    telegraf.host.child.stdout?.pause();
    telegraf.host.child.stderr?.pause();
    for (let i = 0; i < 2000; i++) telegraf.host.child.kill("SIGHUP");
    await telegraf.write(`bad\n${wanted()}`.repeat(2000));
    telegraf.host.child.stdin?.end();
    await delay(100);
    await until(
      () => telegraf.host.child.exitCode !== null,
      () => "still there",
      8000,
    );
    expect(telegraf.host.child.exitCode).toBe(0);
    const values = fileRows(readFileSync(path("deaf"), "utf8")).map((row) => Number(row.split(" ")[1]));
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(2000);
  }, 20_000);

  test("output: --unmatched pass -> raw samples in the sink beside the rows, with their own time", async () => {
    const telegraf = run("output", "--sink", `file:${path("raw")}`, "--unmatched", "pass");
    await telegraf.host.ready();
    await telegraf.write(`cpu,host=h usage=1.5,n=2i,text="t" 1700000000001999999\n${wanted()}`);
    await telegraf.stop();
    const rows = fileRows(readFileSync(path("raw"), "utf8"));
    expect(rows.slice(0, 2)).toEqual(['{__name__="cpu_usage",host="h"} 1.5 @1700000000001', '{__name__="cpu_n",host="h"} 2 @1700000000001']);
    expect(rows).toHaveLength(3);
  });
});
