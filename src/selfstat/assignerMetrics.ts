// /metrics of the assigner.
import type { AnswerCount } from "../http/answerCounts.js";
import type { Generation } from "../slice/generation.js";
import type { ResourceState } from "../slice/resource.js";
import type { ByReason } from "./metrics.js";
import { type Definition, type MetricsPage, metricsPage } from "./page.js";

/** At one instant. Numbers count since the start of the process, except where "now" is said. */
export interface AssignerStats {
  /** Of the newest Assignment; undefined: there is none. */
  readonly generation: Generation | undefined;
  /** Now. */
  readonly resources: Readonly<Record<ResourceState, number>>;
  /** Now, in all, owned by nobody, and being handed over. */
  readonly slices: number;
  readonly slicesHeld: number;
  readonly slicesMoving: number;
  /** Largest load of a Resource over the mean, now; undefined: no load. */
  readonly imbalance: number | undefined;
  /** Slices that got another owner. */
  readonly moves: ByReason;
  /** Moves that their owner called off. */
  readonly movesAborted: number;
  readonly heartbeats: number;
  readonly commits: ByReason;
  /** Now. */
  readonly watchers: number;
  readonly watchersDropped: number;
  /** Of the HTTP server. */
  readonly answers: Iterable<AnswerCount>;
}

export function assignerMetricsPage(snapshot: () => AssignerStats): MetricsPage {
  return metricsPage(DEFINITIONS, snapshot);
}

type Row = readonly [name: string, type: "counter" | "gauge", help: string, read: (stats: AssignerStats) => number | undefined];

const ROWS: readonly Row[] = [
  ["limpet_generation_incarnation", "gauge", "Store incarnation of the newest Assignment.", (s) => s.generation?.incarnation],
  ["limpet_generation_number", "gauge", "Number of the newest Assignment.", (s) => s.generation?.number],
  ["limpet_slices", "gauge", "Slices of the newest Assignment.", (s) => s.slices],
  ["limpet_slices_held", "gauge", "Slices that nobody owns; routers keep their samples.", (s) => s.slicesHeld],
  ["limpet_slices_moving", "gauge", "Slices that are being handed over.", (s) => s.slicesMoving],
  ["limpet_load_imbalance_ratio", "gauge", "Largest load of a running Resource over the mean.", (s) => s.imbalance],
  ["limpet_slice_moves_aborted_total", "counter", "Moves that the owner called off.", (s) => s.movesAborted],
  ["limpet_heartbeats_total", "counter", "Reports of Slicelets.", (s) => s.heartbeats],
  ["limpet_watchers", "gauge", "Connections that watch the Assignment.", (s) => s.watchers],
  ["limpet_watchers_dropped_total", "counter", "Watchers cut off because they did not read.", (s) => s.watchersDropped],
];

function single([name, type, help, read]: Row): Definition<AssignerStats> {
  return {
    name,
    help,
    type,
    labels: [],
    samples: (stats) => {
      const value = read(stats);
      return value === undefined ? [] : [[{}, value]];
    },
  };
}

const DEFINITIONS: readonly Definition<AssignerStats>[] = [
  ...ROWS.map(single),
  {
    name: "limpet_resources",
    help: "Resources known, by state.",
    type: "gauge",
    labels: ["state"],
    samples: ({ resources }) => Object.entries(resources).map(([state, value]) => [{ state }, value] as const),
  },
  {
    name: "limpet_slice_moves_total",
    help: "Slices that got another owner, by reason.",
    type: "counter",
    labels: ["reason"],
    samples: ({ moves }) => Object.entries(moves).map(([reason, value]) => [{ reason }, value] as const),
  },
  {
    name: "limpet_assignment_commits_total",
    help: "Writes of an Assignment to the store, by outcome.",
    type: "counter",
    labels: ["outcome"],
    samples: ({ commits }) => Object.entries(commits).map(([outcome, value]) => [{ outcome }, value] as const),
  },
  {
    name: "limpet_http_requests_total",
    help: "Requests by path and answer.",
    type: "counter",
    labels: ["path", "status"],
    samples: ({ answers }) => Array.from(answers, ({ path, status, count }) => [{ path, status: String(status) }, count] as const),
  },
];

/** In the order of the page. */
export const ASSIGNER_METRIC_NAMES: readonly string[] = DEFINITIONS.map(({ name }) => name);
