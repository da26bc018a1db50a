// The engine as a process runs it, on a clock that the test moves: lines arrive about their own time, windows close by ticks, and
// snapshots fall between any two steps - with totals running, groups idle and retired, series forgotten.
import { Engine, type EngineAction } from "#limpet/aggregate/engine.js";
import type { Validity } from "#limpet/aggregate/rule.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { type Row, rowsOf } from "#limpet/metric/rowBlock.js";
import { KEY_END, WHOLE } from "#limpet/slice/keyRange.js";

export type ServeStep =
  | { readonly kind: "lines"; readonly nowMs: number; readonly text: string }
  | { readonly kind: "tick"; readonly nowMs: number }
  /** The Part around a key is cut there. */
  | { readonly kind: "cut"; readonly nowMs: number; readonly key: number }
  /** As tick, but what is left to do waits: a Window or a step of the sweep at a time. */
  | { readonly kind: "piece"; readonly nowMs: number }
  /** What is held from a key on is taken out, and put in again from a snapshot. */
  | { readonly kind: "drop"; readonly nowMs: number; readonly key: number }
  /** Everything goes through a snapshot into a new engine, as in a restart within one moment. */
  | { readonly kind: "restart"; readonly nowMs: number };

const MEMORY_BYTES = 2 ** 26;
/** Sweeps all the time, a few records a tick, and forgets Keys soon: most of what happens, happens within a sweep. */
const SWEEP_PACE = { everyMs: 2000, recordsMax: 8, step: 1, idleSweeps: 2 };

/** All rows, in the order they left. `validity`: of all rules. Throws on rules with errors and on invalid lines. */
export async function serveRows(rulesYaml: string, steps: readonly ServeStep[], validity?: Validity): Promise<Row[]> {
  const outputs = await loadOutputs();
  const { rules, problems } = readRules([{ name: "rules.yaml", text: rulesYaml }], { outputs, env: {}, naming: "telegraf" });
  const errors = problems.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("\n"));
  const bounded = validity === undefined ? rules : rules.map((rule) => ({ ...rule, validity: { sinceMs: 0, ...validity } }));
  const open = (startMs: number): Engine =>
    new Engine({
      ...{ rules: bounded, outputs, startMs, sweepPace: SWEEP_PACE },
      naming: "telegraf",
      maxFutureMs: 60_000,
      memoryBytesMax: MEMORY_BYTES,
    });
  let engine = open(steps[0]?.nowMs ?? 0);
  const rows: Row[] = [];
  const take = (actions: readonly EngineAction[]): void => {
    for (const action of actions) {
      if (action.kind === "warning") continue;
      if (action.kind !== "rows") throw new Error(JSON.stringify(action));
      rows.push(...rowsOf(action.block));
    }
  };
  try {
    for (const step of steps) {
      if (step.kind === "lines") take(engine.feed(step.nowMs, Buffer.from(step.text)));
      else if (step.kind === "cut") engine.parts.split(step.key);
      else if (step.kind === "piece") take(engine.step(step.nowMs, { kind: "tick" }));
      else if (step.kind === "drop") {
        const range = { low: step.key, high: KEY_END };
        restoreSnapshot(engine, takeSnapshot(engine, range, { term: "0.0", number: 1 }));
      } else if (step.kind === "tick") {
        do take(engine.step(step.nowMs, { kind: "tick" }));
        while (engine.busy);
      } else {
        const snapshot = takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 });
        engine.dispose();
        engine = open(step.nowMs);
        restoreSnapshot(engine, snapshot);
      }
    }
  } finally {
    engine.dispose();
  }
  return rows;
}
