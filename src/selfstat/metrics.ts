// /metrics: what this process says about itself, as Prometheus text. The numbers are copied from a snapshot at each scrape, so
// that whoever counts (engine, reader, sinks) keeps plain integers and does not know Prometheus.
//
// The names are fixed (docs/operating.md lists them with their cures); adding one is a feature, renaming one breaks users.
import type { AnswerCount } from "../http/answerCounts.js";
import type { SinkStats } from "../sink/sink.js";
import { type Definition, type MetricsPage, metricsPage, type Samples } from "./page.js";

export type ByReason = Readonly<Record<string, number>>;

/** One Rule's counters, in (sample, rule) pairs unless said. matched = applied + duplicate + ignored + rejected + dropped + pending. */
export interface RuleStats {
  readonly name: string;
  readonly pairsMatched: number;
  readonly pairsApplied: number;
  readonly pairsDuplicate: number;
  readonly pairsIgnored: ByReason;
  readonly pairsRejected: number;
  readonly pairsPending: number;
  readonly pairsDropped: ByReason;
  /** Of the applied. */
  readonly pairsCarried: number;
  readonly counterResets: number;
  /** Living Groups now. */
  readonly groups: number;
  /** Windows. */
  readonly windowsFlushed: number;
}

/** Everything /metrics shows, at one instant. All numbers count since the start of the process, except where "now" is said. */
export interface SelfStats {
  /** Samples. received = matched + ignored. */
  readonly samplesReceived: number;
  readonly samplesMatched: number;
  readonly samplesIgnored: ByReason;
  readonly samplesInexact: number;
  /** Labels, and texts, of series at their first sight. */
  readonly labelsLost: number;
  readonly badUtf8: number;
  /** Handed on as they came, be they matched or ignored. */
  readonly samplesPassed: number;
  /** Lines. */
  readonly linesInvalid: ByReason;
  /** Of t-digests, now. */
  readonly centroids: number;
  /** Series known now. */
  readonly series: number;
  readonly windowsPartial: number;
  /** Lines for the host that it has not taken; undefined where none are written. */
  readonly stdoutWaitingBytes?: number | undefined;
  /** Ranges that lost batches which their router had given up. */
  readonly losses: number;
  /** Window end to acknowledged by the sinks, of the Window acknowledged last; undefined before the first. */
  readonly flushLagSeconds: number | undefined;
  readonly rules: readonly RuleStats[];
  readonly sinks: readonly { readonly name: string; readonly stats: SinkStats }[];
  /** Rows that came with state from elsewhere, or from before a restart. */
  readonly rowsArrived: number;
  /** Of the HTTP server. */
  readonly answers: Iterable<AnswerCount>;
}

/** A page of the aggregator that calls `snapshot` once per scrape. */
export function createMetricsPage(snapshot: () => SelfStats): MetricsPage {
  return metricsPage(selfDefinitions, snapshot);
}

function one(read: (stats: SelfStats) => number | undefined): (stats: SelfStats) => Samples {
  return (stats) => {
    const value = read(stats);
    return value === undefined ? [] : [[{}, value]];
  };
}

function byReason(read: (stats: SelfStats) => ByReason): (stats: SelfStats) => Samples {
  return (stats) => Object.entries(read(stats)).map(([reason, value]) => [{ reason }, value] as const);
}

function perRule(read: (rule: RuleStats) => number): (stats: SelfStats) => Samples {
  return (stats) => stats.rules.map((rule) => [{ rule: rule.name }, read(rule)] as const);
}

function perRuleAndReason(read: (rule: RuleStats) => ByReason): (stats: SelfStats) => Samples {
  return (stats) => stats.rules.flatMap((rule) => Object.entries(read(rule)).map(([reason, value]) => [{ rule: rule.name, reason }, value] as const));
}

function sinkOutcomes(stats: SelfStats): Samples {
  return stats.sinks.flatMap(({ name, stats: sink }) => {
    const dropped = Object.values(sink.dropped).reduce((sum, rows) => sum + rows, 0);
    const outcomes = { stored: sink.stored, conflict: sink.conflict, unknown: sink.unknown, moved: sink.moved, dropped };
    return Object.entries(outcomes).map(([outcome, rows]) => [{ sink: name, outcome }, rows] as const);
  });
}

function sinkDrops(stats: SelfStats): Samples {
  return stats.sinks.flatMap(({ name, stats: sink }) =>
    Object.entries(sink.dropped).map(([reason, rows]) => [{ sink: name, reason }, rows] as const),
  );
}

