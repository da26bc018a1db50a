// Closing a window: what an emitted row costs, for an output with one row per group and for one whose rows are mostly empty
// (488 buckets of which a group fills a few). Every run checks the number of rows.
import { Engine } from "#limpet/aggregate/engine.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";

const START_MS = 1_763_870_000_000;
const INTERVAL_MS = 10_000;
const SAMPLES_PER_GROUP = 4;
const outputs = await loadOutputs();

/** An engine whose window 0 holds `groups` groups of four samples each; a living group repeats its rows in every later one. */
function filled(output: string): (groups: number) => { readonly engine: Engine; closed: number } {
  return keptBySize((groups) => {
    const text = `- {match: m_f, interval: 10s, by: [host], staleness_interval: 10000h, outputs: [${output}]}\n`;
    const { rules } = readRules([{ name: output, text }], { outputs, env: {}, naming: "telegraf" });
    const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: START_MS, maxFutureMs: 60_000, memoryBytesMax: 1 << 30 });
    for (let group = 0; group < groups; group++) {
      let lines = "";
      for (let k = 0; k < SAMPLES_PER_GROUP; k++) {
        lines += `m,host=h${String(group)} f=${String((1 + ((group * 7 + k * 13) % 1000)) / 1000)} ${String(START_MS + k)}000000\n`;
      }
      engine.feed(START_MS + 1000, Buffer.from(lines));
    }
    return { engine, closed: 0 };
  });
}

function flush(output: string): Bench {
  const filledBySize = filled(output);
  return {
    name: `flush: rows of ${output}`,
    run(scale) {
      const groups = Math.ceil(10_000 * scale);
      const state = filledBySize(groups);
      state.closed++;
      const actions = state.engine.step(START_MS + state.closed * INTERVAL_MS + 10_000, { kind: "tick" });
      const rows = actions.reduce((count, action) => count + (action.kind === "rows" ? action.block.rowCount : 0), 0);
      if (rows < groups) throw new Error(`${String(rows)} rows of ${String(groups)} groups`);
      return { ops: rows, unit: "row" };
    },
  };
}

export const rows = [flush("total"), flush("histogram_bucket")];
