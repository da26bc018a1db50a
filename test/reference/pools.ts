// The small worlds random rules and points are drawn from. Chosen so that names and labels meet and collide: `m` field `x_f`
// is `m_x` field `f`, `a.b` and `a-b` are one label, `m` fields `value` and `counter` are one series.
import { labelName, metricName } from "./naming.js";

export const MEASUREMENTS = ["m", "m_x", "cpu", "http", "9bad.name", "prometheus", "disk io", "höst,x=y"] as const;
export const FIELDS = ["f", "x_f", "value", "counter", "gauge", "usage.idle", "sum", "count", "a b"] as const;
export const TAGS = ["host", "region", "a.b", "a-b", "pod", "9x"] as const;
export const TAG_VALUES = ["a", "b", "c1", "eu", "us east", "us west", "x,y=z", "é日本", 'q"r', "c:\\dir"] as const;

function distinct(names: readonly (string | undefined)[]): string[] {
  return [...new Set(names.filter((name) => name !== undefined))];
}

export const METRICS: readonly string[] = distinct(MEASUREMENTS.flatMap((m) => FIELDS.map((f) => metricName(m, f))));
export const LABELS: readonly string[] = distinct(TAGS.map(labelName));
