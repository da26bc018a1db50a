// Relabelling: one step of `input_relabel_configs` or `output_relabel_configs`, with vmagent's actions (all but graphite).
//
//   labels (with __name__) ─▶ step ─▶ ... ─▶ step ─▶ empty labels go ─▶ labels
//                              └─ drop, or no label left: the series is gone
//
// Oracle: vmagent 1.145 (test/fixtures/relabel-vmagent.json holds its answers). Like it: a missing label is "", hashmod is XXH64,
// replacements know $1, ${name}, $$ and {{label}}. Unlike it: labels that end up with one name are kept once, the first.
// relabelConfig.ts says what is wrong with a configuration; this file trusts it.
import { RE2JS } from "re2js";
import { xxh64 } from "../base/xxh64.js";
import { matchesSelector, type Selector } from "./selector.js";
import type { Series } from "./series.js";
import { compareUtf8 } from "./utf8.js";

export const relabelActions = [
  "replace",
  "replace_all",
  "keep",
  "drop",
  "keep_if_equal",
  "drop_if_equal",
  "keep_if_contains",
  "drop_if_contains",
  "keepequal",
  "dropequal",
  "keep_metrics",
  "drop_metrics",
  "uppercase",
  "lowercase",
  "hashmod",
  "labelmap",
  "labelmap_all",
  "labeldrop",
  "labelkeep",
] as const;
export type RelabelAction = (typeof relabelActions)[number];

/** One step, defaults filled in (separator `;`, replacement `$1`). */
export interface RelabelConfig {
  readonly action: RelabelAction;
  /** The step is done when any holds; empty: always. */
  readonly ifs: readonly Selector[];
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly targetLabel: string;
  /** RE2, undefined: `(.*)`, anchored; for replace_all and labelmap_all `.*` (no group), not anchored. */
  readonly regex: string | undefined;
  readonly modulus: number;
  readonly replacement: string;
}

/** Labels in work: order as they came, new ones at the end; values may be "". */
export type WorkLabels = [name: string, value: string][];

export interface RelabelStep {
  readonly config: RelabelConfig;
  /** The anchored expression; what labeldrop and its like test names with. */
  accepts(text: string): boolean;
  /** Changes `labels`; false: the series is dropped. */
  apply(labels: WorkLabels): boolean;
}

/** A compiled expression and the two ways a step uses it. */
interface Expression {
  matches(text: string): boolean;
  /** `template` with the groups of the anchored match; undefined when it does not match. */
  expand(text: string, template: string): string | undefined;
  replaceAll(text: string, template: string): string;
}

/** `$1`, `${1}`, `$name`, `${name}`, `$$` as Go's regexp.Expand: the longest word after `$`, unknown groups are "". */
function expandTemplate(template: string, group: (name: string) => string): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (all, word: string | undefined, braced: string | undefined) => {
    return all === "$$" ? "$" : group(word ?? braced ?? "");
  });
}

type Groups = ReturnType<RE2JS["matcher"]>;

function groupOf(found: Groups, names: Readonly<Record<string, number>>, name: string): string {
  const index = /^\d+$/.test(name) ? Number(name) : names[name];
  return index === undefined || index > found.groupCount() ? "" : (found.group(index) ?? "");
}

