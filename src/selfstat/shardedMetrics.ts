// /metrics of an aggregator that owns what an assigner gives it: the aggregator's own, and what its Slicelet and the router inside say.
import type { Generation } from "../slice/generation.js";
import { type ByReason, type SelfStats, selfDefinitions } from "./metrics.js";
import { type Definition, type MetricsPage, metricsPage } from "./page.js";

/** At one instant; counts are since the start of the process. */
export interface ShardedStats extends SelfStats {
  /** Now. */
  readonly slicesOwned: number;
  /** Out, in, aborted, lost. */
  readonly moves: ByReason;
  /** How long the last slice that moved out was frozen here; undefined: none did. */
  readonly pauseSeconds: number | undefined;
  readonly generation: Generation;
  /** Requests of the router inside, by what owners made of them. */
  readonly batches: ByReason;
  readonly retentionBytes: number;
  readonly linesDropped: ByReason;
}

const gauge = (name: string, help: string, read: (stats: ShardedStats) => number | undefined): Definition<ShardedStats> => ({
  name,
  help,
  type: "gauge",
  labels: [],
  samples: (stats) => {
    const value = read(stats);
    return value === undefined ? [] : [[{}, value]];
  },
});

const byLabel = (name: string, label: string, help: string, read: (stats: ShardedStats) => ByReason): Definition<ShardedStats> => ({
  name,
  help,
  type: "counter",
  labels: [label],
  samples: (stats) => Object.entries(read(stats)).map(([value, count]) => [{ [label]: value }, count] as const),
});

const DEFINITIONS: readonly Definition<ShardedStats>[] = [
  ...selfDefinitions,
  gauge("limpet_slices_owned", "Key ranges this aggregator serves.", (s) => s.slicesOwned),
  byLabel("limpet_slice_moves_total", "reason", "Slices that moved: out, in, aborted, lost.", (s) => s.moves),
  gauge("limpet_slice_pause_seconds", "How long the last slice that moved out was frozen here.", (s) => s.pauseSeconds),
  gauge("limpet_generation_incarnation", "Store incarnation of the newest assignment.", (s) => s.generation.incarnation),
  gauge("limpet_generation_number", "Number of the newest assignment.", (s) => s.generation.number),
  byLabel("limpet_batches_total", "answer", "Batches the router inside sent, by what their owner made of them.", (s) => s.batches),
  gauge("limpet_retention_bytes", "Lines kept until their owners need them no more.", (s) => s.retentionBytes),
  byLabel("limpet_lines_dropped_total", "reason", "Lines lost on their way to an owner, by reason.", (s) => s.linesDropped),
];

export function shardedMetricsPage(snapshot: () => ShardedStats): MetricsPage {
  return metricsPage(DEFINITIONS, snapshot);
}

export const SHARDED_METRIC_NAMES: readonly string[] = DEFINITIONS.map(({ name }) => name);
