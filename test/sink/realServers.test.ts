// Plan: the sink against a real Prometheus and a real VictoriaMetrics: what was offered is what queries give, and Prometheus'
// refusals of single rows cost exactly those rows.
import { afterEach, describe, expect, test } from "@jest/globals";
import { openSink } from "#limpet/sink/openSink.js";
import type { BlockOutcome, Sink } from "#limpet/sink/sink.js";
import { blockOf, staleBytes, type TestRow, testRow } from "../metric/blocks.js";
import { startPrometheus } from "../servers/prometheus.js";
import { freePort, requireBinary } from "../servers/server.js";
import { startVictoriaMetrics } from "../servers/victoriaMetrics.js";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Whole minutes, so that both servers take it as it is; recent, so that Prometheus' head takes it. */
const startMs = Math.floor(Date.now() / 60_000) * 60_000 - 1_800_000;

async function open(url: string): Promise<Sink> {
  const sink = await openSink(url, { log: () => undefined });
  closing.push(async () => {
    await sink.close(1000);
  });
  return sink;
}

function offer(sink: Sink, rows: readonly TestRow[]): Promise<BlockOutcome> {
  return new Promise((resolve) => sink.offer(blockOf(rows), resolve));
}

const values = [0, -0, 0.1, 1 / 3, 1e308, 5e-324, 2 ** 53, -123456.789, Infinity, -Infinity];

describe("remote-write sink, real Prometheus", () => {
  const run = requireBinary("prometheus") ? test : test.skip;

  run("prometheus: rows of all kinds of values -> exactly those, a staleness marker ends the series", async () => {
    const server = await startPrometheus();
    closing.push(server.stop);
    const sink = await open(server.remoteWriteUrl);
    const rows = values.map((value, i) => testRow(`m{i=${i},text=é "\\ ü}`, startMs, value));
    expect(await offer(sink, rows)).toMatchObject({ stored: rows.length });
    const got = await server.query("m", startMs / 1000);
    expect(got.map((sample) => [Number(sample.labels["i"]), sample.value]).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual(
      values.map((value, i) => [i, value]),
    );
    expect(got[0]?.labels).toEqual({ __name__: "m", i: expect.any(String), text: 'é "\\ ü' });
    await offer(sink, [{ ...testRow("gone", startMs, 1) }]);
    expect(await server.query("gone", startMs / 1000 + 20)).toHaveLength(1);
    await offer(sink, [{ ...testRow("gone", startMs + 10_000, 0), valueBytes: staleBytes }]);
    expect(await server.query("gone", startMs / 1000 + 20)).toHaveLength(0);
  });

  run("prometheus: another value at a held time, an older row -> one conflict, one unknown, all other rows stored", async () => {
    const server = await startPrometheus();
    closing.push(server.stop);
    const sink = await open(server.remoteWriteUrl);
    await offer(sink, [testRow("held{i=7}", startMs, 1), testRow("newer{i=3}", startMs + 60_000, 1)]);
    const fresh = Array.from({ length: 200 }, (_, i) => testRow(`fresh{i=${i}}`, startMs, i));
    const outcome = await offer(sink, [
      ...fresh.slice(0, 90),
      testRow("held{i=7}", startMs, 2),
      testRow("newer{i=3}", startMs, 2),
      ...fresh.slice(90),
    ]);
    expect(outcome).toEqual({ stored: 200, conflict: 1, unknown: 1, moved: 0, dropped: {} });
    expect((await server.query("count(fresh)", startMs / 1000))[0]?.value).toBe(200);
    expect((await server.query("held", startMs / 1000))[0]?.value).toBe(1);
  });

  run("prometheus: down while 30 windows are offered, then up -> every row, in order", async () => {
    const port = await freePort();
    const sink = await open(`http://127.0.0.1:${port}/api/v1/write`);
    const offered = Array.from({ length: 30 }, (_, window) =>
      offer(
        sink,
        Array.from({ length: 20 }, (_, i) => testRow(`late{i=${i}}`, startMs + window * 1000, window)),
      ),
    );
    const server = await startPrometheus(port);
    closing.push(server.stop);
    for (const outcome of await Promise.all(offered)) expect(outcome).toMatchObject({ stored: 20 });
    const got = await server.query("late[1m]", startMs / 1000 + 30);
    expect(got).toHaveLength(600);
    expect(got.every((sample) => sample.timeSec === startMs / 1000 + sample.value)).toBe(true);
  });
});

describe("remote-write sink, real VictoriaMetrics", () => {
  const run = requireBinary("victoria-metrics") ? test : test.skip;

  run("victoria-metrics: rows of several windows -> exactly those", async () => {
    const server = await startVictoriaMetrics();
    closing.push(server.stop);
    const sink = await open(server.remoteWriteUrl);
    // It keeps decimals: of the extremes only what it can represent.
    const kept = [0, 0.1, 1 / 3, 2 ** 53, -123456.789];
    for (const window of [0, 1, 2])
      await offer(
        sink,
        kept.map((value, i) => testRow(`m{i=${i},text=é}`, startMs + window * 10_000, value + window)),
      );
    for (const [i, value] of kept.entries()) {
      const [series] = await server.exportSeries(`m{i="${i}"}`);
      expect(series?.metric).toEqual({ __name__: "m", i: String(i), text: "é" });
      expect(series?.timestamps).toEqual([0, 1, 2].map((window) => startMs + window * 10_000));
      for (const window of [0, 1, 2]) expect(series?.values[window]).toBeCloseTo(value + window, 10);
      expect((await server.query(`m{i="${i}"}`, startMs / 1000 + 20))[0]?.value).toBeCloseTo(value + 2, 10);
    }
  });
});