/** Throws RE2JS's error on a bad expression: relabelConfig.ts has tried it before. */
function compileExpression(regex: string): Expression {
  const compiled = RE2JS.compile(regex, RE2JS.DOTALL);
  const names = compiled.namedGroups();
  return {
    matches: (text) => compiled.testExact(text),
    expand: (text, template) => {
      const found = compiled.matcher(text);
      return found.matches() ? expandTemplate(template, (name) => groupOf(found, names, name)) : undefined;
    },
    replaceAll: (text, template) => {
      const found = compiled.matcher(text);
      let out = "";
      let copied = 0;
      let end = -1;
      // As Go: an empty match right behind another match is none.
      for (let from = 0; from <= text.length && found.find(from); ) {
        const start = found.start();
        const stop = found.end();
        if (stop > end) {
          out += text.slice(copied, start) + expandTemplate(template, (name) => groupOf(found, names, name));
          copied = stop;
        }
        end = stop;
        from = stop > from ? stop : from + ((text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1);
      }
      return out + text.slice(copied);
    },
  };
}

function labelIn(labels: WorkLabels, name: string): string {
  for (const [label, value] of labels) if (label === name) return value;
  return "";
}

function set(labels: WorkLabels, name: string, value: string): void {
  const known = labels.find(([label]) => label === name);
  if (known === undefined) labels.push([name, value]);
  else known[1] = value;
}

/** `{{label}}` becomes the label's value; an unclosed `{{` stays. */
function fillReferences(template: string, labels: WorkLabels): string {
  return template.replace(/\{\{(.*?)\}\}/gs, (_all, label: string) => labelIn(labels, label));
}

/** Go's ToUpper and ToLower map character by character: what would become several stays; only \u0130 has a plain lower case. */
function mapCase(text: string, to: "toUpperCase" | "toLowerCase"): string {
  let out = "";
  for (const char of text) {
    const mapped = char[to]();
    if ([...mapped].length === 1) out += mapped;
    else out += char === "\u0130" && to === "toLowerCase" ? "i" : char;
  }
  return out;
}

type Act = (labels: WorkLabels, source: string) => boolean;

function replaceAct(config: RelabelConfig, expression: Expression): Act {
  const { targetLabel, replacement, regex } = config;
  const fixed = regex === undefined && !replacement.includes("$") && !targetLabel.includes("$");
  return (labels, source) => {
    const template = fillReferences(replacement, labels);
    const value = fixed ? template : expression.expand(source, template);
    if (value === undefined) return true;
    const target = targetLabel.includes("$") ? (expression.expand(source, targetLabel) ?? "") : targetLabel;
    set(labels, target, value);
    return true;
  };
}

function keepOnly(labels: WorkLabels, wanted: (name: string) => boolean): boolean {
  const kept = labels.filter(([name]) => wanted(name));
  labels.splice(0, labels.length, ...kept);
  return true;
}

function setAct(target: string, value: (source: string) => string): Act {
  return (labels, source) => {
    set(labels, target, value(source));
    return true;
  };
}

function equalAct({ sourceLabels }: RelabelConfig): Act {
  return (labels) => sourceLabels.every((name) => labelIn(labels, name) === labelIn(labels, sourceLabels[0] ?? ""));
}

function containsAct({ sourceLabels, targetLabel }: RelabelConfig): Act {
  return (labels) => sourceLabels.every((name) => labelIn(labels, targetLabel).includes(labelIn(labels, name)));
}

function not(act: Act): Act {
  return (labels, source) => !act(labels, source);
}

function labelAct(config: RelabelConfig, expression: Expression): Act {
  const { replacement } = config;
  if (config.action === "labeldrop") return (labels) => keepOnly(labels, (name) => !expression.matches(name));
  if (config.action === "labelkeep") return (labels) => keepOnly(labels, (name) => expression.matches(name));
  if (config.action === "labelmap_all") {
    return (labels) => {
      for (const label of labels) label[0] = expression.replaceAll(label[0], replacement);
      return true;
    };
  }
  return (labels) => {
    for (const [name, value] of labels.slice()) {
      const mapped = expression.expand(name, replacement);
      if (mapped !== undefined && mapped !== name) set(labels, mapped, value);
    }
    return true;
  };
}

function actOf(config: RelabelConfig, expression: Expression): Act {
  const { action, targetLabel, regex } = config;
  const accepts: Act = (_labels, source) => regex === undefined || expression.matches(source);
  switch (action) {
    case "replace":
      return replaceAct(config, expression);
    case "replace_all":
      return (labels, source) => {
        const value = expression.replaceAll(source, config.replacement);
        if (value !== source) set(labels, targetLabel, value);
        return true;
      };
    case "keep":
    case "keep_metrics":
      return accepts;
    case "drop":
    case "drop_metrics":
      return not(accepts);
    case "keep_if_equal":
      return equalAct(config);
    case "drop_if_equal":
      return not(equalAct(config));
    case "keep_if_contains":
      return containsAct(config);
    case "drop_if_contains":
      return not(containsAct(config));
    case "keepequal":
      return (labels, source) => labelIn(labels, targetLabel) === source;
    case "dropequal":
      return (labels, source) => labelIn(labels, targetLabel) !== source;
    case "uppercase":
      return setAct(targetLabel, (source) => mapCase(source, "toUpperCase"));
    case "lowercase":
      return setAct(targetLabel, (source) => mapCase(source, "toLowerCase"));
    case "hashmod":
      return setAct(targetLabel, (source) => String(xxh64(Buffer.from(source)) % BigInt(config.modulus)));
    default:
      return labelAct(config, expression);
  }
}

function holds(ifs: readonly Selector[], labels: WorkLabels): boolean {
  if (ifs.length === 0) return true;
  const series: Series = { name: labelIn(labels, "__name__"), labels };
  return ifs.some((selector) => matchesSelector(selector, series));
}

/** A step of a checked configuration. */
export function compileRelabel(config: RelabelConfig): RelabelStep {
  const all = config.action === "replace_all" || config.action === "labelmap_all";
  const expression = compileExpression(config.regex ?? (all ? ".*" : "(.*)"));
  const act = actOf(config, expression);
  const metrics = config.action === "keep_metrics" || config.action === "drop_metrics";
  const sources = metrics ? ["__name__"] : config.sourceLabels;
  const keeps = config.action === "keep" || config.action === "keep_metrics";
  return {
    config,
    accepts: (text) => expression.matches(text),
    apply: (labels) => {
      if (!holds(config.ifs, labels)) return !keeps;
      return act(labels, sources.map((name) => labelIn(labels, name)).join(config.separator));
    },
  };
}

/**
 * All steps over a Series. undefined: dropped, also when no label is left. The name may come out "" (its label was removed);
 * labels are sorted, unique and not empty, as a Series' are.
 */
export function relabel(steps: readonly RelabelStep[], series: Series): Series | undefined {
  const labels: WorkLabels = [["__name__", series.name], ...series.labels.map(([name, value]): [string, string] => [name, value])];
  for (const step of steps) if (!step.apply(labels) || labels.length === 0) return undefined;
  const kept = new Map<string, string>();
  for (const [name, value] of labels) if (name !== "" && value !== "" && !kept.has(name)) kept.set(name, value);
  if (kept.size === 0) return undefined;
  const name = kept.get("__name__") ?? "";
  kept.delete("__name__");
  return { name, labels: [...kept].sort(([a], [b]) => compareUtf8(a, b)) };
}
