// The traces on which balancers are compared.
import { createRng } from "#limpet/base/rng.js";
import { type KeyLoad, keyLoad } from "../assign/cluster.js";
import type { Churn, World } from "./world.js";

export interface Result {
  readonly name: string;
  /** At the end. */
  readonly imbalance: number;
  /** Highest after the first ten minutes; for traces that never come to rest. */
  readonly imbalanceMax: number;
  readonly churn: Churn;
}

export interface Trace {
  readonly name: string;
  readonly resources: number;
  /** The load never comes to rest: its highest imbalance counts. */
  readonly isRestless?: true;
  load(atMs: number): KeyLoad;
  play(world: World): Result;
}

const MINUTE = 60_000;
const KEYS = 10_000;

function keysOf(count: number, seed: number): number[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => rng.int(2 ** 32));
}

const zipfRates = Array.from({ length: KEYS }, (_, i) => 1 / (i + 1) ** 1.1);
const zipf = keyLoad(keysOf(KEYS, 1).map((key, i) => [key, zipfRates[i] ?? 0] as const));
const even = keyLoad(keysOf(KEYS, 2).map((key) => [key, 1] as const));
/** One key of 10 001 has 30 %. */
const hot = keyLoad([...keysOf(KEYS, 3).map((key) => [key, 0.7 / KEYS] as const), [123_456_789, 0.3] as const]);

/** A day in half an hour: 2000 groups of very different size (Zipf 0.8), each with its noon at one of four times, and 7 times the night's rate then. */
const groups = keysOf(2000, 4).map((key, i) => ({ key, rate: 1 / (i + 1) ** 0.8, noon: (i % 4) / 4 }));

function diurnal(atMs: number): KeyLoad {
  return keyLoad(groups.map(({ key, rate, noon }) => [key, rate * (4 + 3 * Math.sin(2 * Math.PI * (atMs / (30 * MINUTE) + noon)))] as const));
}

function begin(world: World, count: number): void {
  for (let i = 0; i < count; i++) world.add(nameOf(i));
  world.run(20_000);
  world.takeChurn();
}

function nameOf(i: number): string {
  return `r${String(i).padStart(2, "0")}`;
}

function end(world: World, imbalanceMax = world.imbalance()): Result {
  return { name: world.name, imbalance: world.imbalance(), imbalanceMax, churn: world.takeChurn() };
}

function settle(world: World, count: number): Result {
  begin(world, count);
  world.run(10 * MINUTE);
  return end(world);
}

export const TRACES: readonly Trace[] = [
  { name: "Zipf 1.1", resources: 6, load: () => zipf, play: (world: World): Result => settle(world, 6) },
  { name: "30 % hot group", resources: 3, load: () => hot, play: (world: World): Result => settle(world, 3) },
  {
    name: "diurnal shift, a day in half an hour",
    resources: 8,
    isRestless: true,
    load: diurnal,
    play: (world: World): Result => {
      begin(world, 8);
      let most = 0;
      for (let atMs = 0; atMs < 40 * MINUTE; atMs += 30_000) {
        world.setLoad(diurnal(atMs));
        world.run(30_000);
        if (atMs >= 10 * MINUTE) most = Math.max(most, world.imbalance());
        else world.takeChurn();
      }
      return end(world, most);
    },
  },
  {
    name: "rolling restart with surge",
    resources: 10,
    load: () => even,
    play: (world: World): Result => {
      begin(world, 10);
      world.run(5 * MINUTE);
      world.takeChurn();
      for (let i = 0; i < 10; i++) {
        world.add(nameOf(i + 10));
        world.run(5000);
        world.leave(nameOf(i));
        world.run(20_000);
      }
      world.run(5 * MINUTE);
      return end(world);
    },
  },
  {
    name: "rolling restart without surge",
    resources: 10,
    load: () => even,
    play: (world: World): Result => {
      begin(world, 10);
      world.run(5 * MINUTE);
      world.takeChurn();
      for (let i = 0; i < 10; i++) {
        world.leave(nameOf(i));
        world.run(5000);
        world.add(nameOf(i));
        world.run(5000);
      }
      world.run(5 * MINUTE);
      return end(world);
    },
  },
];
