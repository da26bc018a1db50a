// The rule file as a zod schema, from which configs/rules.schema.json is written: what editors know of the keys. It is a little more
// generous than `limpet check`, which says what a schema cannot (places, cures, what two keys mean together).
import { z } from "zod";
import { acceptedKeys, readKeys, relabelKeys, ruleOnlyKeys } from "#limpet/aggregate/ruleFileKeys.js";
import { relabelActions } from "#limpet/metric/relabel.js";

const duration = z.string().regex(/^(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[a-zµμ]+|^0$|%\{/);
const texts = z.array(z.string());
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const count = z.int().min(1);
const selector = z.union([z.string(), texts]);
const patterns = z.array(scalar).min(1);
const tagPatterns = z.record(z.string(), patterns);

const relabelStep = z.strictObject({
  action: z
    .enum([...relabelActions])
    .optional()
    .describe("What the step does; default replace. Graphite is not supported"),
  if: selector.optional().describe("Selector or selectors: the step is done for series that any of them takes; keep drops the others"),
  source_labels: z.array(scalar).optional().describe("Labels whose values are joined by separator"),
  separator: scalar.optional().describe("Default ;"),
  target_label: scalar.optional().describe("Label that is set, or compared with; may hold $1"),
  regex: z
    .union([scalar, z.array(scalar)])
    .optional()
    .describe("RE2, anchored (not for replace_all and labelmap_all); a list: any. Default (.*)"),
  modulus: count.optional().describe("hashmod: XXH64 of the joined values modulo this"),
  replacement: scalar.optional().describe("Default $1; knows $1, $name, {{label}}"),
});
const relabelSteps = z.array(relabelStep);

/** One schema per key of `readKeys`; ruleSchema.test.ts compares the lists. */
function ruleShape(outputs: readonly string[]): Record<string, z.ZodType> {
  const output = z.union([z.enum(outputs), z.string().regex(/^[a-z_]+ *\([^()]*\)$/)]);
  const shape: Record<string, z.ZodType> = {
    name: z.string().describe("Labels metrics and messages; default: the rule's id"),
    match: selector.describe("Prometheus selector, or several of which one must match; default: everything"),
    interval: duration.describe("Length of the windows, at least 1s; part of the output names as written"),
    dedup_interval: duration.describe("Of a series one sample counts per so long; divides the interval. Default: all count"),
    by: texts.describe("Labels to keep. [__name__]: one group per metric"),
    without: texts.describe("Labels to drop"),
    outputs: z.array(output).min(1).describe('What to compute, such as total or "quantiles(0.5, 0.99)"'),
    keep_metric_names: z.boolean().describe("The output keeps the input's name; for one single-series output"),
    output_name: z.string().min(1).describe("Template with {metric} {interval} {by} {without} {output}"),
    grace: duration.describe("How long after a window's end its samples still count in it; default 10s"),
    late: z.enum(["carry", "drop"]).describe("Samples later than grace: carry additive ones into the next total, or drop; default carry"),
    time: z.enum(["event", "arrival"]).describe("Which time decides the window; default event"),
    first_sample: z.enum(["auto", "zero", "baseline"]).describe("What a counter's first sample counts; default auto"),
    series_memory: duration.describe("How long a silent series is remembered; default 1h"),
    staleness_interval: duration.describe("When a group without samples ends; default the interval, at least 1m"),
    max_series: count.describe("Cap; default 1000000"),
    max_groups: count.describe("Cap; default 1000000"),
    labels: z.record(z.string(), z.string().min(1)).describe("Constant labels added to the outputs"),
    type: z.enum(["counter", "gauge", "histogram"]).describe("What receivers are told the outputs are; default by output"),
    temporality: z.enum(["cumulative", "delta"]).describe("How counters come in; default cumulative"),
    sketch: z.enum(["exponential", "tdigest"]).describe("How quantiles are kept; default exponential"),
    matched: z.enum(["drop", "keep"]).describe("Raw samples this rule matched"),
    state: z.enum(["active", "shadow", "off"]).describe("shadow: compute and measure, send nothing; default active"),
    ignore_first_sample_interval: duration.describe("vmagent's; 0s is first_sample: zero"),
    ignore_old_samples: z.boolean().describe("vmagent's; true is late: drop"),
    drop_input_labels: texts.describe("Labels taken off before relabelling and grouping"),
    input_relabel_configs: relabelSteps.describe("Relabelling before grouping"),
    output_relabel_configs: relabelSteps.describe("Relabelling of the output rows, names included"),
  };
  for (const [key, { kind, why }] of Object.entries(acceptedKeys)) shape[key] = (kind === "boolean" ? z.boolean() : z.int().min(0)).describe(why);
  for (const key of ["namepass", "namedrop", "fieldinclude", "fieldexclude", "fieldpass", "fielddrop"]) {
    const what = key.startsWith("name") ? "measurement" : "field";
    shape[key] = patterns.describe(`Telegraf's filter: globs on the ${what} as it came in`);
  }
  for (const key of ["tagpass", "tagdrop"]) shape[key] = tagPatterns.describe("Telegraf's filter: globs per tag, any of which decides");
  return shape;
}

export const keysDescribed = {
  relabel: Object.keys(relabelStep.shape),
  relabelRead: [...relabelKeys] as string[],
  read: [...readKeys] as string[],
};

export function describedRuleKeys(): string[] {
  return Object.keys(ruleShape(["total"]));
}

/** The document: a list of rules, or {defaults, rules}. */
export function ruleFileSchema(outputs: readonly string[]): z.ZodType {
  const optional = Object.fromEntries(Object.entries(ruleShape(outputs)).map(([key, schema]) => [key, schema.optional()]));
  const shape = ruleShape(outputs);
  const required = { interval: shape["interval"] ?? z.never(), outputs: shape["outputs"] ?? z.never() };
  const rule = z.strictObject({ ...optional, ...required });
  const defaults = Object.fromEntries(Object.entries(optional).filter(([key]) => !ruleOnlyKeys.includes(key)));
  const withDefaults = z.strictObject({ defaults: z.strictObject(defaults).optional(), rules: z.array(z.strictObject(optional)) });
  return z.union([z.array(rule), withDefaults]);
}

/** The text of configs/rules.schema.json. */
export function schemaText(outputs: readonly string[]): string {
  const schema = z.toJSONSchema(ruleFileSchema(outputs), { target: "draft-7", reused: "ref", io: "input" });
  return `${JSON.stringify({ title: "Limpet rule file", ...schema }, undefined, 2)}\n`;
}
