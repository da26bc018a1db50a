// What a running router says about itself: as metrics, as its status page, and as the ledger of its end.
import type { AnswerCounts } from "../http/answerCounts.js";
import type { ByReason } from "../selfstat/metrics.js";
import type { RouterStats } from "../selfstat/routerMetrics.js";
import { formatGeneration } from "../slice/generation.js";
import type { RouterDriver } from "./routerDriver.js";

const NOTHING = { samplesReceived: 0, samplesMatched: 0, samplesIgnored: {} };

export function routerStats(driver: RouterDriver, answers: AnswerCounts, linesLeft = 0): RouterStats {
  const { router, partition, generation } = driver;
  const { samplesReceived, samplesMatched, samplesIgnored } = partition?.ledger() ?? NOTHING;
  const { retention } = router;
  return {
    samplesReceived,
    samplesMatched,
    samplesIgnored,
    linesInvalid: { ...partition?.linesInvalid },
    linesDropped: counted({ lane_full: retention.linesLost, stop: linesLeft }),
    batches: { ...router.batchesByAnswer },
    batchesUnprotected: retention.batchesUnprotected,
    retentionBytes: retention.bytes,
    retentionBytesMax: retention.bytesMax,
    lanes: router.lanes().length,
    generation,
    cacheResets: partition?.resets ?? 0,
    answers: answers.all(),
  };
}

function counted(counts: ByReason): ByReason {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** `GET /api/v1/status`. */
export function routerStatus(
  driver: RouterDriver,
  about: { readonly version: string; readonly startedMs: number; readonly assigner: string },
): unknown {
  const { router, generation, rules, refusal } = driver;
  return {
    ...about,
    generation: formatGeneration(generation),
    rules,
    ready: refusal ?? "yes",
    retention_bytes: router.retention.bytes,
    lanes: router.lanes().map(({ address, bytes }) => ({ owner: address === "" ? null : address, bytes })),
  };
}

/** One line for whoever adds up what became of everything. */
export function routerLedger(driver: RouterDriver, answers: AnswerCounts, linesLeft: number): unknown {
  const stats = routerStats(driver, answers, linesLeft);
  return {
    lines_read: driver.partition?.linesRead ?? 0,
    lines_invalid: Object.values(stats.linesInvalid).reduce((sum, lines) => sum + lines, 0),
    samples_received: stats.samplesReceived,
    samples_matched: stats.samplesMatched,
    samples_ignored: stats.samplesIgnored,
    lines_dropped: stats.linesDropped,
    batches: stats.batches,
    batches_unprotected: stats.batchesUnprotected,
  };
}
