// closeWindow: ns per Group of a Window that closes: rows frozen, Cells released. Feeding the next Window is timed too, because
// a Window can be closed only once; the third bench is that part alone.
import type { Engine } from "#limpet/aggregate/engine.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { openEngine, START_MS } from "./openEngine.js";

const GROUPS = 100_000;

/** One line per group, with room for the time: written into the same bytes for every window. */
function windowBench(name: string, outputs: string, closes: boolean): Bench {
  const prepared = keptBySize((count) => {
    const engine = openEngine(`- { interval: 10s, grace: 1s, by: [host], outputs: [${outputs}] }`);
    const lines = Buffer.from(Array.from({ length: count }, (_, i) => `cpu,host=h${String(i)} f=${String(i)} ${String(START_MS)}000000\n`).join(""));
    const times: number[] = [];
    for (let at = lines.indexOf(10); at >= 0; at = lines.indexOf(10, at + 1)) times.push(at - 19);
    return { engine, lines, times, nowMs: START_MS };
  });
  return {
    name: `closeWindow: ${name}`,
    run(scale) {
      const count = Math.ceil(GROUPS * scale);
      const state = prepared(count);
      if (closes) state.nowMs += 10_000;
      const digits = String(state.nowMs);
      for (const at of state.times) state.lines.write(digits, at, "latin1");
      state.engine.feed(state.nowMs, state.lines);
      const rows = closes ? rowsAt(state.engine, state.nowMs + 11_000) : 0;
      if (closes && rows < count) throw new Error(`${String(rows)} rows of ${String(count)} groups`);
      return { ops: count, unit: "group" };
    },
  };
}

function rowsAt(engine: Engine, nowMs: number): number {
  let rows = 0;
  for (const action of engine.step(nowMs, { kind: "tick" })) if (action.kind === "rows") rows += action.block.rowCount;
  return rows;
}

export const fed = windowBench("fed only", "sum_samples, count_samples, max, avg", false);
export const basic = windowBench("fed and closed, 4 basic outputs", "sum_samples, count_samples, max, avg", true);
export const sketch = windowBench("fed and closed, quantiles", '"quantiles(0.5, 0.99)"', true);
