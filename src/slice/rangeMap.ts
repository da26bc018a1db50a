// A value for every SliceKey: sorted ranges that cover the key space, neighbours with equal values joined.
//
//   0 ───── a ───── 400 ── b ── 700 ───────── a ───────── 2^32
import { KEY_END, type KeyRange } from "./keyRange.js";

export interface RangeEntry<T> extends KeyRange {
  readonly value: T;
}

/** Values are compared by `same`, and never changed in place. */
export class RangeMap<T> {
  readonly #same: (a: T, b: T) => boolean;
  /** Invariant: sorted by low, without gaps, from 0 to KEY_END, neighbours differ. */
  #entries: readonly RangeEntry<T>[];

  constructor(value: T, same: (a: T, b: T) => boolean = Object.is) {
    this.#same = same;
    this.#entries = [{ low: 0, high: KEY_END, value }];
  }

  entries(): readonly RangeEntry<T>[] {
    return this.#entries;
  }

  at(key: number): T {
    let from = 0;
    let to = this.#entries.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((this.#entries[middle]?.low ?? KEY_END) <= key) from = middle;
      else to = middle - 1;
    }
    const found = this.#entries[from];
    if (found === undefined) throw new Error("a range map covers every key");
    return found.value;
  }

  /** The parts of `range`, cut to it. */
  within({ low, high }: KeyRange): RangeEntry<T>[] {
    const parts: RangeEntry<T>[] = [];
    for (const entry of this.#entries) {
      if (entry.high <= low || entry.low >= high) continue;
      parts.push({ low: Math.max(low, entry.low), high: Math.min(high, entry.high), value: entry.value });
    }
    return parts;
  }

  /** Replaces the value of every key in `range` by a function of what it was. */
  update(range: KeyRange, change: (value: T) => T): void {
    const next: RangeEntry<T>[] = [];
    for (const { low, high, value } of this.#entries) {
      if (high <= range.low || low >= range.high) {
        this.#add(next, { low, high, value });
        continue;
      }
      if (low < range.low) this.#add(next, { low, high: range.low, value });
      this.#add(next, { low: Math.max(low, range.low), high: Math.min(high, range.high), value: change(value) });
      if (high > range.high) this.#add(next, { low: range.high, high, value });
    }
    this.#entries = next;
  }

  #add(entries: RangeEntry<T>[], entry: RangeEntry<T>): void {
    const last = entries.at(-1);
    if (last !== undefined && this.#same(last.value, entry.value))
      entries[entries.length - 1] = { low: last.low, high: entry.high, value: last.value };
    else entries.push(entry);
  }
}
