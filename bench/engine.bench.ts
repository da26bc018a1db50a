// The engine from bytes to Cells, in memory, on the workload of the comparison: what a line of a known series costs (the hot loop) and
// what a line of a new series costs (decoder and admission). Every run checks that all samples were matched.
import { Engine } from "#limpet/aggregate/engine.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import type { Bench } from "./bench.js";
import { linesOf, makeWorkload, stampTimes, type Workload } from "./data.js";
import { keptBySize } from "./frozenRows.js";
import { type RuleSet, ruleFile } from "./rules.js";

const START_MS = 1_763_870_000_000;
const CHUNK_BYTES = 65_536;
const outputs = await loadOutputs();

/** Two rounds of `series` series: the first makes them known. */
const workloadOf = keptBySize((series) => {
  const workload = makeWorkload({ lines: series * 2, series, seed: 1, roundMs: 1000, fullPrecision: false, shuffle: false });
  stampTimes(workload, START_MS);
  return workload;
});

function openEngine(set: RuleSet): Engine {
  const { rules } = readRules([{ name: set, text: ruleFile(set, "limpet", "10s", "1m") }], { outputs, env: {}, naming: "telegraf" });
  return new Engine({ rules, outputs, naming: "telegraf", startMs: START_MS, maxFutureMs: 60_000, memoryBytesMax: 1 << 30 });
}

/** Feeds lines [from, to) as a pipe would, in pieces. Returns the samples matched. */
function feed(engine: Engine, workload: Workload, from: number, to: number): number {
  const before = engine.ledger().samplesMatched;
  const bytes = linesOf(workload, from, to);
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) engine.feed(START_MS + 2000, bytes.subarray(at, at + CHUNK_BYTES));
  return engine.ledger().samplesMatched - before;
}

function knownSeries(set: RuleSet): Bench {
  const warm = keptBySize((series) => {
    const engine = openEngine(set);
    feed(engine, workloadOf(series), 0, series);
    return engine;
  });
  return {
    name: `engine: lines of known series, ${set}`,
    run(scale) {
      const series = Math.ceil(20_000 * scale);
      const samples = feed(warm(series), workloadOf(series), series, series * 2);
      if (!(samples >= series * 4)) throw new Error(`${String(samples)} samples matched of ${String(series)} lines`);
      return { ops: series, unit: "line" };
    },
  };
}

function newSeries(set: RuleSet): Bench {
  return {
    name: `engine: lines of new series, ${set}`,
    run(scale) {
      const series = Math.ceil(2000 * scale);
      const engine = openEngine(set);
      const samples = feed(engine, workloadOf(series), 0, series);
      engine.dispose();
      if (!(samples >= series * 4)) throw new Error(`${String(samples)} samples matched of ${String(series)} lines`);
      return { ops: series, unit: "line" };
    },
  };
}

export const known = [knownSeries("R1"), knownSeries("R7")];
export const fresh = [newSeries("R1"), newSeries("R7")];
