// A common stage for balancers: Resources come and go, load lies on keys, time passes. What is counted is what happens to ownership:
// churn (changes of owner, as shares of the key space and of the load) and imbalance (largest load over the mean).
import { KEY_END, type KeyRange, overlap } from "#limpet/slice/keyRange.js";
import { Cluster, type ClusterOptions, type FakeSlicelet, type KeyLoad, keyLoad, rateOf } from "../assign/cluster.js";

export interface Churn {
  readonly keys: number;
  readonly load: number;
}

export interface World {
  readonly name: string;
  add(name: string): void;
  /** Planned: it hands everything on and is gone. */
  leave(name: string): void;
  setLoad(load: KeyLoad): void;
  run(ms: number): void;
  imbalance(): number;
  /** Since the last call. */
  takeChurn(): Churn;
}

/** Limpet's own, as it runs. */
export class LimpetWorld implements World {
  readonly name = "limpet";
  readonly cluster: Cluster;
  readonly #slicelets = new Map<string, FakeSlicelet>();
  #incarnation = 0;

  constructor(load: KeyLoad, options: ClusterOptions = {}) {
    // Coarser than in life, because the traces are long.
    this.cluster = new Cluster({ load, tickMs: 500, heartbeatMs: 5000, limits: { leaseMs: 12_000 }, ...options });
  }

  add(name: string): void {
    this.#slicelets.set(name, this.cluster.start(name, String(++this.#incarnation)));
  }

  leave(name: string): void {
    const slicelet = this.#slicelets.get(name);
    if (slicelet === undefined) return;
    slicelet.state = "draining";
    this.cluster.runUntil(() => slicelet.serves.length === 0 && slicelet.moved.length === 0 && !this.#owns(slicelet), 300_000);
    this.cluster.kill(slicelet);
  }

  setLoad(load: KeyLoad): void {
    this.cluster.load = load;
  }

  run(ms: number): void {
    this.cluster.run(ms);
  }

  imbalance(): number {
    return this.cluster.imbalance();
  }

  takeChurn(): Churn {
    const { keys, load } = this.cluster.churn;
    this.cluster.churn = { moves: 0, keys: 0, load: 0 };
    return { keys, load };
  }

  #owns({ id }: FakeSlicelet): boolean {
    return this.cluster.assignment.slices.some(({ owner }) => owner === id);
  }
}

export interface OwnedRange extends KeyRange {
  readonly owner: string;
}

/** `before`: undefined at first. The ranges cover the key space. */
export type Balancer = (before: readonly OwnedRange[] | undefined, names: readonly string[], load: KeyLoad) => readonly OwnedRange[];

/** A balancer that is asked whenever somebody comes or goes, and every `roundMs`. Moves cost nothing and take no time. */
export class BalancerWorld implements World {
  readonly name: string;
  readonly #balance: Balancer;
  readonly #roundMs: number;
  #names: readonly string[] = [];
  #load: KeyLoad;
  #ranges: readonly OwnedRange[] | undefined;
  #sinceMs = 0;
  #churn = { keys: 0, load: 0 };

  constructor(name: string, balance: Balancer, { load, roundMs }: { readonly load: KeyLoad; readonly roundMs: number }) {
    this.name = name;
    this.#balance = balance;
    this.#roundMs = roundMs;
    this.#load = load;
  }

  add(name: string): void {
    this.#names = [...this.#names, name].toSorted();
    if (this.#ranges !== undefined) this.#decide();
  }

  leave(name: string): void {
    this.#names = this.#names.filter((other) => other !== name);
    this.#decide();
  }

  setLoad(load: KeyLoad): void {
    this.#load = load;
  }

  run(ms: number): void {
    // Nothing is known of the load at first.
    this.#ranges ??= this.#balance(undefined, this.#names, keyLoad([]));
    for (this.#sinceMs += ms; this.#sinceMs >= this.#roundMs; this.#sinceMs -= this.#roundMs) this.#decide();
  }

  imbalance(): number {
    const loads = new Map(this.#names.map((name) => [name, 0]));
    for (const range of this.#ranges ?? []) loads.set(range.owner, (loads.get(range.owner) ?? 0) + rateOf(this.#load, range));
    const all = [...loads.values()];
    return Math.max(...all) / (all.reduce((sum, load) => sum + load, 0) / all.length);
  }

  takeChurn(): Churn {
    const churn = this.#churn;
    this.#churn = { keys: 0, load: 0 };
    return churn;
  }

  #decide(): void {
    const before = this.#ranges;
    const after = this.#balance(before, this.#names, this.#load);
    this.#ranges = after;
    if (before !== undefined) this.#count(before, after);
  }

  #count(before: readonly OwnedRange[], after: readonly OwnedRange[]): void {
    const all = this.#load.sums.at(-1) ?? 1;
    let at = 0;
    for (const range of after) {
      while ((before[at]?.high ?? KEY_END) <= range.low) at++;
      for (let i = at; (before[i]?.low ?? KEY_END) < range.high; i++) {
        const old = before[i];
        const part = old === undefined || old.owner === range.owner ? undefined : overlap(old, range);
        if (part === undefined) continue;
        this.#churn.keys += (part.high - part.low) / KEY_END;
        this.#churn.load += rateOf(this.#load, part) / all;
      }
    }
  }
}
