// Which SliceKeys take most of a Part's pairs: a space-saving summary (Metwally, Agrawal, El Abbadi 2005) of what the kernel picked
// at random (kernel/probe.ts). It guides cuts and is no state: it is not in a snapshot, and a new owner begins it anew.
//
//   picked keys ─▶ 16 counters { key, count, error } ──below: the least one goes to the next new key──▶ top: shares that are sure
//
// A key's true count lies within [count - error, count], error <= total / 16; the lower end is told, so that what a cut is made
// around is there. Counts are halved as time passes, so that old load fades. Samples are few (1 in 256): a share of 30 % told from
// 100 of them is good to 5 points. bench: none; a few thousand additions a second at full load.
import { PROBES_AT, ROOT_PROBED } from "../kernel/layout.js";
import { type KeyRange, width } from "../slice/keyRange.js";
import type { Parts } from "./parts.js";

const COUNTERS_MAX = 16;
/** Fewer picks say nothing, of all or of one key. */
const TOTAL_MIN = 32;
const COUNT_MIN = 4;
/** A smaller share makes nothing too heavy to balance with. */
const SHARE_MIN = 0.05;
/** What a report has room for. */
const TOP_MAX = 8;

interface Counter {
  readonly key: number;
  readonly count: number;
  /** Of `count`, so much may have been other keys'. */
  readonly error: number;
}

export class HeavyKeys {
  #counters: Counter[] = [];
  #total = 0;

  add(key: number): void {
    this.#total++;
    const counters = this.#counters;
    let least = 0;
    for (let i = 0; i < counters.length; i++) {
      const counter = counters[i];
      if (counter === undefined) break;
      if (counter.key === key) {
        counters[i] = { ...counter, count: counter.count + 1 };
        return;
      }
      if (counter.count < (counters[least]?.count ?? 0)) least = i;
    }
    if (counters.length < COUNTERS_MAX) counters.push({ key, count: 1, error: 0 });
    else {
      const error = counters[least]?.count ?? 0;
      counters[least] = { key, count: error + 1, error };
    }
  }

  /** Halves what is remembered. */
  fade(): void {
    this.#total /= 2;
    this.#counters = this.#counters.map(({ key, count, error }) => ({ key, count: count / 2, error: error / 2 }));
  }

  /** The heaviest keys first, with their share of the pairs (0..1): at least so much, but for chance. */
  top(): [key: number, share: number][] {
    if (this.#total < TOTAL_MIN) return [];
    return this.#counters
      .map(({ key, count, error }): [number, number] => [key, count - error])
      .filter(([, sure]) => sure >= COUNT_MIN && sure / this.#total >= SHARE_MIN)
      .toSorted(([a, x], [b, y]) => y - x || a - b)
      .slice(0, TOP_MAX)
      .map(([key, sure]) => [key, sure / this.#total]);
  }

  /** What is known of a part of its range. What no counter explains is taken as spread evenly. */
  within(part: KeyRange, whole: KeyRange): HeavyKeys {
    const cut = new HeavyKeys();
    const sureOf = (counters: readonly Counter[]): number => counters.reduce((sum, { count, error }) => sum + count - error, 0);
    cut.#counters = this.#counters.filter(({ key }) => key >= part.low && key < part.high);
    cut.#total = sureOf(cut.#counters) + ((this.#total - sureOf(this.#counters)) * width(part)) / width(whole);
    return cut;
  }

  /** Of two ranges that become one. */
  join(other: HeavyKeys): HeavyKeys {
    const joined = new HeavyKeys();
    joined.#counters = [...this.#counters, ...other.#counters].toSorted((a, b) => b.count - a.count).slice(0, COUNTERS_MAX);
    joined.#total = this.#total + other.#total;
    return joined;
  }
}

/** Takes the kernel's list of picked keys away. */
export function takeProbes(root: number, parts: Parts): void {
  const probed = i32.load(root + ROOT_PROBED);
  if (probed === 0) return;
  i32.store(root + ROOT_PROBED, 0);
  for (let i = 0; i < probed; i++) {
    const key = i32.load(root + PROBES_AT + i * 4) >>> 0;
    parts.at(key)?.heavy.add(key);
  }
}
