// Rates out of running totals: what the aggregator counted, observed about twice a second.
import type { AggregatorLedger } from "./ledger.js";
import type { ProcessUsage } from "./processUsage.js";

export interface Meter {
  observe(nowMs: number, ledger: Pick<AggregatorLedger, "lines_read" | "samples_received">, usage: ProcessUsage | undefined): void;
  /** Lines read per second, one value per second, the newest last; at most 60. */
  linesPerSecond(): readonly number[];
  samplesPerSecond(): number;
  /** Of one core, over the last second; undefined until known. */
  cpuPercent(): number | undefined;
}

interface Point {
  readonly ms: number;
  readonly lines: number;
  readonly samples: number;
  readonly cpuSeconds: number | undefined;
}

const HISTORY_SECONDS = 60;
/** A little under a second, so that two polls of half a second always make a point. */
const POINT_GAP_MS = 900;

/** @param startMs when the aggregator was started, with nothing counted. */
export function createMeter(startMs: number): Meter {
  let last: Point = { ms: startMs, lines: 0, samples: 0, cpuSeconds: undefined };
  const history: number[] = [];
  let samplesPerSecond = 0;
  let cpuPercent: number | undefined;
  return {
    observe(nowMs, ledger, usage) {
      const seconds = (nowMs - last.ms) / 1000;
      if (nowMs - last.ms < POINT_GAP_MS) return;
      const point = { ms: nowMs, lines: ledger.lines_read, samples: ledger.samples_received, cpuSeconds: usage?.cpuSeconds };
      history.push((point.lines - last.lines) / seconds);
      if (history.length > HISTORY_SECONDS) history.shift();
      samplesPerSecond = (point.samples - last.samples) / seconds;
      cpuPercent =
        point.cpuSeconds === undefined || last.cpuSeconds === undefined ? undefined : (100 * (point.cpuSeconds - last.cpuSeconds)) / seconds;
      last = point;
    },
    linesPerSecond: () => history,
    samplesPerSecond: () => samplesPerSecond,
    cpuPercent: () => cpuPercent,
  };
}
