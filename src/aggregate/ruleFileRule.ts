// One rule: its fields -> a Rule with every default filled in. Checks that need this rule alone; ruleFileMerge.ts has those
// that need all rules.
import type { Output } from "./output.js";
import type { Rule } from "./rule.js";
import { readDedup, warnMerged } from "./ruleFileDedup.js";
import { type Fields, readBoolean, readCount, readDuration, readLabelNames, readText, readWord, refuse } from "./ruleFileFields.js";
import { readFilter } from "./ruleFileFilter.js";
import { acceptedKeys } from "./ruleFileKeys.js";
import { readLabels } from "./ruleFileLabels.js";
import { type Naming, plainLabel, readMatch, warnUnmatchable } from "./ruleFileMatch.js";
import { checkNames, readTemplate } from "./ruleFileNames.js";
import { type PlacedCall, readOutputs } from "./ruleFileOutputs.js";
import { positionOf, show } from "./ruleFileProblem.js";
import { readRelabel } from "./ruleFileRelabel.js";
import { checkRelabel } from "./ruleFileRelabelCheck.js";
import { ruleIdOf } from "./ruleId.js";

export interface RuleContext {
  readonly outputs: ReadonlyMap<string, Output>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly naming: Naming;
  /** What the process does with samples that no rule wants, where that is known. */
  readonly unmatched?: "drop" | "pass" | undefined;
}

/** A good rule and where its parts stand. */
export interface PlacedRule {
  readonly rule: Rule;
  readonly fields: Fields;
  readonly calls: readonly PlacedCall[];
}

const minuteMs = 60_000;
const hourMs = 3_600_000;
const defaults = { graceMs: 10_000, maxSeries: 1_000_000, maxGroups: 1_000_000 } as const;
const oneMs = { minMs: 1, minText: "1ms" } as const;

interface Grouping {
  readonly by: readonly string[] | undefined;
  readonly without: readonly string[] | undefined;
}

/** `by` without `__name__`, which it always implies; an empty list as written means "per series", in both. */
function readGrouping(fields: Fields, naming: Naming): Grouping {
  const by = readLabelNames(fields, "by");
  const without = readLabelNames(fields, "without");
  const byField = fields.byKey.get("by");
  const withoutField = fields.byKey.get("without");
  if (byField !== undefined && withoutField !== undefined) {
    refuse(fields, { at: withoutField.keyAt, path: withoutField.path }, "stands beside by", "keep one of them");
  }
  if (by?.length === 0 && byField !== undefined) {
    const cure = "for one group per metric use by: [__name__]; to drop labels use without";
    fields.problems.warning({
      file: fields.file,
      at: byField.value.at,
      path: byField.path,
      message: "an empty by aggregates each series on its own",
      cure,
    });
  }
  for (const field of [byField, withoutField]) {
    if (field?.value.kind !== "list" || naming !== "telegraf") continue;
    for (const [i, item] of field.value.items.entries()) {
      if (item.kind === "text" && item.text !== "" && !plainLabel.test(item.text)) {
        warnUnmatchable(fields, { at: item.at, path: `${field.path}[${String(i)}]` }, item.text);
      }
    }
  }
  return {
    by: by === undefined || by.length === 0 ? undefined : by.filter((label) => label !== "__name__"),
    without: without === undefined || without.length === 0 ? undefined : without,
  };
}

function readFirstSample(fields: Fields): Rule["firstSample"] | undefined {
  const own = readWord(fields, "first_sample", ["auto", "zero", "baseline"]);
  const peer = readDuration(fields, "ignore_first_sample_interval");
  const field = fields.byKey.get("ignore_first_sample_interval");
  if (field === undefined || peer === undefined) return own;
  if (fields.byKey.has("first_sample")) {
    return refuse(fields, { at: field.keyAt, path: field.path }, "stands beside first_sample, which means the same", "keep first_sample");
  }
  const message =
    peer.ms === 0 ? "accepted as first_sample: zero" : "accepted, without effect: first_sample: auto counts a first sample from 0 only with evidence";
  fields.problems.info({ file: fields.file, at: field.keyAt, path: field.path, message });
  return peer.ms === 0 ? "zero" : undefined;
}

function readLate(fields: Fields): Rule["late"] | undefined {
  const own = readWord(fields, "late", ["carry", "drop"]);
  const peer = readBoolean(fields, "ignore_old_samples");
  const field = fields.byKey.get("ignore_old_samples");
  if (field === undefined || peer === undefined) return own;
  if (fields.byKey.has("late")) return refuse(fields, { at: field.keyAt, path: field.path }, "stands beside late, which means the same", "keep late");
  const message = peer ? "accepted as late: drop" : "accepted as late: carry";
  fields.problems.info({ file: fields.file, at: field.keyAt, path: field.path, message });
  return peer ? "drop" : "carry";
}

/** Keys that change nothing here, and those this version cannot do. */
function checkOtherKeys(fields: Fields): void {
  for (const [key, { kind, why }] of Object.entries(acceptedKeys)) {
    const field = fields.byKey.get(key);
    if (field === undefined) continue;
    const read = kind === "boolean" ? readBoolean(fields, key) : readCount(fields, key, 0);
    if (read !== undefined) fields.problems.info({ file: fields.file, at: field.keyAt, path: field.path, message: why });
  }
}

function readStaleness(fields: Fields, interval: { text: string; ms: number }): number {
  const staleness = readDuration(fields, "staleness_interval", oneMs);
  const field = fields.byKey.get("staleness_interval");
  if (staleness === undefined || field === undefined) return Math.max(interval.ms, minuteMs);
  if (staleness.ms < interval.ms) {
    refuse(
      fields,
      { at: field.value.at, path: field.path },
      `${show(staleness.text)} is less than the interval ${show(interval.text)}`,
      `use ${interval.text} or more`,
    );
  }
  return staleness.ms;
}

