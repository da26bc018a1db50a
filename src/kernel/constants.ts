// Fills page 0: the tables that number.ts and sketch.ts read. Runs once, when this module loads.
// Not part of the AssemblyScript subset.
import { BOUND_GUESS, BOUNDS, POWERS } from "./layout.js";
import { heap32, heap64 } from "./memory.js";

/**
 * Upper bounds of the buckets of one octave, as fractions in [0.5, 1): Prometheus' own, down to the last bit. They come from
 * repeated multiplication, every second one taken over from the schema below, not from correctly rounded roots
 * (client_golang, prometheus/histogram.go, nativeHistogramBounds).
 */
export function octaveBounds(schema: number): number[] {
  let bounds = [0.5];
  for (let s = 1; s <= schema; s++) {
    // Go's math.Exp2(0.5), which made the published table, is one ulp below the nearest double.
    const factor = s === 1 ? 1.414213562373095 : 2 ** (2 ** -s);
    const finer: number[] = [];
    for (const bound of bounds) finer.push(bound, bound * factor);
    bounds = finer;
  }
  return bounds;
}

function fill(): void {
  for (let i = 0; i <= 22; i++) heap64[(POWERS >> 3) + i] = Number(`1e${String(i)}`);
  const bounds = octaveBounds(6);
  heap64.set(bounds, BOUNDS >> 3);
  for (let i = 0; i < 256; i++) {
    const edge = 0.5 + i / 512;
    const at = bounds.findIndex((bound) => bound >= edge);
    heap32[(BOUND_GUESS >> 2) + i] = at < 0 ? bounds.length : at;
  }
}

fill();
