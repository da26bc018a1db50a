// What relabelling can do to a rule's identities, as far as its text shows:
//
//   output  a label the outputs are told apart by must not go or be renamed: several rows would become one series
//   input   labels taken off make several series one counter
//
// What only shows with the data (two values mapped to one) is refused at run time, as dropped{reason="identity"}.
import { compileRelabel, type WorkLabels } from "../metric/relabel.js";
import { compileLabelRegex } from "../metric/selectorRegex.js";
import type { Output } from "./output.js";
import type { Rule } from "./rule.js";
import { type Fields, refuse } from "./ruleFileFields.js";
import type { PlacedCall } from "./ruleFileOutputs.js";
import type { PlacedStep } from "./ruleFileRelabel.js";

export interface Relabelling {
  readonly dropInputLabels: readonly string[];
  readonly inputRelabel: readonly PlacedStep[];
  readonly outputRelabel: readonly PlacedStep[];
  readonly by: readonly string[] | undefined;
  readonly without: readonly string[] | undefined;
  readonly calls: readonly PlacedCall[];
  readonly outputs: ReadonlyMap<string, Output>;
  readonly temporality: Rule["temporality"];
}

/** Labels every output row is told apart by and that are known by name: `by`, the name, and what outputs add (quantile). */
function keptLabels({ by, calls, outputs }: Relabelling): readonly string[] {
  const added = calls.flatMap((call) => (outputs.get(call.name)?.rows(call.args) ?? []).flatMap((row) => row.labels.map(([label]) => label)));
  return [...new Set(["__name__", ...(by ?? []), ...added])];
}

/** Whether the step leaves a label of this name where it was. Whether its `if` holds depends on the data: it is taken to. */
function keepsName({ step }: PlacedStep, label: string): boolean {
  const { config } = step;
  if (config.action === "labeldrop" || config.action === "labelkeep" || config.action === "labelmap_all") {
    const labels: WorkLabels = [[label, "x"]];
    compileRelabel({ ...config, ifs: [] }).apply(labels);
    return labels.some(([name]) => name === label);
  }
  return !(config.action === "replace" && config.targetLabel === label && config.replacement === "");
}

/** Without `by` the kept labels are not known by name: a step that takes labels off may hit one, unless `without` has dropped it. */
function mayDropOther({ step }: PlacedStep, { by, without }: Relabelling): boolean {
  const { action, regex } = step.config;
  if (by !== undefined) return false;
  if (action === "labelkeep" || action === "labelmap_all") return true;
  if (action !== "labeldrop") return false;
  const compiled = regex === undefined ? undefined : compileLabelRegex(regex);
  const literals = compiled?.ok === true ? compiled.regex.literals : undefined;
  return literals?.every((label) => without?.includes(label)) !== true;
}

/** A step that always gives a label one value makes all groups equal in it. */
function fixes({ step: { config } }: PlacedStep, label: string): boolean {
  const plain = config.ifs.length === 0 && config.regex === undefined && config.targetLabel === label;
  return config.action === "replace" && plain && !config.replacement.includes("$") && !config.replacement.includes("{{");
}

function checkOutput(fields: Fields, relabelling: Relabelling): void {
  const kept = keptLabels(relabelling);
  const rows = relabelling.calls.reduce((sum, call) => sum + (relabelling.outputs.get(call.name)?.rows(call.args).length ?? 0), 0);
  for (const placed of relabelling.outputRelabel) {
    const { action } = placed.step.config;
    const lost = kept.find((label) => !keepsName(placed, label));
    const fixed = kept.find((label) => fixes(placed, label) && (label !== "__name__" || rows > 1));
    if (lost !== undefined) {
      const cure = relabelling.by?.includes(lost) === true ? `take ${lost} out of by, or out of this step` : `keep ${lost}`;
      refuse(fields, placed, `${action} takes ${lost} away, by which the output series are told apart`, cure);
    } else if (mayDropOther(placed, relabelling)) {
      refuse(fields, placed, `${action} can take labels away by which the output series are told apart`, "use by or without to drop labels");
    } else if (fixed !== undefined) {
      refuse(fields, placed, `${action} gives ${fixed} one value, but the output series are told apart by it`, `leave ${fixed} as it is`);
    }
  }
}

/** Counters whose series differ only in what is taken off count as one: their samples look like resets. */
function checkInput(fields: Fields, { dropInputLabels, inputRelabel, calls, outputs, temporality }: Relabelling): void {
  if (temporality === "delta") return;
  const counter = calls.find((call) => outputs.get(call.name)?.kinds.includes("counter") === true);
  if (counter === undefined) return;
  const message = `series that differ only in what this takes off count as one counter in ${counter.name}, as in vmagent`;
  const cure = "drop labels with without or by";
  const field = fields.byKey.get("drop_input_labels");
  if (field !== undefined && dropInputLabels.length > 0) {
    fields.problems.warning({ file: fields.file, at: field.keyAt, path: field.path, message, cure });
  }
  for (const { step, at, path } of inputRelabel) {
    if (step.config.action === "labeldrop" || step.config.action === "labelkeep") {
      fields.problems.warning({ file: fields.file, at, path, message, cure });
    }
  }
}

/** Reports what is wrong with the relabelling as a whole; its steps alone are good. */
export function checkRelabel(fields: Fields, relabelling: Relabelling): void {
  const field = fields.byKey.get("drop_input_labels");
  if (field !== undefined && relabelling.dropInputLabels.includes("__name__")) {
    refuse(fields, { at: field.value.at, path: field.path }, "a series without __name__ has no output name", "take __name__ out");
  }
  checkOutput(fields, relabelling);
  checkInput(fields, relabelling);
}
