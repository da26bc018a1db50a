// addSample: ns per sample and target, by the states a rule keeps. The samples go round 1000 groups.
import { FIELD_TARGETS, KEY_FIELDS, LEDGER_APPLIED, ROOT_KEYS, TABLE_MASK } from "#limpet/kernel/layout.js";
import { addSample } from "#limpet/kernel/plan.js";
import { tableAt } from "#limpet/kernel/table.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine, START_MS } from "./openEngine.js";

const GROUPS = 1000;

function sampleBench(name: string, outputs: string): Bench {
  const prepared = keptBySize((count) => {
    const engine = openEngine(`- { interval: 10s, by: [host], outputs: [${outputs}], first_sample: zero }`);
    feedAll(
      engine,
      linesOf(count, (i) => `cpu,host=h${String(i)} f=1`),
      count,
    );
    const table = engine.root + ROOT_KEYS;
    const keys = Array.from({ length: i32.load(table + TABLE_MASK) + 1 }, (_, i) => tableAt(table, i)).filter((key) => key !== 0);
    const ledger = engine.parts.ledgers()[0]?.at ?? 0;
    return { root: engine.root, ledger, targets: Int32Array.from(keys, (key) => i32.load(i32.load(key + KEY_FIELDS) + FIELD_TARGETS)) };
  });
  return {
    name: `addSample: ${name}`,
    run(scale) {
      const { root, ledger, targets } = prepared(GROUPS);
      const rounds = Math.ceil(3000 * scale);
      const before = f64.load(ledger + LEDGER_APPLIED);
      for (let round = 0; round < rounds; round++) for (const target of targets) addSample(root, target, START_MS + 2000, 1.5 + (round & 1023));
      const ops = rounds * targets.length;
      if (f64.load(ledger + LEDGER_APPLIED) - before !== ops) throw new Error("samples were not applied");
      return { ops, unit: "sample" };
    },
  };
}

export const basic = sampleBench("basic", "sum_samples, max");
export const moments = sampleBench("basic and moments", "avg, stddev");
export const counter = sampleBench("counter", "increase");
export const rate = sampleBench("counter with rate", "rate_sum");
export const sketch = sampleBench("sketch", '"quantiles(0.5)"');
