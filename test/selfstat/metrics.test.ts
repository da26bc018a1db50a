import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { ASSIGNER_METRIC_NAMES, assignerMetricsPage } from "#limpet/selfstat/assignerMetrics.js";
import { createMetricsPage, METRIC_NAMES, type RuleStats, type SelfStats } from "#limpet/selfstat/metrics.js";
import { ROUTER_METRIC_NAMES } from "#limpet/selfstat/routerMetrics.js";
import { SHARDED_METRIC_NAMES } from "#limpet/selfstat/shardedMetrics.js";
import { parseExposition } from "./exposition.js";

const RULE: RuleStats = {
  name: "http",
  pairsMatched: 100,
  pairsApplied: 90,
  pairsDuplicate: 1,
  pairsIgnored: { inexact: 2 },
  pairsRejected: 3,
  pairsPending: 4,
  pairsDropped: { late: 5, series_cap: 6 },
  pairsCarried: 11,
  counterResets: 12,
  groups: 7,
  windowsFlushed: 8,
};

const STATS: SelfStats = {
  samplesReceived: 1000,
  samplesMatched: 900,
  samplesIgnored: { string: 60, unmatched: 40 },
  samplesPassed: 70,
  samplesInexact: 13,
  labelsLost: 14,
  badUtf8: 15,
  linesInvalid: { syntax: 3 },
  centroids: 16,
  series: 17,
  windowsPartial: 1,
  losses: 2,
  flushLagSeconds: 0.25,
  rules: [RULE, { ...RULE, name: 'tricky "name"\\\nwith everything' }],
  sinks: [
    {
      name: "http://tsdb:9090/api/v1/write",
      stats: {
        stored: 10,
        conflict: 1,
        unknown: 2,
        moved: 6,
        dropped: { queue_full: 3, stop: 4 },
        queueBytes: 512,
        queueBytesMax: 1024,
        queueRows: 5,
      },
    },
  ],
  rowsArrived: 7,
  answers: [
    { path: "/write", status: 204, count: 6 },
    { path: "/write", status: 400, count: 7 },
  ],
};

const page = createMetricsPage(() => STATS);

