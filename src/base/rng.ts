// A small seeded random number generator (mulberry32 by Tommy Ettinger: 32 bits of state, period 2^32).
// The same seed gives the same numbers on every machine, so that generated load and failing tests can be repeated.
// Not for secrets, and not for anything that needs more than 2^32 draws.

export interface Rng {
  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number;
  /** Uniform integer in [0, limit); limit in 1..2^32. */
  int(limit: number): number;
  /** Standard normal: mean 0, standard deviation 1 (Box-Muller). */
  normal(): number;
}

/** @param seed any number; its low 32 bits count. */
export function createRng(seed: number): Rng {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    int: (limit) => Math.floor(next() * limit),
    // 1 - next() is never 0, so the logarithm is finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}
