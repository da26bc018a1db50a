// The naive implementation of Limpet's aggregation, which every output of the engine is compared with: what `replay`
// prints for these rules and points. Nothing is late, nothing is capped, all windows close in order at the end of input.
//
//   points -> samples -> per rule: groups -> windows (start -> the samples themselves) -> rows
//
// It keeps every sample and computes each number from scratch with exact rationals. It shares no code with src/, only two
// types, and does not do: lateness, futures, caps, relabelling, selectors or rules as text.
//
// A rule's windows close from its first applied sample's to its last one's (`replay`), or until every group is retired (a
// process that lives on). A group is idle in between while it is active: its latest sample lies at most `staleness` before the
// window's end.
import { applyCounter, type Completeness, type LastValues, learnCounter } from "./counters.js";
import type { ExpectedRow } from "./expectedRow.js";
import { identity, samplesOf } from "./naming.js";
import { COUNTER_OUTPUTS, type ReferenceWindow, type Running, type TimedValue, valuesOf } from "./outputs.js";
import type { Point, Sample } from "./point.js";
import { matches, outputLabelsOf, outputNameOf, type ReferenceRule } from "./referenceRule.js";

type OpenWindow = Omit<ReferenceWindow, "running" | "values"> & { readonly values: TimedValue[] };

interface Group {
  /** A metric that belongs to it: names of all its outputs follow from it. */
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  /** By start. Has a window exactly where a sample was applied. */
  readonly windows: Map<number, OpenWindow>;
  readonly lasts: LastValues;
  /** Times of applied samples. */
  readonly times: number[];
}

function emptyWindow(): OpenWindow {
  return { values: [], increments: [], known: [], rates: new Map() };
}

function windowAt(group: Group, start: number): OpenWindow {
  let window = group.windows.get(start);
  if (window === undefined) {
    window = emptyWindow();
    group.windows.set(start, window);
  }
  return window;
}

function groupOf(groups: Map<string, Group>, rule: ReferenceRule, sample: Sample): Group {
  const labels = outputLabelsOf(rule, sample);
  const key = identity(outputNameOf(rule, sample.name, ""), labels);
  let group = groups.get(key);
  if (group === undefined) {
    group = { metric: sample.name, labels: Object.fromEntries(labels), windows: new Map(), lasts: new Map(), times: [] };
    groups.set(key, group);
  }
  return group;
}

function startOf({ intervalMs }: ReferenceRule, { timeMs }: Sample): number {
  return Math.floor(timeMs / intervalMs) * intervalMs;
}

function fromOf({ validity }: ReferenceRule): number {
  return validity?.fromMs ?? Number.NEGATIVE_INFINITY;
}

/** Whether the rule counts for the window that starts then. */
function isWithin(rule: ReferenceRule, start: number): boolean {
  return start >= fromOf(rule) && start < (rule.validity?.untilMs ?? Number.POSITIVE_INFINITY);
}

function applySample(rule: ReferenceRule, group: Group, sample: Sample, complete: Completeness): void {
  const start = startOf(rule, sample);
  const isCounter = (name: string): boolean => COUNTER_OUTPUTS.includes(name);
  if (!isWithin(rule, start)) {
    if (start < fromOf(rule) && rule.outputs.some(({ name }) => isCounter(name))) learnCounter(rule, group.lasts, sample);
    return;
  }
  let applied = false;
  if (rule.outputs.some(({ name }) => isCounter(name))) {
    applied = applyCounter(rule, group.lasts, { window: () => windowAt(group, start), complete }, sample);
  }
  // No bucket holds a negative value.
  if (rule.outputs.some(({ name }) => !isCounter(name) && (name !== "histogram_bucket" || sample.value >= 0))) {
    windowAt(group, start).values.push({ timeMs: sample.timeMs, value: sample.value, series: sample.series });
    applied = true;
  }
  if (applied) group.times.push(sample.timeMs);
}

