// `outputs:`: calls such as `total` or `quantiles(0.5, 0.99)`, each checked by its own plugin.
import type { Output } from "./output.js";
import type { OutputCall } from "./rule.js";
import { cureFor, describe, type Fields, refuse } from "./ruleFileFields.js";
import { show } from "./ruleFileProblem.js";
import type { Value } from "./ruleFileYaml.js";

export interface PlacedCall extends OutputCall {
  readonly at: number;
  readonly path: string;
}

const call = /^([A-Za-z_][A-Za-z0-9_]*)\s*(?:\(([^()]*)\))?$/;
const number = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

interface Item {
  readonly value: Value;
  readonly path: string;
}

function readCall(fields: Fields, { value, path }: Item, outputs: ReadonlyMap<string, Output>): OutputCall | undefined {
  if (value.kind !== "text" || value.text === "") {
    return refuse(fields, { at: value.at, path }, `${value.kind === "text" ? '""' : describe(value)} is not an output`, "write a name such as total");
  }
  const text = value.text.trim();
  if (/\([^()]*$/.test(text)) {
    return refuse(fields, { at: value.at, path }, `${show(text)} is not closed`, 'inside [ ] quote the whole call: "quantiles(0.5, 0.99)"');
  }
  const found = call.exec(text);
  const name = found?.[1] ?? "";
  if (found === null)
    return refuse(fields, { at: value.at, path }, `${show(text)} is not an output`, 'write a name such as total, or "quantiles(0.5, 0.99)"');
  const output = outputs.get(name);
  if (output === undefined)
    return refuse(fields, { at: value.at, path }, `${show(name)} is not an output`, cureFor(name, [...outputs.keys()].sort()));
  const args: number[] = [];
  for (const word of (found[2] ?? "").trim() === "" ? [] : (found[2] ?? "").split(",")) {
    const arg = word.trim();
    if (!number.test(arg))
      return refuse(
        fields,
        { at: value.at, path },
        `${arg === "" ? '""' : show(arg)} is not a number in ${show(text)}`,
        'write "quantiles(0.5, 0.99)"',
      );
    args.push(Number(arg));
  }
  const wrong = output.check(args);
  return wrong === undefined ? { name, args } : refuse(fields, { at: value.at, path }, `${show(text)}: ${wrong}`);
}

/** The calls in the order of the file, each name once. */
export function readOutputs(fields: Fields, outputs: ReadonlyMap<string, Output>): readonly PlacedCall[] | undefined {
  const field = fields.byKey.get("outputs");
  if (field === undefined) return refuse(fields, { at: fields.at, path: fields.path }, "outputs is missing", "add outputs: [total]");
  const { value, path } = field;
  if (value.kind !== "list") {
    const cure = value.kind === "text" ? `write [${/[,(]/.test(value.text) ? JSON.stringify(value.text) : value.text}]` : "write [total]";
    return refuse(fields, { at: value.at, path }, `${describe(value)} is not a list of outputs`, cure);
  }
  if (value.items.length === 0) return refuse(fields, { at: value.at, path }, "the list is empty", "name an output, e.g. [total]");
  const calls = new Map<string, PlacedCall>();
  let good = true;
  for (const [i, item] of value.items.entries()) {
    const itemPath = `${path}[${String(i)}]`;
    const read = readCall(fields, { value: item, path: itemPath }, outputs);
    if (read === undefined) {
      good = false;
      // `[quantiles(0.5, 0.99)]` without quotes falls apart at the comma: one message for all the pieces.
      if (item.kind === "text" && /\([^()]*$/.test(item.text)) return undefined;
    } else if (calls.has(read.name)) {
      const cure = read.args.length > 0 ? `join the arguments in one ${read.name}(...)` : "remove one";
      refuse(fields, { at: item.at, path: itemPath }, `the output ${read.name} is named twice`, cure);
      good = false;
    } else {
      calls.set(read.name, { ...read, at: item.at, path: itemPath });
    }
  }
  return good ? [...calls.values()] : undefined;
}
