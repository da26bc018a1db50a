// The assigner's constants. Times in ms.

export interface AssignerLimits {
  /** A Resource silent for so long is gone. */
  readonly leaseMs: number;
  /** Slices of a Resource that said it stays are kept for it for so long, then held for as long again. */
  readonly stayMs: number;
  /** Slices of a Resource that is gone without a word are held for so long before they are given away empty. */
  readonly orphanAfterMs: number;
  /** Between two rounds of balancing. */
  readonly roundMs: number;
  /** Least time between two Generations of any kind; grows with the number of Slices. */
  readonly urgentMs: number;
  /** Balancing waits so long after a Resource came or went: who has just come may be there for one that is about to go. */
  readonly joinMs: number;
  /** A Slice that has moved is not moved again for balance for so long. */
  readonly cooldownMs: number;
  /** Moves at a time, out of one Resource and into one Resource. */
  readonly movesMax: number;
  /** Most that one round of balancing moves, as a share of the key space and of the load. */
  readonly churnMax: number;
  /** The first Assignment waits for so many Resources, at most 10 leases. */
  readonly resourcesMin: number;
  /** Resources remembered. */
  readonly resourcesMax: number;
}

export const ASSIGNER_LIMITS: AssignerLimits = {
  leaseMs: 3000,
  stayMs: 15_000,
  orphanAfterMs: 0,
  roundMs: 5000,
  urgentMs: 50,
  joinMs: 15_000,
  cooldownMs: 120_000,
  movesMax: 8,
  churnMax: 0.1,
  resourcesMin: 1,
  resourcesMax: 10_000,
};
