// sweep: ns per Key of a sweep that finds nothing (the usual one), and of one that frees a tenth (counted with the admissions
// that put the tenth back).

import { sweep } from "#limpet/aggregate/sweep.js";
import { ROOT_EPOCH } from "#limpet/kernel/layout.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine } from "./openEngine.js";

const KEYS = 200_000;
const line = (i: number): string => `cpu,host=h${String(i)},cpu=cpu${String(i % 8)} f=1`;

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
    const { keys } = sweep(engine.root, engine.parts, 0);
    if (keys !== 0) throw new Error(`${String(keys)} keys went`);
    return { ops: count, unit: "key" };
  },
};

export const tenth: Bench = {
  name: "sweep: a tenth of the keys goes, and comes back",
  run(scale) {
    const count = Math.ceil(KEYS * scale);
    const engine = prepared(count);
    i32.store(engine.root + ROOT_EPOCH, i32.load(engine.root + ROOT_EPOCH) + 1);
    feedAll(engine, most(count), count - Math.floor(count / 10));
    const { keys } = sweep(engine.root, engine.parts, i32.load(engine.root + ROOT_EPOCH));
    if (keys !== Math.floor(count / 10)) throw new Error(`${String(keys)} keys went`);
    feedAll(engine, rest(count), Math.floor(count / 10));
    return { ops: count, unit: "key" };
  },
};
