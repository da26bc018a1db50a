// How busy each Slice keeps its owner: pairs per second by range, smoothed, from counts that only grow while a range is held.
import type { ServedSlice } from "../slice/report.js";
import type { Held } from "./holdings.js";

/** Time constant of the smoothing, ms: a burst of a second is no reason to move state. */
const SMOOTH_MS = 10_000;

interface Reading {
  readonly pairs: number;
  readonly rate: number;
}

export class LoadMeter {
  /** By `low-high`: a range that was cut anew starts from the rate of the whole, shared by width. */
  #readings = new Map<string, Reading>();
  #atMs = Number.NaN;

  /** Reads the counts; at most one reading per heartbeat. */
  read(nowMs: number, held: readonly Held[]): ServedSlice[] {
    const elapsedMs = nowMs - this.#atMs;
    const next = new Map<string, Reading>();
    const served = held.map(({ low, high, term, pairs, bytes, top }): ServedSlice => {
      const key = `${String(low)}-${String(high)}`;
      const before = this.#readings.get(key);
      const rate = before === undefined || !(elapsedMs > 0) ? (before?.rate ?? 0) : smooth(before, pairs, elapsedMs);
      next.set(key, { pairs, rate });
      return { low, high, term, rate, bytes, top };
    });
    this.#readings = next;
    this.#atMs = nowMs;
    return served;
  }
}

function smooth({ pairs: before, rate }: Reading, pairs: number, elapsedMs: number): number {
  const now = (Math.max(0, pairs - before) / elapsedMs) * 1000;
  const weight = 1 - Math.exp(-elapsedMs / SMOOTH_MS);
  return rate + (now - rate) * weight;
}
