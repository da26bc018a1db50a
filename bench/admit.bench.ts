// A series' first line, from its bytes to Key, Fields and targets, and into the Cells: what churn is made of. Hosts and pods are new,
// measurements and groups are known. `by the book` is what it costs when the rules leave no two series alike (an input relabelling
// step beside them).
import type { Engine } from "#limpet/aggregate/engine.js";
import { ROOT_KEYS, TABLE_COUNT } from "#limpet/kernel/layout.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine } from "./openEngine.js";

const GROUPS = 50;

const gauges = "- { interval: 10s, by: [region, service], outputs: [sum_samples, max] }";
const counters = "- { interval: 10s, by: [region, service], outputs: [increase] }";
const thousand = Array.from(
  { length: 1000 },
  (_, i) => `- { match: '{__name__=~"http.*",service="svc-${String(i)}"}', interval: 10s, by: [region, service], outputs: [sum_samples] }`,
).join("\n");
const relabelling = "\n- { match: none, interval: 10s, outputs: [max], input_relabel_configs: [{ action: labeldrop, regex: x }] }";

const lineOf = (i: number): string =>
  `http_requests,host=web-${String(i)},method=GET,pod=svc-${String(i % GROUPS)}-${String(i)},region=eu-central-1,service=svc-${String(i % GROUPS)} count=${String(i)}i,duration_ms=12.5`;
const linesBySize = keptBySize((count) => linesOf(count, lineOf));

function admission(what: string, rules: string): Bench {
  return {
    name: `admit: ${what}`,
    run(scale) {
      const count = Math.ceil(20_000 * scale);
      const engine: Engine = openEngine(rules);
      const lines = linesBySize(count);

      feedAll(engine, lines, count);
      const keys = i32.load(engine.root + ROOT_KEYS + TABLE_COUNT);
      engine.dispose();
      if (keys !== count) throw new Error(`${String(keys)} keys of ${String(count)}`);
      return { ops: count, unit: "line" };
    },
  };
}

export const benches = [
  admission("gauges", gauges),
  admission("counters", counters),
  admission("1000 rules", thousand),
  admission("gauges, by the book", gauges + relabelling),
];
