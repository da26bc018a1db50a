// What the aggregator needs of a sink. Each kind of sink is a folder in plugins/sinks.
import type { RowBlock } from "../metric/rowBlock.js";

/** Fate of a block's rows at one sink. Their sum is the block's rowCount. */
export interface BlockOutcome {
  readonly stored: number;
  /** The receiver holds another value for that series and timestamp. */
  readonly conflict: number;
  /** Refused as out of order or too old: whether it is stored is not known. */
  readonly unknown: number;
  /** Lost, by reason (queue_full, bad_request, too_old, stop). */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface SinkStats {
  readonly stored: number;
  readonly conflict: number;
  readonly unknown: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly queueBytes: number;
  readonly queueBytesMax: number;
  readonly queueRows: number;
}

export interface Sink {
  /** The URL without credentials; labels metrics and messages. */
  readonly name: string;
  /** Takes a block at once, never blocks. `done` is called exactly once, when every row has its outcome. */
  offer(block: RowBlock, done: (outcome: BlockOutcome) => void): void;
  /** Sends what is queued until `deadlineMs` from now, then gives the rest up as dropped{stop}. */
  close(deadlineMs: number): Promise<void>;
  stats(): SinkStats;
}