function readInterval(fields: Fields): { text: string; ms: number } | undefined {
  const field = fields.byKey.get("interval");
  if (field === undefined) return refuse(fields, { at: fields.at, path: fields.path }, "interval is missing", "add interval: 1m");
  const interval = readDuration(fields, "interval", { minMs: 1000, minText: "1s" });
  if (interval !== undefined && !/^[a-zA-Z0-9]*$/.test(interval.text)) {
    const cure = `use ${String(interval.ms)}ms, or set output_name`;
    fields.problems.warning({
      file: fields.file,
      at: field.value.at,
      path: field.path,
      message: `${show(interval.text)} becomes part of the output names, which it makes unusual`,
      cure,
    });
  }
  return interval;
}

/** How long a silent series is remembered. Shorter than the interval, every counter would be new in every window. */
function readMemory(fields: Fields, interval: { text: string; ms: number }, counts: boolean): number {
  const memory = readDuration(fields, "series_memory", oneMs);
  const field = fields.byKey.get("series_memory");
  if (memory === undefined || field === undefined) return Math.max(interval.ms, hourMs);
  if (counts && memory.ms < interval.ms) {
    const message = `${show(memory.text)} is less than the interval ${show(interval.text)}: no counter would be remembered from window to window`;
    refuse(fields, { at: field.value.at, path: field.path }, message, `use ${interval.text} or more`);
  }
  return memory.ms;
}

/** Deltas carry no time span of their own, which a rate would divide by. */
function checkRates(fields: Fields, calls: readonly PlacedCall[], outputs: RuleContext["outputs"]): void {
  for (const { name, at, path } of calls) {
    if (outputs.get(name)?.kinds.includes("rate") !== true) continue;
    refuse(fields, { at, path }, `${name} needs cumulative counters, and temporality is delta`, "use increase or sum_samples, or remove temporality");
  }
}

/** The rule, or undefined when anything is wrong with it; every problem is reported in any case. */
export function readRule(fields: Fields, context: RuleContext): PlacedRule | undefined {
  const errorsBefore = fields.problems.errorCount;
  const name = readText(fields, "name")?.text ?? "";
  const match = readMatch(fields, context.naming);
  const interval = readInterval(fields);
  const { by, without } = readGrouping(fields, context.naming);
  const calls = readOutputs(fields, context.outputs);
  const keepMetricNames = readBoolean(fields, "keep_metric_names") ?? false;
  const outputName = readTemplate(fields);
  const labels = readLabels(fields, { by, calls: calls ?? [], outputs: context.outputs });
  const temporality = readWord(fields, "temporality", ["cumulative", "delta"]) ?? "cumulative";
  const kinds = (calls ?? []).flatMap((call) => context.outputs.get(call.name)?.kinds ?? []);
  const counts = temporality === "cumulative" && kinds.some((kind) => kind === "counter" || kind === "rate");
  if (temporality === "delta") checkRates(fields, calls ?? [], context.outputs);
  const settings = {
    graceMs: readDuration(fields, "grace")?.ms ?? defaults.graceMs,
    late: readLate(fields) ?? "carry",
    time: readWord(fields, "time", ["event", "arrival"]) ?? "event",
    firstSample: readFirstSample(fields) ?? "auto",
    seriesMemoryMs: readMemory(fields, interval ?? { text: "", ms: 0 }, counts),
    stalenessMs: readStaleness(fields, interval ?? { text: "", ms: 0 }),
    maxSeries: readCount(fields, "max_series", 1) ?? defaults.maxSeries,
    maxGroups: readCount(fields, "max_groups", 1) ?? defaults.maxGroups,
    temporality,
    matched: readWord(fields, "matched", ["drop", "keep"]) ?? "drop",
    type: readWord(fields, "type", ["counter", "gauge", "histogram"]),
    state: readWord(fields, "state", ["active", "shadow", "off"]) ?? "active",
  } as const;
  const relabelling = {
    filter: readFilter(fields),
    dropInputLabels: readLabelNames(fields, "drop_input_labels") ?? [],
    inputRelabel: readRelabel(fields, "input_relabel_configs", context.naming),
    outputRelabel: readRelabel(fields, "output_relabel_configs", context.naming),
  };
  const dedupMs = readDedup(fields, interval ?? { text: "", ms: 0 });
  warnMerged(fields, { ...relabelling, dedupMs });
  checkOtherKeys(fields);
  checkRelabel(fields, { ...relabelling, by, without, calls: calls ?? [], outputs: context.outputs, temporality: settings.temporality });
  checkNames(fields, { without, calls: calls ?? [], outputs: context.outputs, keepMetricNames, outputName });
  if (fields.problems.errorCount > errorsBefore || interval === undefined || calls === undefined) return undefined;
  const shape = {
    match,
    filter: relabelling.filter,
    dropInputLabels: relabelling.dropInputLabels,
    inputRelabel: relabelling.inputRelabel.map(({ step }) => step),
    outputRelabel: relabelling.outputRelabel.map(({ step }) => step),
    by,
    without,
    intervalMs: interval.ms,
    dedupMs,
    keepMetricNames,
    outputName,
    labels,
    temporality: settings.temporality,
    sketch: readWord(fields, "sketch", ["exponential", "tdigest"]) ?? "exponential",
  } as const;
  const id = ruleIdOf(shape);
  const { line, column } = positionOf(fields.file, fields.at);
  const place = `${fields.file.name}:${String(line)}:${String(column)}`;
  const outputs = calls.map((call) => ({ name: call.name, args: call.args }));
  return { rule: { ...shape, ...settings, id, name: name === "" ? id : name, place, interval: interval.text, outputs }, fields, calls };
}
