// A batch as points of `@influxdata/influxdb-client`, and what it throws as an Answer. The library is loaded with the first
// batch. Its own batches, retries and messages are off; the queue has them.
import type { Agent } from "node:http";
import { isNativeError } from "node:util/types";
import type { WriteOptions } from "@influxdata/influxdb-client";
import type { Answer } from "#limpet/sink/answer.js";
import type { Batch } from "#limpet/sink/batch.js";
import type { Client } from "#limpet/sink/clientTransport.js";
import { eachRow, influxField } from "#limpet/sink/influxRows.js";
import { authorization, type SinkAccess } from "#limpet/sink/secret.js";

export interface Influx2Options {
  /** Without organisation and bucket. */
  readonly url: URL;
  readonly organisation: string;
  readonly bucket: string;
  readonly access: SinkAccess | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
  readonly timeoutMs: number;
}

const passive: Partial<WriteOptions> = {
  maxBatchBytes: Number.MAX_SAFE_INTEGER,
  flushInterval: 0,
  maxRetries: 0,
  // Its default writes to the console.
  writeFailed: (error) => Promise.reject(error),
};

export class Influx2Client implements Client {
  readonly #options: Influx2Options;

  constructor(options: Influx2Options) {
    this.#options = options;
  }

  async write(batch: Batch): Promise<Answer> {
    const { url, organisation, bucket, access, agent, timeoutMs } = this.#options;
    try {
      const { InfluxDB, Point } = await import("@influxdata/influxdb-client");
      const headers = { ...this.#options.headers, ...(access === undefined ? {} : { authorization: authorization(access, "Token") }) };
      const database = new InfluxDB({ url: url.href, timeout: timeoutMs, headers, transportOptions: { agent } });
      const points = database.getWriteApi(organisation, bucket, "ms", { ...passive, batchSize: batch.starts.length + 1 });
      eachRow(batch, ({ name, labels, timestamp, value }) => {
        const point = new Point(name).floatField(influxField, value).timestamp(String(timestamp));
        for (const [tag, text] of Object.entries(labels)) point.tag(tag, text);
        points.writePoint(point);
      });
      await points.flush();
      return { kind: "status", status: 204, body: "" };
    } catch (error) {
      return answerOf(error);
    }
  }

  close(): void {
    this.#options.agent.destroy();
  }
}

function answerOf(error: unknown): Answer {
  if (!isNativeError(error)) return { kind: "failed", reason: String(error) };
  // The library's HttpError, by its fields: the class is not loaded here.
  const { statusCode, body, headers, code } = error as Error & {
    readonly statusCode?: number;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly code?: string;
  };
  if (statusCode === undefined) return { kind: "failed", reason: code ?? error.message };
  return { kind: "status", status: statusCode, body: body ?? error.message, retryAfter: headers?.["retry-after"] };
}
