// How busy each Slice keeps its owner: pairs per second by range, smoothed, from counts that only grow while a range is held.
//
//   told = sum(rate * weight) / sum(weight), weights fading with age: true from the second reading on, and a burst of a second counts
//   the less the longer the range was watched. Who moves state by it waits until that is long enough (assign/book.ts).
import { type KeyRange, overlap, width } from "../slice/keyRange.js";
import type { ServedSlice } from "../slice/report.js";
import type { Held } from "./holdings.js";

/** Time constant of the smoothing, ms: a burst of a second is no reason to move state. */
const SMOOTH_MS = 10_000;
/** What is told of a part of a range by its width weighs no more than one second's reading. */
const CUT_WEIGHT = 0.1;

interface Reading extends KeyRange {
  readonly pairs: number;
  readonly rate: number;
  /** Of all that was read, faded: 0 at first, 1 after long. */
  readonly weight: number;
}

export class LoadMeter {
  /** Sorted, disjoint. */
  #readings: readonly Reading[] = [];
  #atMs = Number.NaN;

  /** Reads the counts; at most one reading per heartbeat. `held` is sorted. */
  read(nowMs: number, held: readonly Held[]): ServedSlice[] {
    const elapsedMs = nowMs - this.#atMs;
    const before = this.#readings;
    let at = 0;
    this.#readings = held.map((part) => {
      while ((before[at]?.high ?? Number.POSITIVE_INFINITY) <= part.low) at++;
      const known = before[at];
      if (known?.low !== part.low || known.high !== part.high) return begin(part, before.slice(at));
      return elapsedMs > 0 ? add(known, part.pairs, elapsedMs) : known;
    });
    this.#atMs = nowMs;
    return held.map(({ low, high, term, bytes, top }, i) => ({ low, high, term, rate: this.#readings[i]?.rate ?? 0, bytes, top }));
  }
}

function add({ low, high, pairs: before, rate, weight }: Reading, pairs: number, elapsedMs: number): Reading {
  const now = (Math.max(0, pairs - before) / elapsedMs) * 1000;
  const fade = Math.exp(-elapsedMs / SMOOTH_MS);
  const sum = weight * fade + (1 - fade);
  return { low, high, pairs, rate: (rate * weight * fade + now * (1 - fade)) / sum, weight: sum };
}

/** A range with new bounds: what was joined counts in full, a piece of a wider one by its width until it is known better. */
function begin({ low, high, pairs }: Held, before: readonly Reading[]): Reading {
  let rate = 0;
  let weight = 1;
  let covered = 0;
  for (const reading of before) {
    if (reading.low >= high) break;
    const both = overlap(reading, { low, high });
    if (both === undefined) continue;
    const share = width(both) / width(reading);
    rate += reading.rate * share;
    covered += width(both);
    weight = Math.min(weight, share === 1 ? reading.weight : CUT_WEIGHT * reading.weight);
  }
  return { low, high, pairs, rate, weight: covered === high - low ? weight : 0 };
}