function rowsOfWindow(rule: ReferenceRule, group: Group, window: ReferenceWindow, end: number): ExpectedRow[] {
  return rule.outputs.flatMap((output) =>
    valuesOf(output, window).map(({ labels, value, tolerance }) => ({
      name: outputNameOf(rule, group.metric, output.name),
      labels: { ...group.labels, ...labels },
      timestamp: end,
      value,
      tolerance,
    })),
  );
}

function rowsOfGroup(rule: ReferenceRule, group: Group, lastStart: number): ExpectedRow[] {
  const rows: ExpectedRow[] = [];
  const times = [...group.times].sort((a, b) => a - b);
  const starts = [...group.windows.keys()].sort((a, b) => a - b);
  let running: Running = { increments: [], known: [], values: [] };
  for (let start = starts[0] ?? Number.POSITIVE_INFINITY; start <= lastStart; start += rule.intervalMs) {
    // A rule that ends says nothing more.
    if (!isWithin(rule, start)) break;
    const end = start + rule.intervalMs;
    const latest = times.findLast((time) => time < end);
    if (latest === undefined || end - latest > rule.stalenessMs) {
      running = { increments: [], known: [], values: [] };
      const next = starts.find((later) => later > start);
      if (next === undefined) break;
      start = next - rule.intervalMs;
      continue;
    }
    const window = group.windows.get(start) ?? emptyWindow();
    running.increments.push(...window.increments);
    running.known.push(...window.known);
    running.values.push(...window.values.map(({ value }) => value));
    rows.push(...rowsOfWindow(rule, group, { ...window, running }, end));
  }
  return rows;
}

/** The last window to close. */
export type End = "last sample" | "all retired";

interface Input {
  readonly samples: readonly Sample[];
  readonly complete: Completeness;
  readonly end: End;
}

/** The samples that count: of each series one per dedup interval, the newest, of equal times the larger value; in the order of time. */
function deduplicated(rule: ReferenceRule, samples: readonly Sample[]): readonly Sample[] {
  if (rule.dedupMs === 0) return samples;
  const kept = new Map<string, Sample>();
  for (const sample of samples) {
    const key = JSON.stringify([sample.series, Math.floor(sample.timeMs / rule.dedupMs)]);
    const known = kept.get(key);
    const better = known === undefined || sample.timeMs > known.timeMs || (sample.timeMs === known.timeMs && sample.value > known.value);
    if (better) kept.set(key, sample);
  }
  return [...kept.values()].sort((a, b) => a.timeMs - b.timeMs);
}

function rowsOfRule(rule: ReferenceRule, { samples, complete: all, end }: Input): ExpectedRow[] {
  const groups = new Map<string, Group>();
  const complete = { sinceMs: Math.max(all.sinceMs, Math.ceil(fromOf(rule) / rule.intervalMs) * rule.intervalMs) };
  const matched = samples.filter((sample) => matches(rule, sample));
  for (const sample of deduplicated(rule, matched)) applySample(rule, groupOf(groups, rule, sample), sample, complete);
  const starts = [...groups.values()].flatMap((group) => [...group.windows.keys()]);
  // A sample that is held opens its window, whatever becomes of it.
  if (rule.dedupMs > 0) starts.push(...matched.map(({ timeMs }) => Math.floor(timeMs / rule.intervalMs) * rule.intervalMs));
  const lastStart = end === "last sample" ? Math.max(...starts) : Number.POSITIVE_INFINITY;
  return [...groups.values()].flatMap((group) => rowsOfGroup(rule, group, lastStart));
}

/** Every row that the rules make of the points, given in arrival order. Rows come in no particular order. */
export function referenceRows(rules: readonly ReferenceRule[], points: readonly Point[], end: End = "last sample"): ExpectedRow[] {
  const samples = points.flatMap(samplesOf);
  const first = samples.find((sample) => rules.some((rule) => matches(rule, sample)));
  if (first === undefined) return [];
  const input = { samples, complete: { sinceMs: first.timeMs }, end };
  return rules.flatMap((rule) => rowsOfRule(rule, input));
}
