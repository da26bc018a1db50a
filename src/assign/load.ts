// What a Slice weighs, and how that is cut and joined with it. The part of the load that no hot key explains is taken as spread
// evenly over the range.
import { type KeyRange, width } from "../slice/keyRange.js";
import type { ServedSlice } from "../slice/report.js";

export interface Weight {
  /** (sample, rule) pairs per second. */
  readonly rate: number;
  /** Bytes of state. */
  readonly bytes: number;
  /** Keys that take a noticeable part, with their rate; sorted by key. */
  readonly hot: readonly (readonly [key: number, rate: number])[];
}

export const NO_WEIGHT: Weight = { rate: 0, bytes: 0, hot: [] };

/** As its owner reports it. */
export function weightOf({ rate, bytes, top }: ServedSlice): Weight {
  if (top.length === 0) return { rate, bytes, hot: NO_WEIGHT.hot };
  const total = top.reduce((sum, [, share]) => sum + share, 0);
  const scale = total > 1 ? 1 / total : 1;
  const hot = top.map(([key, share]) => [key, share * scale * rate] as const).toSorted(([a], [b]) => a - b);
  return { rate, bytes, hot };
}

/** What of a range's weight lies in a part of it. */
export function cutWeight(weight: Weight, from: KeyRange, part: KeyRange): Weight {
  if (part.low <= from.low && part.high >= from.high) return weight;
  const hot = weight.hot.filter(([key]) => key >= part.low && key < part.high);
  const hotAll = weight.hot.reduce((sum, [, rate]) => sum + rate, 0);
  const hotHere = hot.reduce((sum, [, rate]) => sum + rate, 0);
  const share = width(part) / width(from);
  return { rate: hotHere + Math.max(0, weight.rate - hotAll) * share, bytes: weight.bytes * share, hot };
}

export function addWeights(a: Weight, b: Weight): Weight {
  return { rate: a.rate + b.rate, bytes: a.bytes + b.bytes, hot: [...a.hot, ...b.hot] };
}

/** The same state with another rate. */
export function withRate(weight: Weight, rate: number): Weight {
  if (weight.hot.length === 0) return { rate, bytes: weight.bytes, hot: weight.hot };
  const scale = weight.rate > 0 ? rate / weight.rate : 0;
  return { rate, bytes: weight.bytes, hot: weight.hot.map(([key, hot]) => [key, hot * scale] as const) };
}
