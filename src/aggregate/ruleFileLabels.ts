// `labels:`: constant labels of the outputs.
import type { Output } from "./output.js";
import { describe, type Fields, refuse } from "./ruleFileFields.js";
import { plainLabel } from "./ruleFileMatch.js";
import type { PlacedCall } from "./ruleFileOutputs.js";
import { show } from "./ruleFileProblem.js";

interface Uses {
  readonly by: readonly string[] | undefined;
  readonly calls: readonly PlacedCall[];
  readonly outputs: ReadonlyMap<string, Output>;
}

/** Labels the outputs themselves add, such as `quantile`. */
function rowLabels({ calls, outputs }: Uses): Map<string, string> {
  const used = new Map<string, string>();
  for (const call of calls) {
    for (const row of outputs.get(call.name)?.rows(call.args) ?? []) for (const [label] of row.labels) used.set(label, call.name);
  }
  return used;
}

/** A group's own label and an output's of the same name would stand in one row. */
function checkBy(fields: Fields, { by }: Uses, taken: ReadonlyMap<string, string>): void {
  const field = fields.byKey.get("by");
  const clash = by?.find((label) => taken.has(label));
  if (field === undefined || clash === undefined) return;
  refuse(fields, { at: field.value.at, path: field.path }, `the label ${clash} belongs to the output ${taken.get(clash) ?? ""}`, "take it out of by");
}

/** Sorted by name; empty without `labels`. */
export function readLabels(fields: Fields, uses: Uses): readonly (readonly [string, string])[] {
  const taken = rowLabels(uses);
  checkBy(fields, uses, taken);
  const field = fields.byKey.get("labels");
  if (field === undefined) return [];
  const { value, path } = field;
  if (value.kind !== "map") {
    refuse(fields, { at: value.at, path }, `${describe(value)} is not a map of labels`, "write {region: eu}");
    return [];
  }
  const labels: [string, string][] = [];
  for (const { key, keyAt, value: text } of value.entries) {
    const at = `${path}.${key}`;
    if (!plainLabel.test(key) || key.startsWith("__")) {
      refuse(fields, { at: keyAt, path: at }, `${show(key)} is not a label name`, "use letters, digits and _, not __ or a digit at the start");
    } else if (uses.by?.includes(key) === true) {
      refuse(fields, { at: keyAt, path: at }, `the label ${key} is also in by`, "take it out of one of them");
    } else if (taken.has(key)) {
      refuse(fields, { at: keyAt, path: at }, `the label ${key} belongs to the output ${taken.get(key) ?? ""}`, "use another name");
    } else if (text.kind !== "text") {
      refuse(
        fields,
        { at: text.kind === "null" ? keyAt : text.at, path: at },
        `${describe(text)} is not text`,
        text.kind === "number" || text.kind === "boolean" ? `quote it: "${text.text}"` : "write one value",
      );
    } else if (text.text === "") {
      refuse(fields, { at: text.at, path: at }, "an empty label is no label", "remove it");
    } else {
      labels.push([key, text.text]);
    }
  }
  return labels.sort(([a], [b]) => (a < b ? -1 : 1));
}
