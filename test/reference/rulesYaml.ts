// Reference rules as the YAML that the engine reads. JSON strings are YAML strings, which settles all quoting.
import type { LabelTest, ReferenceRule } from "./referenceRule.js";

export interface WrittenRule {
  readonly rule: ReferenceRule;
  /** Alternatives within one selector (`or`) instead of a list of selectors. */
  readonly joined: boolean;
  /** Of no meaning to the reference, where nothing is late. */
  readonly grace?: string;
}

function testText(test: LabelTest): string {
  return `${test.label}${test.op}${JSON.stringify(test.value)}`;
}

/** `name{...}` when the first test is the name's equality, else `{...}`. */
function selectorText(tests: readonly LabelTest[]): string {
  const [first, ...rest] = tests;
  if (first?.label !== "__name__" || first.op !== "=") return `{${tests.map(testText).join(", ")}}`;
  return rest.length === 0 ? first.value : `${first.value}{${rest.map(testText).join(",")}}`;
}

function matchEntry(written: WrittenRule): Record<string, unknown> {
  const { match } = written.rule;
  if (match.length === 0) return {};
  if (written.joined) return { match: `{${match.map((tests) => tests.map(testText).join(",")).join(" or ")}}` };
  const texts = match.map(selectorText);
  return { match: texts.length === 1 ? texts[0] : texts };
}

function outputText(output: ReferenceRule["outputs"][number]): string {
  return output.args.length === 0 ? output.name : `${output.name}(${output.args.join(", ")})`;
}

function ruleEntries(written: WrittenRule): Record<string, unknown> {
  const { rule } = written;
  return {
    ...matchEntry(written),
    interval: rule.interval,
    ...(rule.dedupMs === 0 ? {} : { dedup_interval: `${rule.dedupMs}ms` }),
    ...(rule.by === undefined ? {} : { by: rule.by }),
    ...(rule.without === undefined ? {} : { without: rule.without }),
    outputs: rule.outputs.map(outputText),
    ...(rule.keepMetricNames ? { keep_metric_names: true } : {}),
    ...(rule.outputName === undefined ? {} : { output_name: rule.outputName }),
    ...(rule.labels.length === 0 ? {} : { labels: Object.fromEntries(rule.labels) }),
    first_sample: rule.firstSample,
    series_memory: `${rule.seriesMemoryMs}ms`,
    ...(rule.stalenessMs === Math.max(rule.intervalMs, 60_000) ? {} : { staleness_interval: `${rule.stalenessMs}ms` }),
    temporality: rule.temporality,
    ...(written.grace === undefined ? {} : { grace: written.grace }),
  };
}

/** A rule file, one key a line. */
export function rulesYaml(rules: readonly WrittenRule[]): string {
  return rules
    .map((rule) => {
      const entries = Object.entries(ruleEntries(rule));
      return entries.map(([key, value], i) => `${i === 0 ? "- " : "  "}${key}: ${JSON.stringify(value)}\n`).join("");
    })
    .join("");
}
