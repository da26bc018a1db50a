// The main job, end to end: lines into the built `limpet aggregate`, real Prometheus and real VictoriaMetrics behind it, PromQL
// out. Every value of every output, window and group is there, and no row that nobody asked for; what is cumulative begins with a
// zero, and every series ends with a marker.
//
//   now        start                              last row         quiet: nothing more may come
//    │ ~3 s      │ 6 s of windows, sent at once      │ staleness      │ EOF, exit, final comparison
//
// Lines carry times of the next seconds (within --max-future), so nothing depends on when the test gets to run; the windows
// close by the aggregator's own clock. Expected rows are the reference's, closed until every group is retired.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Row } from "#limpet/metric/rowBlock.js";
import { differences } from "../reference/compareRows.js";
import { linesText } from "../reference/lineText.js";
import { referenceRows } from "../reference/reference.js";
import { rulesYaml } from "../reference/rulesYaml.js";
import { seededRandom } from "../reference/seededRandom.js";
import { type Prometheus, startPrometheus } from "../servers/prometheus.js";
import type { QuerySample } from "../servers/promQuery.js";
import { requireBinary } from "../servers/server.js";
import { startVictoriaMetrics, type VictoriaMetrics } from "../servers/victoriaMetrics.js";
import { GRACE_MS, points, rules } from "./promqlScenario.js";

const LIMPET = new URL("../../dist/bin/limpet.js", import.meta.url).pathname;
const EVERYTHING = '{__name__=~".+"}[10m]';
/** Between starting the process and its first window, and between the last row and "nothing more comes". */
const HEAD_START_MS = 3000;
const QUIET_MS = 2000 + GRACE_MS + 500;
const WAIT_MS = 15_000;

const installed = [requireBinary("prometheus"), requireBinary("victoria-metrics")].every((is) => is);

interface Limpet {
  readonly child: ChildProcessWithoutNullStreams;
  output: string;
}

function startLimpet(folder: string, sinks: readonly string[]): Limpet {
  const file = join(folder, "rules.yaml");
  writeFileSync(file, rulesYaml(rules));
  const sinkOptions = sinks.flatMap((url) => ["--sink", url]);
  const child = spawn(process.execPath, [LIMPET, "aggregate", "--rules", file, "--listen", "127.0.0.1:0", ...sinkOptions]);
  const limpet: Limpet = { child, output: "" };
  const keep = (chunk: Buffer): void => {
    limpet.output += chunk.toString();
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return limpet;
}

function rowOf(sample: QuerySample): Row {
  const { __name__: name = "", ...labels } = sample.labels;
  return { name, labels, timestamp: Math.round(sample.timeSec * 1000), value: sample.value };
}

/** The zero of a beginning, 1 ms into a window, and the marker of an end, which Prometheus does not show. */
function isMark({ timestamp, value }: Row): boolean {
  return Number.isNaN(value) || (timestamp % 1000 === 1 && value === 0);
}

const seriesOf = ({ name, labels }: Row): string => JSON.stringify([name, Object.entries(labels).sort()]);

describe("promql", () => {
  const folder = mkdtempSync(join(tmpdir(), "limpet-promql-"));
  let prometheus: Prometheus | undefined;
  let victoriaMetrics: VictoriaMetrics | undefined;
  let limpet: Limpet | undefined;
  let startMs = 0;

  const expected = (): ReturnType<typeof referenceRows> => {
    const plain = rules.map(({ rule }) => rule);
    return referenceRows(plain, points(startMs), "all retired");
  };

  const rowsIn = async (server: Prometheus | VictoriaMetrics): Promise<Row[]> =>
    (await server.query(EVERYTHING, Math.ceil(Date.now() / 1000))).map(rowOf);

  /** Until the server has as many rows as expected: more, fewer or others are for the comparison to tell. */
  const waitForRows = async (server: Prometheus | VictoriaMetrics, count: number): Promise<void> => {
    const deadline = Date.now() + WAIT_MS;
    while ((await rowsIn(server)).filter((row) => !isMark(row)).length < count && Date.now() < deadline) await delay(200);
  };

  beforeAll(async () => {
    if (!installed) return;
    [prometheus, victoriaMetrics] = await Promise.all([startPrometheus(), startVictoriaMetrics()]);
    limpet = startLimpet(folder, [prometheus.remoteWriteUrl, victoriaMetrics.remoteWriteUrl]);
    startMs = Math.ceil((Date.now() + HEAD_START_MS) / 2000) * 2000;
    limpet.child.stdin.write(linesText(points(startMs), seededRandom(2)));
    const rows = expected();
    const lastRowMs = Math.max(...rows.map(({ timestamp }) => timestamp));
    await delay(lastRowMs + GRACE_MS - Date.now());
    await waitForRows(prometheus, rows.length);
    await waitForRows(victoriaMetrics, rows.length);
    await delay(Math.max(lastRowMs + QUIET_MS - Date.now(), 0));
    limpet.child.stdin.end();
    if (limpet.child.exitCode === null) await once(limpet.child, "exit");
  }, 60_000);

  afterAll(async () => {
    if (limpet?.child.exitCode === null) limpet.child.kill("SIGKILL");
    await Promise.all([prometheus?.stop(), victoriaMetrics?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  const onlyInstalled = installed ? test : test.skip;

  onlyInstalled("aggregate: end of input -> exit 0", () => {
    expect([limpet?.child.exitCode, limpet?.output]).toEqual([0, expect.anything()]);
  });

  onlyInstalled("prometheus: every output, window and group -> the exact value, and nothing else", async () => {
    const rows = prometheus === undefined ? [] : (await rowsIn(prometheus)).filter((row) => !isMark(row));
    expect({ found: differences(expected(), rows), limpet: limpet?.output }).toMatchObject({ found: [] });
  });

  onlyInstalled("victoria-metrics: every output, window and group -> the exact value, and nothing else", async () => {
    const rows = victoriaMetrics === undefined ? [] : (await rowsIn(victoriaMetrics)).filter((row) => !isMark(row));
    expect({ found: differences(expected(), rows), limpet: limpet?.output }).toMatchObject({ found: [] });
  });

  onlyInstalled("prometheus: the groups have retired -> no series is alive, a moment before all were; totals rise from 0", async () => {
    const alive = async (promql: string, atMs: number): Promise<Row[]> => ((await prometheus?.query(promql, atMs / 1000)) ?? []).map(rowOf);
    const lastMs = Math.max(...expected().map(({ timestamp }) => timestamp));
    expect((await alive('{__name__=~".+"}', lastMs)).length).toBeGreaterThan(40);
    expect(await alive('{__name__=~".+"}', lastMs + 2000)).toEqual([]);
    // Of a total's first window nothing is missing: with host c back, its second life's increase too.
    const total = expected().filter(({ name }) => name === "http_requests:1s_by_region_total");
    const births = (await rowsIn(prometheus as Prometheus)).filter((row) => isMark(row) && row.name === "http_requests:1s_by_region_total");
    expect(new Set(births.map(seriesOf))).toEqual(new Set(total.map(seriesOf)));
  });

  onlyInstalled("victoria-metrics: the groups have retired -> the newest row of every series is the marker of its end", async () => {
    const newest = new Map<string, Row>();
    for (const row of await rowsIn(victoriaMetrics as VictoriaMetrics)) {
      if (row.timestamp >= (newest.get(seriesOf(row))?.timestamp ?? 0)) newest.set(seriesOf(row), row);
    }
    expect(newest.size).toBeGreaterThan(40);
    expect([...newest.values()].filter((row) => !Number.isNaN(row.value)).map(seriesOf)).toEqual([]);
  });
});