describe("metrics page", () => {
  test("snapshot -> every number under its name and labels", async () => {
    const { samples } = parseExposition(await page.text());
    const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
      samples.find((sample) => sample.name === name && JSON.stringify(sample.labels) === JSON.stringify(labels))?.value;
    const rule = { rule: "http" };
    const sink = { sink: "http://tsdb:9090/api/v1/write" };
    expect({
      received: value("limpet_samples_received_total"),
      matched: value("limpet_samples_matched_total"),
      passed: value("limpet_samples_passed_total"),
      inexact: value("limpet_samples_inexact_total"),
      lost: value("limpet_labels_lost_total"),
      notUtf8: value("limpet_texts_recoded_total"),
      carried: value("limpet_rule_pairs_carried_total", rule),
      resets: value("limpet_rule_resets_total", rule),
      string: value("limpet_samples_ignored_total", { reason: "string" }),
      invalid: value("limpet_lines_invalid_total", { reason: "syntax" }),
      pairs: value("limpet_rule_pairs_matched_total", rule),
      applied: value("limpet_rule_pairs_applied_total", rule),
      duplicate: value("limpet_rule_pairs_duplicate_total", rule),
      ignored: value("limpet_rule_pairs_ignored_total", { ...rule, reason: "inexact" }),
      rejected: value("limpet_rule_pairs_rejected_total", rule),
      pending: value("limpet_rule_pairs_pending", rule),
      late: value("limpet_rule_pairs_dropped_total", { ...rule, reason: "late" }),
      cap: value("limpet_rule_pairs_dropped_total", { ...rule, reason: "series_cap" }),
      groups: value("limpet_groups", rule),
      flushed: value("limpet_windows_flushed_total", rule),
      centroids: value("limpet_tdigest_centroids"),
      series: value("limpet_series"),
      partial: value("limpet_windows_partial_total"),
      refused: value("limpet_http_requests_total", { path: "/write", status: "400" }),
      lag: value("limpet_flush_lag_seconds"),
      stored: value("limpet_sink_rows_total", { ...sink, outcome: "stored" }),
      conflict: value("limpet_sink_rows_total", { ...sink, outcome: "conflict" }),
      unknown: value("limpet_sink_rows_total", { ...sink, outcome: "unknown" }),
      dropped: value("limpet_sink_rows_total", { ...sink, outcome: "dropped" }),
      queueFull: value("limpet_sink_rows_dropped_total", { ...sink, reason: "queue_full" }),
      queue: value("limpet_sink_queue_bytes", sink),
    }).toEqual({
      received: 1000,
      matched: 900,
      passed: 70,
      inexact: 13,
      lost: 14,
      notUtf8: 15,
      carried: 11,
      resets: 12,
      string: 60,
      invalid: 3,
      pairs: 100,
      applied: 90,
      duplicate: 1,
      ignored: 2,
      rejected: 3,
      pending: 4,
      late: 5,
      cap: 6,
      groups: 7,
      flushed: 8,
      centroids: 16,
      series: 17,
      partial: 1,
      refused: 7,
      lag: 0.25,
      stored: 10,
      conflict: 1,
      unknown: 2,
      dropped: 7,
      queueFull: 3,
      queue: 512,
    });
    expect(samples.some((sample) => sample.labels.rule === 'tricky "name"\\\nwith everything')).toBe(true);
  });

  test("scraped twice -> copied, not added up", async () => {
    await page.text();
    const { samples } = parseExposition(await page.text());
    expect(samples.find((sample) => sample.name === "limpet_samples_received_total")?.value).toBe(1000);
  });

  test("two rules of one name -> one sample, added up", async () => {
    const text = await createMetricsPage(() => ({ ...STATS, rules: [RULE, RULE] })).text();
    const { samples } = parseExposition(text);
    expect(samples.filter((sample) => sample.name === "limpet_groups").map((sample) => sample.value)).toEqual([14]);
  });

  test("no window acknowledged yet -> no lag instead of a 0; a reason that is gone -> its sample is gone", async () => {
    let stats: SelfStats = STATS;
    const changing = createMetricsPage(() => stats);
    await changing.text();
    stats = { ...STATS, flushLagSeconds: undefined, linesInvalid: {} };
    const { samples } = parseExposition(await changing.text());
    expect(samples.filter((sample) => /flush_lag|lines_invalid/.test(sample.name))).toEqual([]);
  });

  test("every metric -> HELP and TYPE; limpet's and the process' own", async () => {
    const { families, samples } = parseExposition(await page.text());
    for (const sample of samples) {
      const family = families.get(sample.name.replace(/_(bucket|sum|count)$/, "")) ?? families.get(sample.name);
      expect([sample.name, family?.help === "" ? "" : "help", family?.type]).toEqual([
        sample.name,
        "help",
        expect.stringMatching(/^(counter|gauge|histogram|summary)$/),
      ]);
    }
    for (const name of METRIC_NAMES) expect(families.get(name)?.type).toBe(name.endsWith("_total") ? "counter" : "gauge");
    for (const name of ["process_cpu_seconds_total", "process_resident_memory_bytes", "nodejs_eventloop_lag_p99_seconds"])
      expect([...families.keys()]).toContain(name);
  });

  test("Prometheus' own checker -> no complaint", async () => {
    const result = spawnSync("promtool", ["check", "metrics"], { input: await page.text(), encoding: "utf8" });
    expect({ status: result.status, stderr: result.stderr, stdout: result.stdout }).toEqual({ status: 0, stderr: "", stdout: "" });
  });

  test("operating.md -> explains every metric, and no limpet_ name that does not exist", () => {
    const text = readFileSync("docs/operating.md", "utf8");
    const named = new Set(text.match(/limpet_[a-z_]+/g));
    const known = [...METRIC_NAMES, ...ASSIGNER_METRIC_NAMES, ...ROUTER_METRIC_NAMES, ...SHARDED_METRIC_NAMES];
    expect([...named].sort()).toEqual([...new Set(known)].sort());
  });
});

describe("assigner's /metrics", () => {
  const stats = {
    generation: { incarnation: 1, number: 7 },
    resources: { running: 3, draining: 1, staying: 0, gone: 0 },
    slices: 96,
    slicesHeld: 1,
    slicesMoving: 2,
    imbalance: 1.1,
    moves: { drain: 5, lost: 1 },
    movesAborted: 1,
    heartbeats: 100,
    commits: { ok: 7, conflict: 0, failed: 0 },
    watchers: 4,
    watchersDropped: 0,
    answers: [],
  };

  test("a page -> every name, its samples, and no complaint of Prometheus' own checker", async () => {
    const text = await assignerMetricsPage(() => stats).text();
    const { families, samples } = parseExposition(text);
    for (const name of ASSIGNER_METRIC_NAMES) expect(families.get(name)?.type).toBe(name.endsWith("_total") ? "counter" : "gauge");
    expect(samples.find(({ name, labels }) => name === "limpet_slice_moves_total" && labels["reason"] === "drain")?.value).toBe(5);
    const result = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    expect({ status: result.status, stderr: result.stderr, stdout: result.stdout }).toEqual({ status: 0, stderr: "", stdout: "" });
  });

  test("before the first Assignment -> no generation", async () => {
    const text = await assignerMetricsPage(() => ({ ...stats, generation: undefined, imbalance: undefined })).text();
    expect(text).not.toMatch(/^limpet_generation_number /m);
  });
});
