// /metrics of a router.
import type { AnswerCount } from "../http/answerCounts.js";
import type { Generation } from "../slice/generation.js";
import type { ByReason } from "./metrics.js";
import { type Definition, type MetricsPage, metricsPage } from "./page.js";

/** At one instant. Numbers count since the start of the process, except where "now" is said. */
export interface RouterStats {
  /** Samples. received = matched + ignored. */
  readonly samplesReceived: number;
  readonly samplesMatched: number;
  readonly samplesIgnored: ByReason;
  readonly linesInvalid: ByReason;
  /** A line for two owners counts twice. */
  readonly linesDropped: ByReason;
  /** Requests by what owners made of them. */
  readonly batches: ByReason;
  readonly batchesUnprotected: number;
  /** Now. */
  readonly retentionBytes: number;
  readonly retentionBytesMax: number;
  readonly lanes: number;
  readonly generation: Generation;
  /** How often the cache of series was forgotten for want of memory. */
  readonly cacheResets: number;
  /** Of the HTTP server. */
  readonly answers: Iterable<AnswerCount>;
}

export function routerMetricsPage(snapshot: () => RouterStats): MetricsPage {
  return metricsPage(DEFINITIONS, snapshot);
}

type Row = readonly [name: string, type: "counter" | "gauge", help: string, read: (stats: RouterStats) => number];

const ROWS: readonly Row[] = [
  ["limpet_samples_received_total", "counter", "Samples read from valid lines.", (s) => s.samplesReceived],
  ["limpet_samples_matched_total", "counter", "Samples that at least one rule wanted.", (s) => s.samplesMatched],
  [
    "limpet_batches_unprotected_total",
    "counter",
    "Batches given up after they were applied and before they were durable: a crash of their owner then lost them.",
    (s) => s.batchesUnprotected,
  ],
  ["limpet_retention_bytes", "gauge", "Lines kept until their owners need them no more.", (s) => s.retentionBytes],
  ["limpet_retention_max_bytes", "gauge", "Cap of limpet_retention_bytes.", (s) => s.retentionBytesMax],
  ["limpet_lanes", "gauge", "Owners of the newest assignment, one more when slices are held.", (s) => s.lanes],
  ["limpet_generation_incarnation", "gauge", "Store incarnation of the newest assignment.", (s) => s.generation.incarnation],
  ["limpet_generation_number", "gauge", "Number of the newest assignment.", (s) => s.generation.number],
  ["limpet_series_cache_resets_total", "counter", "Times the cache of series was forgotten because --memory-max was near.", (s) => s.cacheResets],
];

type Labelled = readonly [name: string, label: string, help: string, read: (stats: RouterStats) => ByReason];

const LABELLED: readonly Labelled[] = [
  ["limpet_samples_ignored_total", "reason", "Samples that no rule wanted or could want, by reason.", (s) => s.samplesIgnored],
  ["limpet_lines_invalid_total", "reason", "Lines that are not line protocol, by reason.", (s) => s.linesInvalid],
  ["limpet_lines_dropped_total", "reason", "Lines lost on their way to an owner, by reason.", (s) => s.linesDropped],
  ["limpet_batches_total", "answer", "Batches sent, by what their owner made of them.", (s) => s.batches],
];

const DEFINITIONS: readonly Definition<RouterStats>[] = [
  ...ROWS.map(([name, type, help, read]): Definition<RouterStats> => ({ name, type, help, labels: [], samples: (stats) => [[{}, read(stats)]] })),
  ...LABELLED.map(
    ([name, label, help, read]): Definition<RouterStats> => ({
      name,
      type: "counter",
      help,
      labels: [label],
      samples: (stats) => Object.entries(read(stats)).map(([value, count]) => [{ [label]: value }, count] as const),
    }),
  ),
  {
    name: "limpet_http_requests_total",
    help: "HTTP requests answered, by path and status.",
    type: "counter",
    labels: ["path", "status"],
    samples: ({ answers }) => [...answers].map(({ path, status, count }) => [{ path, status: String(status) }, count] as const),
  },
];

/** Every limpet_ name of the router's page. */
export const ROUTER_METRIC_NAMES: readonly string[] = DEFINITIONS.map(({ name }) => name);
