// The Clerk: the newest Assignment a router has seen, ready for look-ups. The newest Generation wins, whoever brings it; what it
// knows is a cache to route by, never a right to serve (PROTOCOL P8). bench: clerk.
import { type Assignment, addressOf } from "../slice/assignment.js";
import { type Generation, isNewer, NO_GENERATION } from "../slice/generation.js";
import { joined, type KeyRange } from "../slice/keyRange.js";

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
    const ranges = new Map<string, KeyRange[]>();
    for (const slice of assignment.slices) {
      const address = addressOf(assignment, slice.owner) ?? HELD;
      const known = ranges.get(address);
      if (known === undefined) ranges.set(address, [slice]);
      else known.push(slice);
    }
    const order = [...ranges.keys()];
    const numbers = new Map(order.map((address, i) => [address, i]));
    this.#lows = Uint32Array.from(assignment.slices, ({ low }) => low);
    this.#numbers = Int32Array.from(assignment.slices, ({ owner }) => numbers.get(addressOf(assignment, owner) ?? HELD) ?? 0);
    this.#routes = order.map((address) => ({ address, ranges: joined(ranges.get(address) ?? []) }));
    this.#generation = assignment.generation;
    return true;
  }

  /** Index in `routes` of the one that has a key. O(log slices), no allocation. */
  routeOf(key: number): number {
    const lows = this.#lows;
    let from = 0;
    let to = lows.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((lows[middle] ?? 0) <= key) from = middle;
      else to = middle - 1;
    }
    return this.#numbers[from] ?? 0;
  }
}
