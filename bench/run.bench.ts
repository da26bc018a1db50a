// run: ns per line of known series, from the input area to the Cells, with nothing around it. In the order of the last time the
// next key is predicted. The engine around it: engine.bench.ts; a look-up by hash: findKey.bench.ts.
import { INPUT_AT, INPUT_BYTES, INPUT_SLACK, RUN_DONE } from "#limpet/kernel/layout.js";
import { heap8 } from "#limpet/kernel/memory.js";
import { run } from "#limpet/kernel/reader.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine } from "./openEngine.js";

const RULES = "- { interval: 10s, by: [region, service], outputs: [sum_samples, count_samples, max, avg] }";
const line = (i: number): string =>
  `cpu,cpu=cpu${String(i % 8)},host=db-${String(i)},region=us-west-${String(i % 3)},service=s${String(i % 50)} usage_user=52.${String(100_000 + i)},usage_system=18.226890,usage_idle=25.958285,usage_nice=0,usage_iowait=3i`;

function lineBench(name: string): Bench {
  const prepared = keptBySize((count) => {
    const engine = openEngine(RULES);
    const lines = linesOf(count, line);
    feedAll(engine, lines, count);
    if (lines.length > INPUT_BYTES - INPUT_SLACK) throw new Error("the lines do not fit the input area");
    return { root: engine.root, lines };
  });
  return {
    name: `run: ${name}`,
    run(scale) {
      const count = 8000;
      const rounds = Math.ceil(20 * scale);
      const { root, lines } = prepared(count);
      heap8.set(lines, root + INPUT_AT);
      for (let round = 0; round < rounds; round++) {
        if (run(root, root + INPUT_AT, root + INPUT_AT + lines.length) !== RUN_DONE) throw new Error("a line was not plain");
      }
      return { ops: rounds * count, unit: "line of 5 fields" };
    },
  };
}

export const predicted = lineBench("in the order of the last time");