export const selfDefinitions: readonly Definition<SelfStats>[] = [
  {
    name: "limpet_samples_received_total",
    help: "Samples read from valid lines.",
    type: "counter",
    labels: [],
    samples: one((s) => s.samplesReceived),
  },
  {
    name: "limpet_samples_matched_total",
    help: "Samples that at least one rule wanted.",
    type: "counter",
    labels: [],
    samples: one((s) => s.samplesMatched),
  },
  {
    name: "limpet_samples_ignored_total",
    help: "Samples that no rule wanted or could want, by reason.",
    type: "counter",
    labels: ["reason"],
    samples: byReason((s) => s.samplesIgnored),
  },
  {
    name: "limpet_samples_passed_total",
    help: "Samples handed on as they came: unmatched ones, and those of rules with matched: keep.",
    type: "counter",
    labels: [],
    samples: one((s) => s.samplesPassed),
  },
  {
    name: "limpet_samples_inexact_total",
    help: "Integers beyond 2^53 that were rounded to the nearest double.",
    type: "counter",
    labels: [],
    samples: one((s) => s.samplesInexact),
  },
  {
    name: "limpet_labels_lost_total",
    help: "Labels that became equal to another one of their series when they were made valid, at each series' first sight.",
    type: "counter",
    labels: [],
    samples: one((s) => s.labelsLost),
  },
  {
    name: "limpet_texts_recoded_total",
    help: "Names and tag values that are not UTF-8 and got U+FFFD, at each series' first sight.",
    type: "counter",
    labels: [],
    samples: one((s) => s.badUtf8),
  },
  {
    name: "limpet_lines_invalid_total",
    help: "Lines that are not line protocol, by reason.",
    type: "counter",
    labels: ["reason"],
    samples: byReason((s) => s.linesInvalid),
  },
  {
    name: "limpet_http_requests_total",
    help: "Requests by path and status of the answer.",
    type: "counter",
    labels: ["path", "status"],
    samples: (s) => [...s.answers].map(({ path, status, count }) => [{ path, status: String(status) }, count] as const),
  },
  {
    name: "limpet_rule_pairs_matched_total",
    help: "Samples the rule matched.",
    type: "counter",
    labels: ["rule"],
    samples: perRule((r) => r.pairsMatched),
  },
  {
    name: "limpet_rule_pairs_applied_total",
    help: "Samples added to a window of the rule.",
    type: "counter",
    labels: ["rule"],
    samples: perRule((r) => r.pairsApplied),
  },
  {
    name: "limpet_rule_pairs_duplicate_total",
    help: "Samples seen before, not added again.",
    type: "counter",
    labels: ["rule"],
    samples: perRule((r) => r.pairsDuplicate),
  },
  {
    name: "limpet_rule_pairs_ignored_total",
    help: "Matched samples the rule leaves out on purpose, by reason.",
    type: "counter",
    labels: ["rule", "reason"],
    samples: perRuleAndReason((r) => r.pairsIgnored),
  },
  {
    name: "limpet_rule_pairs_rejected_total",
    help: "Samples refused to their sender, who still has them.",
    type: "counter",
    labels: ["rule"],
    samples: perRule((r) => r.pairsRejected),
  },
  {
    name: "limpet_rule_pairs_pending",
    help: "Samples waiting to be added.",
    type: "gauge",
    labels: ["rule"],
    samples: perRule((r) => r.pairsPending),
  },
  {
    name: "limpet_rule_pairs_dropped_total",
    help: "Samples lost, by reason.",
    type: "counter",
    labels: ["rule", "reason"],
    samples: perRuleAndReason((r) => r.pairsDropped),
  },
  {
    name: "limpet_rule_pairs_carried_total",
    help: "Late samples that went into a running total; they count as applied.",
    type: "counter",
    labels: ["rule"],
    samples: perRule((r) => r.pairsCarried),
  },
  {
    name: "limpet_rule_resets_total",
    help: "Counter samples below the one before.",
    type: "counter",
    labels: ["rule"],
    samples: perRule((r) => r.counterResets),
  },
  {
    name: "limpet_tdigest_centroids",
    help: "Centroids of `sketch: tdigest` held now, about 200 bytes each.",
    type: "gauge",
    labels: [],
    samples: one((s) => s.centroids),
  },
  { name: "limpet_series", help: "Input series known now.", type: "gauge", labels: [], samples: one((s) => s.series) },
  { name: "limpet_groups", help: "Output groups alive now.", type: "gauge", labels: ["rule"], samples: perRule((r) => r.groups) },
  {
    name: "limpet_windows_flushed_total",
    help: "Windows closed and handed to the sinks.",
    type: "counter",
    labels: ["rule"],
    samples: perRule((r) => r.windowsFlushed),
  },
  {
    name: "limpet_windows_partial_total",
    help: "Windows emitted before their end because the process stopped without --data.",
    type: "counter",
    labels: [],
    samples: one((s) => s.windowsPartial),
  },
  {
    name: "limpet_stdout_waiting_bytes",
    help: "Lines that pass and that the host has not read from standard output.",
    type: "gauge",
    labels: [],
    samples: one((s) => s.stdoutWaitingBytes),
  },
  {
    name: "limpet_slice_losses_total",
    help: "Key ranges that lost batches which their router had given up.",
    type: "counter",
    labels: [],
    samples: one((s) => s.losses),
  },
  {
    name: "limpet_flush_lag_seconds",
    help: "Window end to acknowledged by the sinks, of the window acknowledged last.",
    type: "gauge",
    labels: [],
    samples: one((s) => s.flushLagSeconds),
  },
  {
    name: "limpet_sink_rows_total",
    help: "Rows by what became of them: stored, conflict, unknown, dropped.",
    type: "counter",
    labels: ["sink", "outcome"],
    samples: sinkOutcomes,
  },
  {
    name: "limpet_sink_rows_arrived_total",
    help: "Rows that came with their slice, or from before a restart, for sinks here.",
    type: "counter",
    labels: [],
    samples: one((s) => s.rowsArrived),
  },
  { name: "limpet_sink_rows_dropped_total", help: "Rows lost, by reason.", type: "counter", labels: ["sink", "reason"], samples: sinkDrops },
  {
    name: "limpet_sink_queue_bytes",
    help: "Bytes waiting to be sent.",
    type: "gauge",
    labels: ["sink"],
    samples: (s) => s.sinks.map(({ name, stats }) => [{ sink: name }, stats.queueBytes] as const),
  },
];

/** Every limpet_ name of the page. The documentation is checked against it. */
export const METRIC_NAMES: readonly string[] = selfDefinitions.map((definition) => definition.name);
