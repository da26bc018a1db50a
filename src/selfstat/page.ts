// A /metrics page: definitions that read a snapshot, copied into prom-client at each scrape, so that whoever counts keeps plain
// integers and does not know Prometheus.
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";

export interface MetricsPage {
  /** The page of this moment. Calls must not overlap with each other's snapshot: it is taken synchronously. */
  text(): Promise<string>;
}

export type Samples = Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;

/** `S`: the snapshot it reads. */
export interface Definition<S> {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly labels: readonly string[];
  samples(stats: S): Samples;
}

/** A page that calls `snapshot` once per scrape. Process metrics (CPU, memory, event loop lag) come with it. */
export function metricsPage<S>(definitions: readonly Definition<S>[], snapshot: () => S): MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges that end in _total, which is kept for counters: promtool refuses such a page.
  for (const name of ["nodejs_active_resources_total", "nodejs_active_handles_total", "nodejs_active_requests_total"])
    registry.removeSingleMetric(name);
  const fills = definitions.map((definition) => ({ definition, add: register(registry, definition) }));
  return {
    text: () => {
      const stats = snapshot();
      for (const { definition, add } of fills) add(definition.samples(stats));
      return registry.metrics();
    },
  };
}

/** Adds the metric to the registry; the function replaces its samples. Samples with equal labels add up (two rules of one name). */
function register<S>(registry: Registry, definition: Definition<S>): (samples: Samples) => void {
  const shape = { name: definition.name, help: definition.help, labelNames: [...definition.labels], registers: [registry] };
  const metric = definition.type === "counter" ? new Counter(shape) : new Gauge(shape);
  return (samples) => {
    metric.reset();
    // reset() gives a metric without labels a 0, which is wrong for one that has no value yet.
    if (definition.labels.length === 0) metric.remove();
    for (const [labels, value] of samples) metric.inc({ ...labels }, value);
  };
}
