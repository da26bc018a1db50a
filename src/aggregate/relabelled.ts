// What a rule makes of a Series before it groups, and of an output row before it is written.
//
//   line ─filter─▶ Series ─match─▶ drop_input_labels ─▶ input relabelling ─▶ group ... rows ─▶ output relabelling ─▶ sent
//
// Cold path: asked once per new Series, and once per new Group.
import { sanitizeForSink } from "../metric/naming.js";
import { relabel } from "../metric/relabel.js";
import { encodeLabels, type LabelBytes, rowLabels } from "../metric/rowWriter.js";
import type { Series } from "../metric/series.js";
import { acceptsField, acceptsLine, type RawLine } from "../metric/telegrafFilter.js";
import { compareUtf8 } from "../metric/utf8.js";
import type { CompiledRule } from "./compile.js";
import { outputNameOf, sliceStemOf } from "./outputName.js";
import type { Rule } from "./rule.js";
import { sliceBytes } from "./sliceBytes.js";

/**
 * The Series as the rule groups it, `series` itself when the rule changes nothing. undefined: the rule does not take it (a filter, a
 * relabelling step that drops it, or one that leaves it without a name).
 */
export function inputOf(rule: Rule, series: Series, raw: () => RawLine, field: string): Series | undefined {
  const { filter, dropInputLabels, inputRelabel } = rule;
  if (filter !== undefined && !(acceptsField(filter, field) && acceptsLine(filter, raw()))) return undefined;
  const labels = dropInputLabels.length === 0 ? series.labels : series.labels.filter(([name]) => !dropInputLabels.includes(name));
  const dropped = labels.length === series.labels.length ? series : { name: series.name, labels };
  if (inputRelabel.length === 0) return dropped;
  const changed = relabel(inputRelabel, dropped);
  return changed === undefined || changed.name === "" ? undefined : valid(changed);
}

/** What a step has made of names may be none that a receiver takes. Of labels that become one, the first stays. */
function valid(series: Series): Series {
  const labels = new Map<string, string>();
  for (const [name, value] of series.labels) {
    const label = sanitizeForSink(name, "label");
    if (!labels.has(label)) labels.set(label, value);
  }
  return { name: sanitizeForSink(series.name, "metric"), labels: sorted([...labels]) };
}

/** A Series as it came in, as the labels of a row (metric/rowBlock.ts). */
export function rawRowLabels(series: Series): Buffer {
  const { name, labels } = valid(series);
  return encodeLabels(
    rowLabels(
      Buffer.from(name),
      labels.filter(([label, value]) => label !== "__name__" && value !== ""),
    ),
  );
}

function sorted(labels: Series["labels"]): Series["labels"] {
  return [...labels].sort(([a], [b]) => compareUtf8(a, b));
}

/** One output row of a Group, relabelled. undefined: not sent. */
export type OutputRowSeries = Series | undefined;

/** Past so many rows of one output (histogram_bucket has hundreds) the first speaks for all: they differ by the output's own label. */
const ROWS_MAX = 32;

/** One row of a Group as it is sent: row `r` of output `i`. */
export function outputRowOf(
  compiled: CompiledRule,
  group: { readonly metric: string; readonly labels: Series["labels"] },
  i: number,
  r: number,
): OutputRowSeries {
  const entry = compiled.outputs[i];
  const row = entry?.rows[r];
  if (entry === undefined || row === undefined) return undefined;
  const name = outputNameOf(compiled.rule, group.metric, entry.output.name);
  const own = new Set(row.labels.map(([label]) => label));
  const series = { name, labels: sorted([...group.labels.filter(([label]) => !own.has(label)), ...row.labels]) };
  if (compiled.rule.outputRelabel.length === 0) return series;
  const changed = relabel(compiled.rule.outputRelabel, series);
  return changed === undefined || changed.name === "" ? undefined : valid(changed);
}

/** A Group's rows by output, of an output with very many the first. */
export function outputSeriesOf(compiled: CompiledRule, metric: string, labels: Series["labels"]): readonly (readonly OutputRowSeries[])[] {
  return compiled.outputs.map(({ rows }, i) =>
    (rows.length > ROWS_MAX ? rows.slice(0, 1) : rows).map((_row, r) => outputRowOf(compiled, { metric, labels }, i, r)),
  );
}

/** Whole label sets as the writer takes them, each made when it is first asked for. */
export function relabelledRows(
  compiled: CompiledRule,
  metric: string,
  labels: Series["labels"],
): (output: number, row: number) => readonly LabelBytes[] | undefined {
  const encoder = new TextEncoder();
  const made = new Map<number, readonly LabelBytes[] | undefined>();
  return (output, row) => {
    const place = row * compiled.outputs.length + output;
    const known = made.get(place);
    if (known !== undefined || made.has(place)) return known;
    const series = outputRowOf(compiled, { metric, labels }, output, row);
    const bytes = series === undefined ? undefined : rowLabels(encoder.encode(series.name), series.labels);
    made.set(place, bytes);
    return bytes;
  };
}

/**
 * What the SliceKey of a Group is the hash of (its upper 32 bits). With relabelled outputs: the labels of its first row that is sent,
 * and that row's name when a step has changed it, so that Groups that could write one row meet. Steps that tell outputs apart by
 * name may still part them.
 */
export function sliceBytesOf(compiled: CompiledRule, metric: string, labels: Series["labels"]): Uint8Array {
  const stem = sliceStemOf(compiled.rule, metric);
  if (compiled.rule.outputRelabel.length === 0) return sliceBytes(stem, labels);
  for (const [i, rows] of outputSeriesOf(compiled, metric, labels).entries()) {
    const first = rows.find((row) => row !== undefined);
    if (first === undefined) continue;
    const own = outputNameOf(compiled.rule, metric, compiled.outputs[i]?.output.name ?? "");
    return sliceBytes(first.name === own ? stem : first.name, first.labels);
  }
  return sliceBytes(stem, labels);
}
