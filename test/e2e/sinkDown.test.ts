// Plan: a sink is away while a host writes 50 000 lines a second (15 s here, 60 s in `npm run soak`). Another sink notices nothing of
// it, no write of the host waits for a second, memory stays under its caps, and afterwards the first sink gets everything, each
// series in order.
//
//   host  ══════════ 50 000 lines/s ══════════╗ wait for the queue to be empty, EOF, exit
//   away  ───────────────── 503 ──────────────╫── up: all rows ──▶ equal to what the other one got
//   other ─── up, row by row ─────────────────╨──────────────────▶
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, expect, test } from "@jest/globals";
import { Host, stopHosts, until } from "./host.js";
import { type SinkServer, startSinkServer } from "./sinkServer.js";

const SECONDS = Number(process.env["LIMPET_SOAK_SECONDS"] ?? 15);
const LINES_PER_SECOND = 50_000;
const WRITES_PER_SECOND = 20;
const SERVICES = 100;
const QUEUE_MAX = 32 * 2 ** 20;
/** What the process may hold beside its queues: code, engine memory as used here, one batch per lane. */
const REST_MAX = 400 * 2 ** 20;

const folder = mkdtempSync(join(tmpdir(), "limpet-down-"));
const servers: SinkServer[] = [];

afterEach(() => {
  stopHosts();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Lines without a timestamp: they count when they come. */
const chunk = Array.from({ length: LINES_PER_SECOND / WRITES_PER_SECOND }, (_, i) => `m,service=s${i % SERVICES},host=h${i} f=1\n`).join("");

/** Writes at the rate for the time. Returns the longest wait for the pipe, less what this process itself was late, and the lines. */
async function writeSteadily(host: Host, onTick: (elapsedSec: number) => void): Promise<{ readonly waitMsMax: number; readonly lines: number }> {
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  const start = performance.now();
  let waitMsMax = 0;
  let writes = 0;
  for (; writes < SECONDS * WRITES_PER_SECOND; writes++) {
    const due = start + (writes * 1000) / WRITES_PER_SECOND;
    if (due > performance.now()) await delay(due - performance.now());
    onTick((performance.now() - start) / 1000);
    loop.reset();
    const before = performance.now();
    await host.write(chunk);
    waitMsMax = Math.max(waitMsMax, performance.now() - before - (loop.count === 0 ? 0 : loop.max / 1e6));
  }
  loop.disable();
  return { waitMsMax, lines: (writes * LINES_PER_SECOND) / WRITES_PER_SECOND };
}

function residentBytes(host: Host): number {
  const [, kib = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(host.child.pid)}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

/** Samples by series in the order they came: [time, value]. Marks are left out. */
function samplesOf(rows: readonly string[]): Map<string, [number, number][]> {
  const series = new Map<string, [number, number][]>();
  for (const row of rows) {
    const [, labels = "", value = "", time = ""] = /^(\{.*\}) (\S+) @(\d+)$/.exec(row) ?? [];
    if (value === "NaN" || (value === "0" && time.endsWith("001"))) continue;
    const samples = series.get(labels) ?? [];
    samples.push([Number(time), Number(value)]);
    series.set(labels, samples);
  }
  return series;
}

test(
  "sink: away while 50 000 lines/s come in -> no write waits, memory is bounded, another sink is not late, then everything in order",
  async () => {
    const [away, other] = [await startSinkServer("refusing"), await startSinkServer("up")];
    servers.push(away, other);
    const rules = join(folder, "rules.yaml");
    writeFileSync(rules, "- { match: m_f, interval: 1s, grace: 1s, by: [service], outputs: [count_samples, sum_samples, max, avg] }\n");
    const sinks = ["--sink", away.url, "--sink", other.url, "--sink-queue-max", String(QUEUE_MAX)];
    const host = await new Host(["aggregate", "--rules", rules, "--listen", "127.0.0.1:0", "--memory-max", "64MiB", ...sinks]).ready();
    let residentMax = 0;
    const { waitMsMax, lines } = await writeSteadily(host, () => {
      residentMax = Math.max(residentMax, residentBytes(host));
    });
    const awayRequests = away.requests();
    const otherRows = other.rows.length;
    const queued = await host.metric("limpet_sink_queue_bytes", away.url);
    expect(waitMsMax).toBeLessThan(1000);
    expect(away.rows).toEqual([]);
    expect(awayRequests).toBeGreaterThan(4);
    expect(queued).toBeGreaterThan(0);
    expect(queued).toBeLessThan(QUEUE_MAX);
    expect(residentMax).toBeLessThan(2 * QUEUE_MAX + REST_MAX);
    // Windows close 1 s after their end; the rest is for a slow machine.
    expect(otherRows).toBeGreaterThan((SECONDS - 6) * SERVICES * 4);

    away.state = "up";
    await until(
      async () => (await host.metric("limpet_sink_queue_bytes", away.url)) === 0,
      () => `rows are still queued:\n${host.stderr}`,
      30_000,
    );
    expect((await host.stop()).code).toBe(0);
    expect(host.farewell()).toMatchObject({ read: lines, applied: lines, dropped: 0, unsent: 0 });

    const [got, expected] = [samplesOf(away.rows), samplesOf(other.rows)];
    expect(got.size).toBe(SERVICES * 4);
    for (const [labels, samples] of got) {
      expect(samples.every(([time], i) => i === 0 || time > (samples[i - 1]?.[0] ?? 0))).toBe(true);
      expect(samples).toEqual(expected.get(labels));
    }
    const counts = [...got].filter(([labels]) => labels.includes("count_samples")).flatMap(([, samples]) => samples);
    expect(counts.reduce((sum, [, count]) => sum + count, 0)).toBe(lines);
    for (const server of [away, other]) expect(server.stats).toMatchObject({ rowsDuplicate: 0, conflicts: 0, outOfOrder: 0 });
  },
  (SECONDS + 75) * 1000,
);
