// How long to wait before the next attempt: doubling with a cap, the upper half of it random, so that senders which failed
// together do not come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, "equal jitter").

export interface BackoffOptions {
  /** Wait after the first failure, ms, before jitter. */
  readonly minMs: number;
  readonly maxMs: number;
}

/** ms to wait after failure number `failures` (from 1): between half and all of min(maxMs, minMs * 2^(failures-1)). `random` is in [0, 1). */
export function backoffMs(failures: number, options: BackoffOptions, random: number): number {
  const full = Math.min(options.maxMs, options.minMs * 2 ** (failures - 1));
  return full / 2 + (full / 2) * random;
}
