// Acceptance: stop and start within a window with --data, and no row differs from an uninterrupted run.
//
//   host ──same lines, same moment──▶ steady: one process from the first line to the last            ──▶ file
//                                 └─▶ broken: stopped and started again four times, by EOF and SIGTERM ──▶ file, remote write
//
// While broken is away nothing is sent to either. The remote-write receiver is down at two of the stops, so that rows the file
// has taken are still owed to it. Lines carry times around now; windows of three lengths are open, in grace or closed at a stop.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { seededRandom } from "../reference/seededRandom.js";
import { Host, stopHosts, until } from "./host.js";
import { fileRows, type SinkServer, startSinkServer } from "./sinkServer.js";

const RULES = `
- name: gauges
  match: req_ms
  interval: 1s
  grace: 1s
  by: [region]
  outputs: [sum_samples, count_samples, min, max, avg, last, stddev, stdvar, "quantiles(0, 0.5, 0.99, 1)"]
- name: slow
  match: req_ms
  interval: 4s
  grace: 2s
  without: [host]
  outputs: [avg, stddev, "quantiles(0.9)", last]
- name: counters
  match: req_count
  interval: 2s
  grace: 1s
  by: [region]
  outputs: [total, increase, rate_sum]
`;
const COMMON = ["--listen", "127.0.0.1:0"];

