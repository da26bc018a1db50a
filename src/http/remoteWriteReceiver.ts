// A remote-write receiver in memory that answers as a Prometheus without an out-of-order window does: the newest sample of each
// series is kept, a request is stored whole or not at all. `limpet up` shows what arrives in it; tests send to it.
//   same timestamp, same bits 204 · same timestamp, other value 400 "duplicate sample" · older 400 "out of order sample"
//   body that is no WriteRequest 400 · over bodyBytesMax 413 · more than seriesMax series 429
import type { IncomingMessage, ServerResponse } from "node:http";
import { SnappyError, uncompressSnappy } from "../base/snappy.js";
import { type DecodedSample, type DecodedSeries, decodeWriteRequest, WriteRequestError } from "../metric/remoteWriteDecode.js";
import type { Row } from "../metric/rowBlock.js";

export interface ReceiverOptions {
  /** Bound of a body, compressed and uncompressed each. 32 MiB by default, as Prometheus. */
  readonly bodyBytesMax?: number;
  /** 1 000 000 by default. */
  readonly seriesMax?: number;
  /** Called once per accepted request with its series, also those whose samples were held already. */
  readonly onSeries?: (series: readonly DecodedSeries[]) => void;
}

export interface ReceiverStats {
  requests: number;
  /** Samples in accepted requests: rowsStored + rowsDuplicate. */
  samples: number;
  /** Samples that were new. */
  rowsStored: number;
  /** Samples accepted that were held already, bit by bit: re-sends. */
  rowsDuplicate: number;
  /** Requests refused: another value at the same timestamp / older than the newest. */
  conflicts: number;
  outOfOrder: number;
  /** Requests refused as malformed, too large or over seriesMax. */
  badRequests: number;
  /** Series seen. */
  series: number;
}

export interface ReceiverAnswer {
  readonly status: 204 | 400 | 413 | 429;
  readonly body: string;
}

export interface Receiver {
  /** A node:http request listener; the path is the caller's business. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
  /** The same on a whole body (Snappy), without HTTP. */
  receive(body: Uint8Array): ReceiverAnswer;
  readonly stats: Readonly<ReceiverStats>;
  /** The newest rows stored, oldest first, at most `count` and at most 256. */
  latest(count: number): Row[];
}

const latestMax = 256;

export function createReceiver(options: ReceiverOptions = {}): Receiver {
  return new MemoryReceiver(options);
}

class MemoryReceiver implements Receiver {
  readonly stats: ReceiverStats = {
    requests: 0,
    samples: 0,
    rowsStored: 0,
    rowsDuplicate: 0,
    conflicts: 0,
    outOfOrder: 0,
    badRequests: 0,
    series: 0,
  };
  readonly #bodyBytesMax: number;
  readonly #seriesMax: number;
  readonly #onSeries: ((series: readonly DecodedSeries[]) => void) | undefined;
  /** Newest sample by series, as JSON of its labels. At most seriesMax. */
  readonly #newest = new Map<string, DecodedSample>();
  #latest: Row[] = [];

  constructor(options: ReceiverOptions) {
    this.#bodyBytesMax = options.bodyBytesMax ?? 32 * 1024 * 1024;
    this.#seriesMax = options.seriesMax ?? 1_000_000;
    this.#onSeries = options.onSeries;
  }

  readonly handler = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= this.#bodyBytesMax) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on("end", () => {
      const answer = bytes > this.#bodyBytesMax ? this.#tooLarge() : this.receive(Buffer.concat(chunks));
      response.writeHead(answer.status, { "content-type": "text/plain" }).end(answer.body);
    });
    // A sender that goes away in mid-request has not been answered and comes again; nothing was stored.
    request.on("error", () => response.destroy());
  };

  receive(body: Uint8Array): ReceiverAnswer {
    this.stats.requests++;
    try {
      return this.#store(decodeWriteRequest(uncompressSnappy(body, this.#bodyBytesMax)));
    } catch (error) {
      if (!(error instanceof SnappyError || error instanceof WriteRequestError)) throw error;
      this.stats.badRequests++;
      return { status: error instanceof SnappyError && error.tooLarge ? 413 : 400, body: error.message };
    }
  }

  latest(count: number): Row[] {
    return count > 0 ? this.#latest.slice(-count) : [];
  }

  /** Checks everything before anything is stored: Prometheus rolls the whole request back. */
  #store(series: readonly DecodedSeries[]): ReceiverAnswer {
    const pending = new Map<string, DecodedSample>();
    const rows: Row[] = [];
    let samples = 0;
    for (const one of series) {
      const key = JSON.stringify(one.labels);
      samples += one.samples.length;
      for (const sample of one.samples) {
        const held = pending.get(key) ?? this.#newest.get(key);
        if (held !== undefined && sample.timestamp <= held.timestamp) {
          if (isSame(held, sample)) continue;
          return this.#refuse(held, sample, key);
        }
        pending.set(key, sample);
        rows.push(rowOf(one, sample));
      }
    }
    let fresh = 0;
    for (const key of pending.keys()) if (!this.#newest.has(key)) fresh++;
    if (this.#newest.size + fresh > this.#seriesMax) {
      this.stats.badRequests++;
      return { status: 429, body: `more than ${this.#seriesMax} series` };
    }
    for (const [key, sample] of pending) this.#newest.set(key, sample);
    this.stats.series = this.#newest.size;
    this.stats.samples += samples;
    this.stats.rowsStored += rows.length;
    this.stats.rowsDuplicate += samples - rows.length;
    this.#latest = this.#latest.concat(rows.slice(-latestMax)).slice(-latestMax);
    this.#onSeries?.(series);
    return { status: 204, body: "" };
  }

  #refuse(held: DecodedSample, sample: DecodedSample, key: string): ReceiverAnswer {
    if (sample.timestamp < held.timestamp) {
      this.stats.outOfOrder++;
      return { status: 400, body: `out of order sample: ${key} at ${sample.timestamp}` };
    }
    this.stats.conflicts++;
    return { status: 400, body: `duplicate sample for timestamp: ${key} at ${sample.timestamp}` };
  }

  #tooLarge(): ReceiverAnswer {
    this.stats.requests++;
    this.stats.badRequests++;
    return { status: 413, body: `more than ${this.#bodyBytesMax} bytes` };
  }
}

/** The newest sample once more, bit by bit. */
function isSame(held: DecodedSample, sample: DecodedSample): boolean {
  return held.timestamp === sample.timestamp && held.stale === sample.stale && Object.is(held.value, sample.value);
}

function rowOf(series: DecodedSeries, sample: DecodedSample): Row {
  const labels: Record<string, string> = {};
  let name = "";
  for (const [label, value] of series.labels) {
    if (label === "__name__") name = value;
    else labels[label] = value;
  }
  return { name, labels, timestamp: sample.timestamp, value: sample.value };
}
