// takeSnapshot, restoreSnapshot: ns per Group with one open Window, by the states its rule keeps. Restoring includes a new engine.
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine } from "./openEngine.js";

const GROUPS = 20_000;

function snapshotBenches(name: string, outputs: string): Bench[] {
  const yaml = `- { interval: 10s, by: [host], outputs: [${outputs}], first_sample: zero }`;
  const prepared = keptBySize((count) => {
    const engine = openEngine(yaml);
    feedAll(
      engine,
      linesOf(count, (i) => `cpu,host=h${String(i)} f=${String(i)}`),
      count,
    );
    const take = (): Uint8Array => takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 });
    return { take, bytes: take() };
  });
  const taking: Bench = {
    name: `takeSnapshot: ${name}`,
    run(scale) {
      const count = Math.ceil(GROUPS * scale);
      const { take, bytes } = prepared(count);
      if (take().length !== bytes.length) throw new Error("another snapshot of the same state");
      return { ops: count, unit: "group" };
    },
  };
  const restoring: Bench = {
    name: `restoreSnapshot: ${name}`,
    run(scale) {
      const count = Math.ceil(GROUPS * scale);
      const engine = openEngine(yaml);
      const { groups } = restoreSnapshot(engine, prepared(count).bytes);
      engine.dispose();
      if (groups !== count) throw new Error(`${String(groups)} groups restored of ${String(count)}`);
      return { ops: count, unit: "group" };
    },
  };
  return [taking, restoring];
}

export const basic = snapshotBenches("basic", "sum_samples, max");
export const counter = snapshotBenches("counter", "total");
export const sketch = snapshotBenches("sketch", '"quantiles(0.5)"');
