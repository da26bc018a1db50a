// A Series: one numeric field of a line, identified by its Prometheus name and sorted labels (naming.ts makes it).

export interface Series {
  readonly name: string;
  /** Sorted by label name (bytes), unique, values never empty; without __name__. */
  readonly labels: readonly (readonly [name: string, value: string])[];
}

/** The label's value, "" when absent (absent and empty are one thing in Prometheus). `__name__` gives the name. */
export function labelOf(series: Series, label: string): string {
  if (label === "__name__") return series.name;
  for (const [name, value] of series.labels) if (name === label) return value;
  return "";
}
