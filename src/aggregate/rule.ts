// A Rule as the engine runs it: validated, defaults filled in, durations in milliseconds.
// ruleFile.ts makes Rules out of YAML; compile.ts lays them out in kernel memory. DIALECT (docs/rules.md) explains each key.
import type { RelabelStep } from "../metric/relabel.js";
import type { Selector } from "../metric/selector.js";
import type { TelegrafFilter } from "../metric/telegrafFilter.js";

/** Of the Windows that start within it, event time in ms: `fromMs` counts, `untilMs` does not. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Of a rule in one unbroken run of versions. Invariant: the runs of one rule id do not overlap. */
export interface RuleValidity extends Validity {
  /** When the run began: the run's identity. `fromMs`, or later where nobody knows the versions before any more. */
  readonly sinceMs: number;
}

/** One entry of `outputs:`, e.g. `quantiles(0.5, 0.99)` -> { name: "quantiles", args: [0.5, 0.99] }. */
export interface OutputCall {
  readonly name: string;
  readonly args: readonly number[];
  /** Of its rows; undefined: as long as the rule's. */
  readonly validity?: Validity;
}

export interface Rule {
  /** 16 hex digits: XXH64 over everything that shapes state. Two files that agree on it share state. */
  readonly id: string;
  /** `name:` of the file, else the id. Labels self-metrics and messages. */
  readonly name: string;
  /** Where it stands, `file:line:column`, for messages. */
  readonly place: string;
  /** Alternatives; a Series matches when any of them does. Empty: everything matches. */
  readonly match: readonly Selector[];
  /** Telegraf's filters, AND with match. */
  readonly filter: TelegrafFilter | undefined;
  /** Labels taken off before input relabelling, sorted. */
  readonly dropInputLabels: readonly string[];
  readonly inputRelabel: readonly RelabelStep[];
  /** Over every output row: its name, its Group's labels, its own (quantile). */
  readonly outputRelabel: readonly RelabelStep[];
  /** The interval as written: it is part of the output name. */
  readonly interval: string;
  readonly intervalMs: number;
  /** Of one Series one sample counts per so many ms, which divide the interval; 0: all do. */
  readonly dedupMs: number;
  /** Sorted label names; undefined when the rule has no `by`. `by` and `without` never both. */
  readonly by: readonly string[] | undefined;
  readonly without: readonly string[] | undefined;
  readonly outputs: readonly OutputCall[];
  readonly keepMetricNames: boolean;
  /** Template with {metric} {interval} {by} {without} {output}; undefined: vmagent's form. */
  readonly outputName: string | undefined;
  /** Constant labels added to every output, sorted by name. */
  readonly labels: readonly (readonly [string, string])[];
  readonly graceMs: number;
  readonly late: "carry" | "drop";
  readonly time: "event" | "arrival";
  readonly firstSample: "auto" | "zero" | "baseline";
  readonly seriesMemoryMs: number;
  readonly stalenessMs: number;
  readonly maxSeries: number;
  readonly maxGroups: number;
  /** How quantiles are kept. */
  readonly sketch: "exponential" | "tdigest";
  readonly temporality: "cumulative" | "delta";
  /** Whether the raw samples it matched pass on, too. */
  readonly matched: "drop" | "keep";
  /** What receivers are told the outputs are; undefined: by output. */
  readonly type: "counter" | "gauge" | "histogram" | undefined;
  readonly state: "active" | "shadow" | "off";
  /** While versions change (ruleVersions.ts); undefined: always. */
  readonly validity?: RuleValidity;
}
