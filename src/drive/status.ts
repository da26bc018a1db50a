// What a running aggregator says about itself: one reading of the engine and the sinks, as metrics, status page and ledger.
import type { RuleLedger } from "../aggregate/ledger.js";
import type { AnswerCounts } from "../http/answerCounts.js";
import type { ByReason, RuleStats, SelfStats } from "../selfstat/metrics.js";
import type { Sink, SinkStats } from "../sink/sink.js";
import type { Aggregator } from "./aggregator.js";

export interface Watched {
  readonly aggregator: Aggregator;
  readonly sinks: readonly Sink[];
  readonly answers: AnswerCounts;
  /** Where lines pass, in the modes that carry metrics on standard output. */
  readonly lines?: { readonly waitingBytes: number } | undefined;
}

/** CONTRACT's ledger of one aggregator: samples, then pairs over all rules, then rows over all sinks. */
export interface ProcessLedger {
  readonly lines_read: number;
  readonly lines_invalid: number;
  readonly samples_received: number;
  readonly samples_matched: number;
  readonly samples_ignored: ByReason;
  /** Handed on as they came, whether matched or ignored. */
  readonly samples_passed: number;
  readonly pairs_matched: number;
  readonly pairs_applied: number;
  readonly pairs_duplicate: number;
  readonly pairs_ignored: ByReason;
  readonly pairs_rejected: number;
  readonly pairs_pending: number;
  readonly pairs_dropped: ByReason;
  /** Rows made here. With those that arrived, they are stored, conflicting, unknown, dropped, moved on or queued. */
  readonly rows_sent: number;
  readonly rows_arrived: number;
  readonly rows_stored: number;
  readonly rows_conflict: number;
  readonly rows_unknown: number;
  readonly rows_dropped: ByReason;
  /** They left with their slice, and arrived elsewhere. */
  readonly rows_moved: number;
  readonly rows_queued: number;
  readonly series: number;
  readonly groups: number;
  readonly windows_flushed: number;
}

function addReasons(into: Record<string, number>, from: ByReason): Record<string, number> {
  for (const [reason, count] of Object.entries(from)) into[reason] = (into[reason] ?? 0) + count;
  return into;
}

function ruleStats(rules: readonly RuleLedger[]): RuleStats[] {
  return rules.map((rule) => ({
    name: rule.rule,
    pairsMatched: rule.pairsMatched,
    pairsApplied: rule.pairsApplied,
    pairsDuplicate: rule.pairsDuplicate,
    pairsIgnored: rule.pairsIgnored,
    pairsRejected: 0,
    pairsPending: rule.pairsPending,
    pairsCarried: rule.pairsCarried,
    counterResets: rule.counterResets,
    pairsDropped: rule.pairsDropped,
    groups: rule.groups,
    windowsFlushed: rule.windowsFlushed,
  }));
}

/** Sinks that rows came for and that are not there. */
function missingSinks({ orphans }: Aggregator): { readonly name: string; readonly stats: SinkStats }[] {
  const nothing = { stored: 0, conflict: 0, unknown: 0, moved: 0, queueBytes: 0, queueBytesMax: 0, queueRows: 0 };
  return [...orphans].map(([name, rows]) => ({ name, stats: { ...nothing, dropped: { no_sink: rows } } }));
}

/** A rule that ends, and one that goes on under its name: counters that sink when the first one goes would look like increases. */
function isReplaced({ rule, untilMs }: RuleLedger, all: readonly RuleLedger[]): boolean {
  return untilMs !== undefined && all.some((other) => other.rule === rule && other.untilMs === undefined);
}

/** Everything the /metrics page shows. */
export function selfStats({ aggregator, sinks, answers, lines }: Watched): SelfStats {
  const ledger = aggregator.engine.ledger();
  return {
    samplesReceived: ledger.samplesReceived,
    samplesMatched: ledger.samplesMatched,
    samplesIgnored: ledger.samplesIgnored,
    samplesInexact: ledger.samplesInexact,
    labelsLost: ledger.labelsLost,
    badUtf8: ledger.badUtf8,
    samplesPassed: ledger.samplesPassed,
    linesInvalid: ledger.linesInvalid,
    centroids: aggregator.engine.memory().centroids,
    series: ledger.series,
    windowsPartial: ledger.rules.reduce((sum, rule) => sum + rule.windowsPartial, 0),
    stdoutWaitingBytes: lines?.waitingBytes,
    losses: ledger.losses,
    flushLagSeconds: aggregator.flushLagSeconds,
    rules: ruleStats(ledger.rules.filter((rule) => !isReplaced(rule, ledger.rules))),
    sinks: [...sinks.map((sink) => ({ name: sink.name, stats: sink.stats() })), ...missingSinks(aggregator)],
    rowsArrived: aggregator.rowsArrived,
    answers: answers.all(),
  };
}

export function processLedger({ aggregator, sinks }: Watched): ProcessLedger {
  const ledger = aggregator.engine.ledger();
  const rules = ruleStats(ledger.rules);
  const sum = (pick: (rule: RuleStats) => number): number => rules.reduce((total, rule) => total + pick(rule), 0);
  const stats = [...sinks.map((sink) => sink.stats()), ...missingSinks(aggregator).map((missing) => missing.stats)];
  return {
    lines_read: ledger.linesRead,
    lines_invalid: Object.values(ledger.linesInvalid).reduce((total, lines) => total + lines, 0),
    samples_received: ledger.samplesReceived,
    samples_matched: ledger.samplesMatched,
    samples_ignored: ledger.samplesIgnored,
    samples_passed: ledger.samplesPassed,
    pairs_matched: sum((rule) => rule.pairsMatched),
    pairs_applied: sum((rule) => rule.pairsApplied),
    pairs_duplicate: sum((rule) => rule.pairsDuplicate),
    pairs_ignored: rules.reduce((into, rule) => addReasons(into, rule.pairsIgnored), {}),
    pairs_rejected: 0,
    pairs_pending: sum((rule) => rule.pairsPending),
    pairs_dropped: rules.reduce((into, rule) => addReasons(into, rule.pairsDropped), {}),
    rows_sent: aggregator.rowsSent,
    rows_arrived: aggregator.rowsArrived,
    rows_stored: stats.reduce((total, sink) => total + sink.stored, 0),
    rows_conflict: stats.reduce((total, sink) => total + sink.conflict, 0),
    rows_unknown: stats.reduce((total, sink) => total + sink.unknown, 0),
    rows_dropped: stats.reduce((into, sink) => addReasons(into, sink.dropped), {}),
    rows_moved: stats.reduce((total, sink) => total + sink.moved, 0),
    rows_queued: stats.reduce((total, sink) => total + sink.queueRows, 0),
    series: ledger.series,
    groups: sum((rule) => rule.groups),
    windows_flushed: sum((rule) => rule.windowsFlushed),
  };
}

/** `GET /api/v1/status`. */
export function statusPage(
  watched: Watched,
  about: { readonly version: string; readonly mode: string; readonly startedMs: number },
): Readonly<Record<string, unknown>> {
  const { sinks } = watched;
  const { engine } = watched.aggregator;
  return {
    ...about,
    // Crash safety comes with standbys and disk checkpoints; a clean stop keeps its state with --data.
    durability: "none",
    memory: engine.memory(),
    ledger: processLedger(watched),
    rules: engine.ledger().rules,
    sinks: sinks.map((sink) => ({ name: sink.name, ...sink.stats() })),
  };
}
