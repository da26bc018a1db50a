// What the outputs of one rule may be called: `output_name`, `keep_metric_names`, and a metric name that is grouped away.
import { nearest } from "../base/nearest.js";
import type { Output } from "./output.js";
import { placeholders } from "./outputName.js";
import { type Fields, readText, refuse } from "./ruleFileFields.js";
import type { PlacedCall } from "./ruleFileOutputs.js";
import { show } from "./ruleFileProblem.js";

/** The template of `output_name`, checked: known placeholders, and characters a metric name may have. */
export function readTemplate(fields: Fields): string | undefined {
  const read = readText(fields, "output_name");
  if (read === undefined) return undefined;
  const { text, field, locate } = read;
  if (text === "") return refuse(fields, { at: field.value.at, path: field.path }, "is empty", "write {metric}:{interval}_{output}");
  let plain = "";
  let copied = 0;
  for (const found of text.matchAll(/\{([^{}]*)\}/g)) {
    const word = found[1] ?? "";
    if (!placeholders.some((placeholder) => placeholder === word)) {
      const near = nearest(word, placeholders);
      const cure = near === undefined ? "use {metric}, {interval}, {by}, {without} or {output}" : `did you mean {${near}}?`;
      return refuse(fields, { at: locate(found.index), path: field.path }, `${show(found[0])} is not a placeholder`, cure);
    }
    plain += `${text.slice(copied, found.index)}${word === "metric" ? "m" : "_"}`;
    copied = found.index + found[0].length;
  }
  plain += text.slice(copied);
  if (/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(plain)) return text;
  const bad = text.search(/[^a-zA-Z0-9_:{}]/);
  return refuse(
    fields,
    { at: bad < 0 ? field.value.at : locate(bad), path: field.path },
    `${show(text)} does not make a metric name`,
    "use letters, digits, _ and :, not a digit at the start; placeholders in {}",
  );
}

interface Naming {
  readonly without: readonly string[] | undefined;
  readonly calls: readonly PlacedCall[];
  readonly outputs: ReadonlyMap<string, Output>;
  readonly keepMetricNames: boolean;
  readonly outputName: string | undefined;
}

function checkKeep(fields: Fields, naming: Naming): void {
  const keep = fields.byKey.get("keep_metric_names");
  if (keep === undefined || !naming.keepMetricNames) return;
  const { value, path } = keep;
  if (fields.byKey.has("output_name")) refuse(fields, { at: keep.keyAt, path }, "stands beside output_name", "keep one of them");
  if (naming.calls.length > 1) {
    refuse(
      fields,
      { at: value.at, path },
      `${String(naming.calls.length)} outputs would have one name`,
      "keep one output, or remove keep_metric_names",
    );
  }
  for (const call of naming.calls) {
    const rows = naming.outputs.get(call.name)?.rows(call.args) ?? [];
    if (rows.length === 1 && rows[0]?.labels.length === 0) continue;
    refuse(fields, { at: value.at, path }, `the output ${call.name} makes several series per group`, `remove keep_metric_names or ${call.name}`);
  }
}

export function checkNames(fields: Fields, naming: Naming): void {
  checkKeep(fields, naming);
  const template = naming.outputName;
  const without = fields.byKey.get("without");
  if (naming.without?.includes("__name__") === true && without !== undefined) {
    if (fields.byKey.get("output_name") === undefined) {
      refuse(
        fields,
        { at: without.value.at, path: without.path },
        "without __name__ the outputs have no name",
        "add output_name, or take __name__ out",
      );
    } else if (template?.includes("{metric}") === true) {
      const field = fields.byKey.get("output_name");
      refuse(
        fields,
        { at: field?.value.at ?? fields.at, path: field?.path ?? fields.path },
        "{metric} is empty: without has __name__",
        "write a constant name",
      );
    }
  }
  const field = fields.byKey.get("output_name");
  if (template !== undefined && field !== undefined && !template.includes("{output}") && naming.calls.length > 1) {
    refuse(
      fields,
      { at: field.value.at, path: field.path },
      `${String(naming.calls.length)} outputs would have the name ${show(template)}`,
      "add {output} to it",
    );
  }
}
