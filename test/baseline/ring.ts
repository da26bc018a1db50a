// A consistent-hash ring: each Resource stands at POINTS places, a key belongs to the next place at or after it. Knows no load.
import { xxh64Low } from "#limpet/base/xxh64.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { Balancer, OwnedRange } from "./world.js";

const POINTS = 100;
const encoder = new TextEncoder();

export const ring: Balancer = (_before, names) => {
  const points = names
    .flatMap((owner) => Array.from({ length: POINTS }, (_, i) => ({ at: xxh64Low(encoder.encode(`${owner}/${String(i)}`)), owner })))
    .toSorted((a, b) => a.at - b.at);
  const ranges: OwnedRange[] = [];
  let low = 0;
  for (const { at, owner } of points) {
    if (at + 1 <= low) continue;
    ranges.push({ low, high: at + 1, owner });
    low = at + 1;
  }
  const first = points[0];
  if (first !== undefined && low < KEY_END) ranges.push({ low, high: KEY_END, owner: first.owner });
  return ranges;
};
