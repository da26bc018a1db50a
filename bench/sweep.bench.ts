// sweep: ns per Key of a sweep that finds nothing (the usual one), and of one that frees a tenth (counted with the admissions
// that put the tenth back). The first one also as an engine does it, a share per tick: the longest of these is what lines wait for, and
// is told beside the whole. `--scale 5`: 1 M Keys.

import { sweep } from "#limpet/aggregate/sweep.js";
import { Sweeper } from "#limpet/aggregate/sweeper.js";
import { ROOT_EPOCH } from "#limpet/kernel/layout.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine, START_MS } from "./openEngine.js";

const KEYS = 200_000;
const line = (i: number): string => `cpu,host=h${String(i)},cpu=cpu${String(i % 8)} f=1`;

/** Wall clock, of all runs; told of whole ones alone, not in the smoke test. */
const longest = { wholeMs: 0, tickMs: 0, scale: 0 };

const prepared = keptBySize((count) => {
  const engine = openEngine("- { interval: 10s, by: [cpu], outputs: [sum_samples] }");
  feedAll(engine, linesOf(count, line), count);
  return engine;
});
const most = keptBySize((count) => linesOf(count - Math.floor(count / 10), (i) => line(i + Math.floor(count / 10))));
const rest = keptBySize((count) => linesOf(Math.floor(count / 10), line));

export const nothing: Bench = {
  name: "sweep: nothing expired",
  run(scale) {
    const count = Math.ceil(KEYS * scale);
    const engine = prepared(count);
    const startMs = performance.now();
    const { keys } = sweep(engine, 0);
    longest.wholeMs = Math.max(longest.wholeMs, performance.now() - startMs);
    if (keys !== 0) throw new Error(`${String(keys)} keys went`);
    return { ops: count, unit: "key" };
  },
};

export const ticks: Bench = {
  name: "sweep: nothing expired, a share per tick",
  run(scale) {
    const count = Math.ceil(KEYS * scale);
    const engine = prepared(count);
    const sweeper = new Sweeper(engine, 0, { forgetMs: START_MS });
    longest.scale = scale;
    let going = true;
    while (going) {
      const startMs = performance.now();
      going = sweeper.go(START_MS);
      longest.tickMs = Math.max(longest.tickMs, performance.now() - startMs);
    }
    return { ops: count, unit: "key" };
  },
  close() {
    if (longest.scale < 1) return Promise.resolve();
    process.stdout.write(
      `the longest sweep of one step ${longest.wholeMs.toFixed(1)} ms, the longest share of a tick ${longest.tickMs.toFixed(1)} ms\n`,
    );
    return Promise.resolve();
  },
};

export const tenth: Bench = {
  name: "sweep: a tenth of the keys goes, and comes back",
  run(scale) {
    const count = Math.ceil(KEYS * scale);
    const engine = prepared(count);
    i32.store(engine.root + ROOT_EPOCH, i32.load(engine.root + ROOT_EPOCH) + 1);
    feedAll(engine, most(count), count - Math.floor(count / 10));
    const { keys } = sweep(engine, i32.load(engine.root + ROOT_EPOCH));
    if (keys !== Math.floor(count / 10)) throw new Error(`${String(keys)} keys went`);
    feedAll(engine, rest(count), Math.floor(count / 10));
    return { ops: count, unit: "key" };
  },
};
