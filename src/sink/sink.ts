// What the aggregator needs of a sink, and what a kind of sink (a folder in plugins/sinks) implements.
import type { MarkKind, RowBlock } from "../metric/rowBlock.js";
import type { KeyRange } from "../slice/keyRange.js";
import type { SinkAccess } from "./secret.js";

/**
 * Why rows are lost; the one vocabulary of code, metrics and documentation.
 * queue_full: the queue reached its byte cap. bad_request: the receiver refused them for good. too_old: the receiver could not be
 * reached for max_age. stop: still queued when the process had to end. invalid: labels that no receiver takes. io: the disk or pipe failed.
 * One more is counted where there is no sink: no_sink, for rows that came with state and wait for a sink that is not here (drive/status.ts).
 */
export type DropReason = "queue_full" | "bad_request" | "too_old" | "stop" | "invalid" | "io";

/** Fate of a block's rows at one sink. Their sum, with those that moved, is the block's rowCount. */
export interface BlockOutcome {
  readonly stored: number;
  /** The receiver holds another value for that series and timestamp. */
  readonly conflict: number;
  /** Refused as out of order or too old: whether it is stored is not known. */
  readonly unknown: number;
  /** Withdrawn without an answer: whoever has them now says what becomes of them. */
  readonly moved: number;
  /** Lost, by reason (DropReason). A reason without rows is absent. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface SinkStats {
  readonly stored: number;
  readonly conflict: number;
  readonly unknown: number;
  readonly moved: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly queueBytes: number;
  readonly queueBytesMax: number;
  readonly queueRows: number;
}

export interface Sink {
  /** The URL without credentials; labels metrics and messages. */
  readonly name: string;
  /** What it takes beside samples; blocks of other marks are not offered. */
  readonly marks: ReadonlySet<MarkKind>;
  /** Takes a block at once, never blocks. `done` is called exactly once, when every row has its outcome. */
  offer(block: RowBlock, done: (outcome: BlockOutcome) => void): void;
  /**
   * Takes the rows of a key range out that have no outcome, and resolves to them, oldest block first: to be offered to the sink of this
   * name at the range's next owner, or here again, before any newer ones. Waits for what is in flight, a second at most; rows of a
   * request that was not answered may be stored, and are no older than the newest of their series at the receiver.
   * Nothing of the range may be offered meanwhile.
   */
  withdraw(range: KeyRange): Promise<readonly RowBlock[]>;
  /**
   * Sends what is queued until `deadlineMs` from now, then gives the rest up as dropped{stop} and returns exactly those rows, oldest
   * block first: whoever keeps them can offer them to the same sink of the next process. Rows whose answer did not come in time are
   * among them. Later calls get the same answer.
   */
  close(deadlineMs: number): Promise<readonly RowBlock[]>;
  stats(): SinkStats;
}

export type { KeyRange } from "../slice/keyRange.js";

export type SinkLog = (level: "info" | "warn" | "error", message: string) => void;

/** Of the connection to the receiver; PEM texts. */
export interface SinkTls {
  /** Trusted instead of the system's. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name the receiver's certificate must have, when it is not the URL's host. */
  readonly serverName?: string | undefined;
  /** Takes any certificate. */
  readonly insecure?: boolean | undefined;
}

export interface SinkOptions {
  readonly log: SinkLog;
  /** Instead of the URL in metrics and messages. */
  readonly name?: string;
  /** Bound of the queue in memory, bytes; 256 MiB by default. Past it the oldest blocks are dropped{queue_full}. */
  readonly queueBytesMax?: number;
  /** How long a row may wait in the queue, ms; 1 h by default. Longer: dropped{too_old}. */
  readonly maxAgeMs?: number;
  /** Sent with every HTTP request; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Wins over credentials in the URL. */
  readonly access?: SinkAccess;
  readonly tls?: SinkTls;
  /** Version of remote write; `auto`: the newest the receiver knows. */
  readonly protocol?: "auto" | "1.0" | "2.0";
  /** Marks that are not wanted. */
  readonly withoutMarks?: ReadonlySet<MarkKind>;
  /** One HTTP request, ms; 30 s by default. */
  readonly timeoutMs?: number;
}

/** What `plugins/sinks/<kind>/sink.ts` exports as `sink`. */
export interface SinkPlugin {
  /** URL schemes without the colon, lower case. */
  readonly schemes: readonly string[];
  /** One line for help and errors, e.g. `file:PATH`. */
  readonly form: string;
  /** Throws SinkUrlError. Touches nothing outside before the first offer, except that a file is opened. */
  open(url: string, options: SinkOptions): Sink;
}

/** A sink URL that cannot be used. The message says where, what and the cure, and holds no credentials. */
export class SinkUrlError extends Error {
  readonly code = "sink_url";

  constructor(message: string) {
    super(message);
    this.name = "SinkUrlError";
  }
}

export const queueBytesMaxDefault = 256 * 1024 * 1024;
export const maxAgeMsDefault = 3_600_000;
