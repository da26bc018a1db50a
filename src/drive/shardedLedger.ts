// The ledger of an aggregator in a cluster. Lines and samples are counted where they are read, by the router inside; pairs where they
// are applied, by the slices that are here now: a slice brings its counts with it and takes them along.

import type { RouterDriver } from "./routerDriver.js";
import { routerStats } from "./routerStatus.js";
import type { MoveCounts } from "./sliceletDriver.js";
import { type ProcessLedger, processLedger, type Watched } from "./status.js";

export interface ShardedLedger extends ProcessLedger {
  /** Lines that no owner will have: by reason. */
  readonly lines_dropped: Readonly<Record<string, number>>;
  /** Slices handed on. */
  readonly moves_out: number;
  /** How long each of the last 1000 of them stood still, ms. */
  readonly pauses_ms: readonly number[];
}

/** @param linesLeft what the router could not deliver before its stop */
export function shardedLedger(watched: Watched, router: RouterDriver, moves: MoveCounts, linesLeft = 0): ShardedLedger {
  const routed = routerStats(router, watched.answers, linesLeft);
  return {
    ...processLedger(watched),
    lines_read: router.partition?.linesRead ?? 0,
    lines_invalid: Object.values(routed.linesInvalid).reduce((sum, lines) => sum + lines, 0),
    samples_received: routed.samplesReceived,
    samples_matched: routed.samplesMatched,
    samples_ignored: routed.samplesIgnored,
    // As the router knows them: to owners a series may be in several places, and during a move in one more.
    series: router.partition?.ledger().series ?? 0,
    lines_dropped: routed.linesDropped,
    moves_out: moves.out,
    pauses_ms: moves.pausesMs,
  };
}
