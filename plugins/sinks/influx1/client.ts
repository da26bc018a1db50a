// A batch as points of the `influx` library, and what it throws as an Answer. The library is loaded with the first batch: it costs
// 60 ms. Its own retries and its pause after a failure are off; the queue has both.
import type { Agent } from "node:http";
import { isNativeError } from "node:util/types";
import type { InfluxDB, IPoint } from "influx";
import type { Answer } from "#limpet/sink/answer.js";
import type { Batch } from "#limpet/sink/batch.js";
import type { Client } from "#limpet/sink/clientTransport.js";
import { eachRow, influxField } from "#limpet/sink/influxRows.js";
import type { SinkAccess } from "#limpet/sink/secret.js";

export interface Influx1Options {
  /** Without the database. */
  readonly url: URL;
  readonly database: string;
  readonly retentionPolicy: string | undefined;
  readonly access: SinkAccess | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
  readonly timeoutMs: number;
}

const noPause = { getDelay: () => 0, next: () => noPause, reset: () => noPause };

export class Influx1Client implements Client {
  readonly #options: Influx1Options;
  #made: { readonly secret: string | undefined; readonly influx: InfluxDB } | undefined;

  constructor(options: Influx1Options) {
    this.#options = options;
  }

  async write(batch: Batch): Promise<Answer> {
    const points: IPoint[] = [];
    eachRow(batch, ({ name, labels, timestamp, value }) =>
      points.push({ measurement: name, tags: labels, fields: { [influxField]: value }, timestamp: String(timestamp) }),
    );
    const { retentionPolicy } = this.#options;
    try {
      const influx = await this.#influx();
      await influx.writePoints(points, { precision: "ms", ...(retentionPolicy === undefined ? {} : { retentionPolicy }) });
      return { kind: "status", status: 204, body: "" };
    } catch (error) {
      return answerOf(error);
    }
  }

  close(): void {
    this.#options.agent.destroy();
  }

  async #influx(): Promise<InfluxDB> {
    const { url, database, access, headers, agent, timeoutMs } = this.#options;
    const secret = access?.secret.current();
    if (this.#made !== undefined && this.#made.secret === secret) return this.#made.influx;
    const { InfluxDB } = await import("influx");
    const secure = url.protocol === "https:";
    const influx = new InfluxDB({
      host: url.hostname,
      port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
      protocol: secure ? "https" : "http",
      path: url.pathname.replace(/\/$/, ""),
      options: { agent, headers },
      database,
      // Left out they would be root.
      username: access?.username ?? "",
      password: secret ?? "",
      pool: { maxRetries: 0, requestTimeout: timeoutMs, backoff: noPause },
    });
    this.#made = { secret, influx };
    return influx;
  }
}

/** The library keeps the status of 3xx and 4xx alone; 5xx come with their words. */
function answerOf(error: unknown): Answer {
  if (!isNativeError(error)) return { kind: "failed", reason: String(error) };
  // The library's RequestError, or node's own errors, by their fields: the classes are not loaded here.
  const { res, code } = error as Error & {
    readonly res?: { readonly statusCode?: number; readonly headers?: Record<string, string> };
    readonly code?: string;
  };
  if (res?.statusCode === undefined) return { kind: "failed", reason: code ?? error.message };
  return { kind: "status", status: res.statusCode, body: error.message, retryAfter: res.headers?.["retry-after"] };
}
