// Random lives of a cluster. Every published Assignment is checked (cluster.ts): it covers the key space, Generations and terms only
// grow, one owner per term. When the faults stop, everything comes to rest: owned, even, quiet.
import { describe, expect, it } from "@jest/globals";
import { createRng, type Rng } from "#limpet/base/rng.js";
import { compareGenerations } from "#limpet/slice/generation.js";
import { Cluster, type FakeSlicelet, keyLoad } from "./cluster.js";

const NAMES = ["a", "b", "c", "d", "e"];

interface Life {
  readonly cluster: Cluster;
  readonly rng: Rng;
  /** By name, the one that lives. */
  readonly living: Map<string, FakeSlicelet>;
  readonly muted: Set<FakeSlicelet>;
  incarnation: number;
}

function start(life: Life, name: string, offers: FakeSlicelet["offers"] = []): void {
  const slicelet = life.cluster.start(name, String(++life.incarnation));
  slicelet.offers = offers;
  life.living.set(name, slicelet);
}

function offersOf({ serves }: FakeSlicelet): FakeSlicelet["offers"] {
  return serves.map(({ low, high, term }) => ({ low, high, number: term }));
}

/** Whether somebody who can be heard knows the newest Generation: a store may be lost only then. */
function isKnown({ cluster, living, muted }: Life): boolean {
  const newest = cluster.assignment.generation;
  return muted.size === 0 && cluster.writable && [...living.values()].some(({ generation }) => compareGenerations(generation, newest) === 0);
}

/** One thing that happens to one process, or to the assigner. */
function disturb(life: Life): void {
  const { cluster, rng, living, muted } = life;
  const name = NAMES[rng.int(NAMES.length)] ?? "a";
  const slicelet = living.get(name);
  const what = rng.int(9);
  if (slicelet === undefined) return start(life, name);
  if (what === 0) {
    cluster.kill(slicelet);
    living.delete(name);
  } else if (what === 1) slicelet.state = "draining";
  else if (what === 2) {
    slicelet.handing = [];
    slicelet.state = "staying";
    cluster.report(slicelet);
    cluster.kill(slicelet);
    cluster.run(rng.int(12_000));
    start(life, name, offersOf(slicelet));
  } else if (what === 3) cluster.restartAssigner();
  else if (what === 4 && isKnown(life)) {
    cluster.restartAssigner(rng.int(2) === 0 ? "lost" : (cluster.published.at(-1 - rng.int(3)) ?? "kept"));
    // Whoever knows more must live to tell it.
    cluster.run(15_000);
  } else if (what === 5) slicelet.refuses = !slicelet.refuses;
  else if (what === 6) {
    cluster.mute(slicelet, !muted.has(slicelet));
    if (!muted.delete(slicelet)) muted.add(slicelet);
  } else if (what === 7 && slicelet.state === "draining" && slicelet.serves.length === 0) {
    cluster.kill(slicelet);
    living.delete(name);
  } else cluster.writable = rng.int(3) > 0;
}

/** Everybody is well again. */
function heal({ cluster, living, muted }: Life): void {
  cluster.writable = true;
  for (const slicelet of muted) cluster.mute(slicelet, false);
  for (const slicelet of living.values()) slicelet.refuses = false;
}

describe("assigner: random lives", () => {
  it.each(Array.from({ length: 16 }, (_, seed) => seed))("seed %i -> every Assignment is sound; at rest all is owned, even and quiet", (seed) => {
    const rng = createRng(seed);
    const load = keyLoad(Array.from({ length: 2000 }, () => [rng.int(2 ** 32), 0.5 + rng.next()] as const));
    const life: Life = { cluster: new Cluster({ load, limits: { cooldownMs: 20_000 } }), rng, living: new Map(), muted: new Set(), incarnation: 0 };
    for (const name of NAMES.slice(0, 3)) start(life, name);
    life.cluster.run(5000);
    for (let i = 0; i < 25; i++) {
      disturb(life);
      life.cluster.run(rng.int(6000));
    }
    heal(life);
    for (const name of NAMES) if (life.living.get(name)?.state !== "running") start(life, name);
    const { cluster } = life;
    cluster.run(180_000);
    const count = cluster.published.length;
    cluster.run(60_000);
    expect(cluster.assignment.slices.filter(({ owner, movingTo }) => owner === null || movingTo !== null)).toEqual([]);
    expect(cluster.imbalance()).toBeLessThan(1.2);
    expect(cluster.published.length - count).toBeLessThanOrEqual(1);
    // What the Assignment says is what is served.
    for (const slicelet of life.living.values()) {
      const owned = cluster.assignment.slices.filter(({ owner }) => owner === slicelet.id).reduce((sum, { low, high }) => sum + high - low, 0);
      expect(slicelet.serves.reduce((sum, { low, high }) => sum + high - low, 0)).toBe(owned);
    }
  });
});
