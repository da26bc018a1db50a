// applyPoint: what the first line of a series costs, decoding included, by the number of rules; one rule in a hundred wants it.
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine } from "./openEngine.js";

const lines = keptBySize((count) =>
  linesOf(count, (i) => `cpu,cpu=cpu${String(i % 8)},host=db-${String(i)},region=r${String(i % 8)} user=1.5,system=2`),
);

function ruleText(count: number): string {
  const rule = (i: number): string => {
    const match = count === 1 ? "" : `match: '{__name__="${i % 100 === 0 ? "cpu_user" : `metric_${String(i)}`}",team!="t${String(i)}"}', `;
    return `- { ${match}interval: 10s, by: [region], outputs: [sum_samples], output_name: "o${String(i)}" }\n`;
  };
  return Array.from({ length: count }, (_, i) => rule(i)).join("");
}

function admissionBench(rules: number): Bench {
  const yaml = ruleText(rules);
  return {
    name: `applyPoint: new series, ${String(rules)} rules`,
    run(scale) {
      const count = Math.ceil(20_000 * scale);
      const engine = openEngine(yaml);
      feedAll(engine, lines(count), count);
      const { series } = engine.ledger();
      engine.dispose();
      if (series < count) throw new Error(`${String(series)} series of ${String(count)} lines`);
      return { ops: count, unit: "line of 2 fields" };
    },
  };
}

export const benches = [1, 100, 5000].map(admissionBench);
