// Names of output series. Default, vmagent's: `metric:interval[_by_a_b][_without_c]_output`, the interval as it is written in
// the rule. A template (`output_name`) replaces all of it; `keep_metric_names` keeps the input's name.
import type { Rule } from "./rule.js";

export type NamingRule = Pick<Rule, "interval" | "by" | "without" | "keepMetricNames" | "outputName">;

export const placeholders = ["metric", "interval", "by", "without", "output"] as const;

/** `{by}` and `{without}` are the label names joined by `_`, "" when there are none. */
function fill(template: string, rule: NamingRule, metricName: string, output: string): string {
  return template.replace(/\{(metric|interval|by|without|output)\}/g, (_all, placeholder: string) => {
    if (placeholder === "metric") return metricName;
    if (placeholder === "interval") return rule.interval;
    if (placeholder === "by") return (rule.by ?? []).join("_");
    if (placeholder === "without") return (rule.without ?? []).join("_");
    return output;
  });
}

/**
 * The output name before its output suffix: `metric:10s_by_region_service`; with `output_name` the template with {output}
 * left empty; with `keep_metric_names` the name itself. Groups of one metric name share it.
 */
export function stemOf(rule: NamingRule, metricName: string): string {
  if (rule.keepMetricNames) return metricName;
  if (rule.outputName !== undefined) return fill(rule.outputName, rule, metricName, "");
  const by = rule.by === undefined || rule.by.length === 0 ? "" : `_by_${rule.by.join("_")}`;
  const without = rule.without === undefined || rule.without.length === 0 ? "" : `_without_${rule.without.join("_")}`;
  return `${metricName}:${rule.interval}${by}${without}`;
}

/**
 * The stem that enters the SliceKey: stemOf, but under `keep_metric_names` less `_bucket`, `_sum` and `_count`, so that the
 * series of one histogram stay together (PROTOCOL "State rules"). Not an identity: two names may share it.
 */
export function sliceStemOf(rule: NamingRule, metricName: string): string {
  const stem = stemOf(rule, metricName);
  return rule.keepMetricNames ? stem.replace(/_(?:bucket|sum|count)$/, "") : stem;
}

/** The metric name of one output, e.g. `requests:1m_by_service_total`. */
export function outputNameOf(rule: NamingRule, metricName: string, output: string): string {
  if (rule.keepMetricNames) return metricName;
  if (rule.outputName !== undefined) return fill(rule.outputName, rule, metricName, output);
  return `${stemOf(rule, metricName)}_${output}`;
}
