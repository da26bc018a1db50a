// The Clerk: the newest Assignment a router has seen, ready for look-ups. The newest Generation wins, whoever brings it; what it
// knows is a cache to route by, never a right to serve (PROTOCOL P8). bench: clerk.
import type { Assignment } from "../slice/assignment.js";
import { type Generation, isNewer, NO_GENERATION } from "../slice/generation.js";
import { joined, KEY_END, type KeyRange, shared } from "../slice/keyRange.js";

/** Address of the lane that keeps what nobody serves. */
export const HELD = "";

/** An owner's address and all the ranges it has; sorted, touching ones joined. */
export interface Route {
  /** Base URL; HELD: nobody's. */
  readonly address: string;
  readonly ranges: readonly KeyRange[];
}

export class Clerk {
  #generation: Generation = NO_GENERATION;
  #routes: readonly Route[] = [];
  /** Per Slice: its lowest key, and the index of its Route. Invariant: sorted, the first one is 0. */
  #lows = new Uint32Array(1);
  #numbers = new Int32Array(1);
  /** Slices under a published move, and the address of its target. */
  #heirs: readonly (KeyRange & { readonly address: string })[] = [];

  get generation(): Generation {
    return this.#generation;
  }

  /** One per distinct address. Empty before the first Assignment. */
  get routes(): readonly Route[] {
    return this.#routes;
  }

  /** The look-up table, for who looks up by itself (aggregate/partition.ts): lowest keys, and the Route of each. */
  get table(): { readonly lows: Uint32Array; readonly numbers: Int32Array } {
    return { lows: this.#lows, numbers: this.#numbers };
  }

  /** Takes an Assignment that is newer than the one it has. False: it is not. */
  accept(assignment: Assignment): boolean {
    if (!isNewer(assignment.generation, this.#generation)) return false;
    const addresses = new Map(assignment.resources.map(({ id, address }) => [id, address]));
    const numbers = new Map<string, number>();
    const ranges: KeyRange[][] = [];
    this.#lows = new Uint32Array(assignment.slices.length);
    this.#numbers = new Int32Array(assignment.slices.length);
    for (const [i, slice] of assignment.slices.entries()) {
      const address = slice.owner === null ? HELD : (addresses.get(slice.owner) ?? HELD);
      let number = numbers.get(address);
      if (number === undefined) {
        number = ranges.push([]) - 1;
        numbers.set(address, number);
      }
      ranges[number]?.push(slice);
      this.#lows[i] = slice.low;
      this.#numbers[i] = number;
    }
    this.#heirs = assignment.slices.flatMap(({ low, high, movingTo }) => {
      const address = movingTo === null ? undefined : addresses.get(movingTo);
      return address === undefined ? [] : [{ low, high, address }];
    });
    this.#routes = [...numbers.keys()].map((address, number) => ({ address, ranges: joined(ranges[number] ?? []) }));
    this.#generation = assignment.generation;
    return true;
  }

  /** Index in `routes` of the one that has a key. O(log slices), no allocation. */
  routeOf(key: number): number {
    return this.#numbers[this.#sliceOf(key)] ?? 0;
  }

  /** Ranges by who has them: sorted ranges by address. */
  divide(ranges: readonly KeyRange[]): Map<string, KeyRange[]> {
    const parts = new Map<string, KeyRange[]>();
    for (const { low, high } of ranges) {
      for (let i = this.#sliceOf(low); i < this.#lows.length; i++) {
        const from = Math.max(low, this.#lows[i] ?? 0);
        if (from >= high) break;
        const part = { low: from, high: Math.min(high, this.#lows[i + 1] ?? KEY_END) };
        const address = this.#routes[this.#numbers[i] ?? 0]?.address ?? HELD;
        const known = parts.get(address);
        if (known === undefined) parts.set(address, [part]);
        else known.push(part);
      }
    }
    return new Map([...parts].map(([address, list]) => [address, joined(list)]));
  }

  /** Where parts of some ranges may be by now: published moves whose end nobody has told yet. */
  heirsOf(ranges: readonly KeyRange[]): readonly { readonly address: string; readonly range: KeyRange }[] {
    return this.#heirs.flatMap(({ address, ...slice }) => shared([slice], ranges).map((range) => ({ address, range })));
  }

  #sliceOf(key: number): number {
    const lows = this.#lows;
    let from = 0;
    let to = lows.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((lows[middle] ?? 0) <= key) from = middle;
      else to = middle - 1;
    }
    return from;
  }
}