let folder = "";
let rules = "";
const servers: SinkServer[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "limpet-stop-"));
  rules = join(folder, "rules.yaml");
  writeFileSync(rules, RULES);
});
afterEach(() => {
  stopHosts();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function sinkServer(state?: SinkServer["state"]): Promise<SinkServer> {
  const server = await startSinkServer(state);
  servers.push(server);
  return server;
}

const path = (name: string): string => join(folder, name);
const aggregate = (...args: string[]): Host => new Host(["aggregate", "--rules", rules, ...COMMON, ...args]);
const sorted = (rows: readonly string[]): string[] => [...rows].sort();
const timeOf = (row: string): number => Number(/@(\d+)$/.exec(row)?.[1]);

/** Lines of ten series around `nowMs`; counters only grow, but for a reset now and then. */
function lineSource(seed: number): (nowMs: number) => string {
  const random = seededRandom(seed);
  const counters = Array.from({ length: 10 }, () => Math.floor(random() * 1000));
  return (nowMs) => {
    let text = "";
    for (const [i, count] of counters.entries()) {
      const next = random() < 0.03 ? 1 : count + Math.floor(random() * 50);
      counters[i] = next;
      const timeMs = nowMs - Math.floor(random() * 300);
      text += `req,host=h${String(i)},region=r${String(i % 3)} ms=${String(random() * 100)},count=${String(next)}i ${String(timeMs)}000000\n`;
    }
    return text;
  };
}

describe("stop and start with --data", () => {
  test("aggregate: four stops within windows, receiver down at two -> every row as in an uninterrupted run, once", async () => {
    const receiver = await sinkServer();
    const lines = lineSource(7);
    const steady = aggregate("--sink", `file:${path("steady")}`, "--data", path("steady.data"));
    const start = (): Host => aggregate("--sink", `file:${path("broken")}`, "--sink", receiver.url, "--data", path("broken.data"));
    let broken = start();
    await Promise.all([steady.ready(), broken.ready()]);
    let written = 0;
    let read = 0;
    let owed = 0;
    const stops = [
      { how: "EOF", down: false },
      { how: "SIGTERM", down: true },
      { how: "EOF", down: true },
      { how: "SIGTERM", down: false },
    ] as const;
    for (const { how, down } of stops) {
      for (let i = 0; i < 9; i++) {
        if (down && i === 4) receiver.state = "refusing";
        const text = lines(Date.now());
        written += 10;
        await Promise.all([steady.write(text), broken.write(text)]);
        await delay(200);
      }
      const { code } = await broken.stop(how);
      expect({
        code,
        how,
        stderr: broken.stderr.replaceAll(/W! sink .*\n/g, "").replaceAll(/W! \d+ rows? not sent before the stop: kept.*\n/g, ""),
      }).toEqual({ code: 0, how, stderr: "" });
      read += broken.farewell().read;
      owed += broken.farewell().unsent;
      receiver.state = "up";
      broken = await start().ready();
    }
    const text = lines(Date.now());
    written += 10;
    await Promise.all([steady.write(text), broken.write(text)]);
    const lastMs = Date.now();
    // Until the last line's longest window has been closed by both.
    await until(
      () => newest(path("steady")) > lastMs + 2000 && newest(path("broken")) > lastMs + 2000,
      () => `${steady.stderr}${broken.stderr}`,
    );
    const endMs = Math.min(newest(path("steady")), newest(path("broken"))) - 1;
    await Promise.all([steady.stop(), broken.stop()]);

    expect([read + broken.farewell().read, steady.farewell().read, owed > 0]).toEqual([written, written, true]);
    const complete = (rows: readonly string[]): string[] => sorted(rows.filter((row) => timeOf(row) < endMs));
    const expected = complete(fileRows(readFileSync(path("steady"), "utf8")));
    expect(expected.length).toBeGreaterThan(300);
    expect(complete(fileRows(readFileSync(path("broken"), "utf8")))).toEqual(expected);
    // Cumulative series begin there with a back-dated 0 (zero injection), which a file is not told.
    const isBirth = (row: string): boolean => row.includes(" 0 @") && timeOf(row) % 1000 !== 0;
    expect(complete(receiver.rows.filter((row) => !isBirth(row)))).toEqual(expected);
    expect([receiver.stats.outOfOrder, receiver.stats.conflicts]).toEqual([0, 0]);
  }, 60_000);

  test("aggregate: killed after a restore -> the next start has nothing to restore", async () => {
    const start = (): Host => aggregate("--sink", `file:${path("once")}`, "--data", path("once.data"));
    const first = await start().ready();
    await first.write(lineAt(Date.now() + 5000));
    await first.stop();
    const second = await start().ready();
    expect(second.stdout).toContain("restored 2 groups");
    await second.stop("SIGKILL");
    const third = await start().ready();
    expect([third.stdout.includes("restored"), third.stderr]).toEqual([false, ""]);
    await third.stop();
  });

  test("aggregate: damaged checkpoint -> says so in one line, keeps it aside, starts without", async () => {
    const start = (): Host => aggregate("--sink", `file:${path("damaged")}`, "--data", path("damaged.data"));
    const first = await start().ready();
    await first.write(lineAt(Date.now() + 5000));
    await first.stop();
    const file = join(path("damaged.data"), "checkpoint");
    writeFileSync(file, readFileSync(file).fill(0x20, 40, 60));
    const second = await start().ready();
    expect(second.stderr).toMatch(/^W! .*checkpoint: checksum does not match.*starting without the state.*checkpoint\.damaged\)\n$/);
    expect([second.stdout.includes("restored"), existsSync(`${file}.damaged`), (await second.stop()).code]).toEqual([false, true, 0]);
  });

  test("aggregate: checkpoint it cannot use -> exit 2 with the cure, file left for the next start", async () => {
    const start = (...more: string[]): Host => aggregate("--sink", `file:${path("large")}`, "--data", path("large.data"), ...more);
    const first = await start().ready();
    for (let from = 0; from < 20_000; from += 1000) {
      const lines = Array.from({ length: 1000 }, (_, i) => `req,region=r${String(from + i)} ms=1 ${String(Date.now() + 5000)}000000\n`);
      await first.write(lines.join(""));
    }
    await first.stop();
    const small = start("--memory-max", "6MiB");
    expect([(await small.ended()).code, small.stdout.includes("reading")]).toEqual([2, false]);
    expect(small.stderr).toMatch(/^E! .*checkpoint: no memory to restore all of it; raise --memory-max\n$/);
    const third = await start().ready();
    expect(third.stdout).toContain("restored 40000 groups");
    await third.stop();
  });

  test("aggregate: rule gone and output added between stop and start -> both named, the rest goes on", async () => {
    const file = path("changing.yaml");
    const rule = (name: string, field: string, outputs: string): string =>
      `- {name: ${name}, match: req_${field}, interval: 10s, by: [region], outputs: [${outputs}]}\n`;
    const start = (text: string): Host => {
      writeFileSync(file, text);
      return new Host(["aggregate", "--rules", file, ...COMMON, "--sink", `file:${path("changing")}`, "--data", path("changing.data")]);
    };
    const first = await start(rule("a", "ms", "max") + rule("b", "count", "total") + rule("c", "x", "sum_samples")).ready();
    await first.write(`req,region=r ms=1,count=2i,x=3 ${String(Date.now())}000000\n`);
    await first.stop();
    const second = await start(rule("a", "ms", 'max, "quantiles(0.5)"') + rule("c", "x", "sum_samples")).ready();
    expect(second.stderr).toBe("W! rule b is gone from the rule files: its state was dropped\n");
    expect(second.stdout).toContain("rule a: quantiles is new and starts with the next window");
    expect(second.stdout).toContain("restored 2 groups");
    await second.stop();
  });

  test("aggregate: second process on the same --data -> exit 2 naming the first, which goes on", async () => {
    const start = (): Host => aggregate("--sink", `file:${path("locked")}`, "--data", path("locked.data"));
    const first = await start().ready();
    const second = start();
    expect((await second.ended()).code).toBe(2);
    expect(second.stderr).toMatch(new RegExp(`^E! --data .*in use by process ${String(first.child.pid)}; give each .*\n$`));
    await first.write(lineAt(Date.now()));
    expect((await first.stop()).code).toBe(0);
    expect(first.farewell().read).toBe(1);
  });

  test("aggregate: the sink that rows are owed to is gone -> said with their number", async () => {
    const receiver = await sinkServer("refusing");
    const first = await aggregate("--sink", receiver.url, "--data", path("gone.data")).ready();
    await first.write(lineAt(Date.now()));
    await until(
      async () => (await first.metric("limpet_windows_flushed_total")) > 0,
      () => first.stderr,
    );
    expect((await first.stop()).code).toBe(0);
    const { unsent } = first.farewell();
    expect(unsent).toBeGreaterThan(0);
    const second = await aggregate("--sink", `file:${path("gone")}`, "--data", path("gone.data")).ready();
    expect(second.stderr).toContain(`W! ${String(unsent)} rows for sink ${receiver.url} dropped: no --sink has that name any more\n`);
    expect(await second.metric("limpet_sink_rows_dropped_total", 'reason="no_sink"')).toBe(unsent);
    expect(await second.metric("limpet_sink_rows_arrived_total")).toBe(unsent);
    await second.stop();
  });

  test("aggregate: --data vanished while it ran -> exit 1, says what is lost and why", async () => {
    const host = await aggregate("--sink", `file:${path("vanished")}`, "--data", path("vanished.data")).ready();
    await host.write(lineAt(Date.now()));
    rmSync(path("vanished.data"), { recursive: true });
    expect((await host.stop()).code).toBe(1);
    expect(host.stderr).toMatch(/^E! the state could not be kept \(ENOENT.*\n$/);
  });
});

describe("stop without --data", () => {
  test.each(["EOF", "SIGTERM"] as const)("aggregate: %s with open windows -> sent as partial values, counted, one warning", async (how) => {
    const receiver = await sinkServer("refusing");
    const host = await aggregate("--sink", receiver.url).ready();
    // Due in a few seconds, so that it is open at the stop.
    await host.write(lineAt(Date.now() + 3000));
    await until(
      async () => (await host.metric("limpet_samples_received_total")) > 0,
      () => host.stderr,
    );
    const stopMs = Date.now();
    const ended = host.stop(how);
    await until(
      async () => (await host.metric("limpet_windows_partial_total")) === 2,
      () => "no partial windows on /metrics",
    );
    expect((await host.page("/readyz")).status).toBe(503);
    expect(JSON.parse((await host.page("/api/v1/status")).text)).toMatchObject({
      rules: [{ windowsPartial: 1 }, { windowsPartial: 1 }, { windowsPartial: 0 }],
    });
    receiver.state = "up";
    const { code, ms } = await ended;
    expect([code, ms < 4000]).toEqual([0, true]);
    expect(host.stderr.match(/.*--data.*/g)).toEqual([
      expect.stringMatching(
        /^W! stopped without --data: 2 open windows left as partial values stamped 20.*Z; --data DIR keeps them for the next start$/,
      ),
    ]);
    // The process counts whole ms since its start: up to two behind ours.
    const times = receiver.rows.map(timeOf);
    expect(times).toHaveLength(12 + 4);
    expect(times.every((time) => time >= stopMs - 5 && time <= stopMs + 1000)).toBe(true);
    expect(host.farewell()).toEqual({ read: 1, applied: 2, dropped: 0, unsent: 0 });
  });

  test.each(["refusing", "silent"] as const)("aggregate: sink %s at the stop -> exit 0 in under 4 s, rows counted as unsent", async (state) => {
    const receiver = await sinkServer(state);
    const host = await aggregate("--sink", receiver.url).ready();
    await host.write(`${lineAt(Date.now() + 3000)}not a line\nreq,region=old ms=1 1000000000\n`);
    const { code, ms } = await host.stop();
    expect([code, ms < 4000]).toEqual([0, true]);
    expect(host.farewell()).toEqual({ read: 3, applied: 2, dropped: 2, unsent: 16 });
    expect(host.stderr).toMatch(
      /W! stopped without --data: 2 open windows left as partial values stamped .*, 16 rows not sent; --data DIR keeps them/,
    );
    expect(
      (host.stdout + host.stderr)
        .trimEnd()
        .split("\n")
        .filter((line) => line.startsWith("stopped: ")),
    ).toHaveLength(1);
    expect(host.stdout.trimEnd().split("\n").at(-1)).toMatch(/^stopped: /);
  });
});

const lineAt = (timeMs: number): string => `req,region=r ms=1.5 ${String(timeMs)}000000\n`;

function newest(file: string): number {
  return fileRows(readFileSync(file, "utf8")).reduce((max, row) => Math.max(max, timeOf(row)), 0);
}
