// Posts batches to their owners over connections that stay open. What comes back is an outcome, never an exception.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { BatchHead } from "../slice/batch.js";
import { BATCH_PATH, type BatchAnswer, batchHeaders, decodeBatchAnswer } from "../slice/batchWire.js";
import type { Generation } from "../slice/generation.js";
import { bearer, reasonOf } from "./ask.js";
import { refusalText } from "./refusalText.js";

export type Delivered =
  | { readonly kind: "answered"; readonly answer: BatchAnswer }
  /** The owner has not got these rules. */
  | { readonly kind: "need_rules" }
  | { readonly kind: "failed"; readonly message: string };

export interface SenderOptions {
  readonly timeoutMs: number;
  readonly connectionsPerOwner: number;
  /** For owners that ask for one. */
  readonly token: string | undefined;
}

interface Response {
  readonly status: number;
  readonly body: string;
}

const ANSWER_BYTES_MAX = 16 << 20;

export class BatchSender {
  readonly #options: SenderOptions;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(options: SenderOptions) {
    this.#options = options;
    const agent = { keepAlive: true, maxSockets: options.connectionsPerOwner };
    this.#http = new HttpAgent(agent);
    this.#https = new HttpsAgent(agent);
  }

  /** `address`: base URL of an owner. */
  async deliver(address: string, head: BatchHead, generation: Generation, body: Uint8Array): Promise<Delivered> {
    const headers = { ...batchHeaders(head, generation), "content-type": "text/plain; charset=utf-8" };
    const response = await this.#exchange("POST", `${address}${BATCH_PATH}`, headers, body).catch(failureOf);
    if ("kind" in response) return response;
    if (response.status === 409 && response.body.includes('"rules"')) return { kind: "need_rules" };
    if (response.status !== 200) return { kind: "failed", message: refusalText(response.status, response.body) };
    const read = decodeBatchAnswer(response.body);
    return read.ok ? { kind: "answered", answer: read.value } : { kind: "failed", message: `answered ${firstLine(read.error)}` };
  }

  /** Hands an owner the rules `hash`. What went wrong; undefined: nothing. */
  async offerRules(address: string, hash: string, version: string): Promise<string | undefined> {
    const headers = { "content-type": "application/json" };
    const response = await this.#exchange("PUT", `${address}/api/v1/rules/${hash}`, headers, Buffer.from(version)).catch(failureOf);
    if ("kind" in response) return response.message;
    return response.status < 300 ? undefined : refusalText(response.status, response.body);
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #exchange(method: string, url: string, headers: Record<string, string>, body: Uint8Array): Promise<Response> {
    const { timeoutMs, token } = this.#options;
    const secure = url.startsWith("https:");
    const options = {
      method,
      headers: { ...headers, ...bearer(token), "content-length": String(body.length) },
      agent: secure ? this.#https : this.#http,
      signal: AbortSignal.timeout(timeoutMs),
    };
    return new Promise((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
        readAll(response).then((text) => {
          resolve({ status: response.statusCode ?? 0, body: text });
        }, reject);
      });
      request.on("error", reject);
      request.end(body);
    });
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response) {
    // A response without an encoding yields buffers.
    const buffer = piece as Buffer;
    bytes += buffer.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`an answer of more than ${String(ANSWER_BYTES_MAX)} bytes`);
    pieces.push(buffer);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function failureOf(error: unknown): Extract<Delivered, { kind: "failed" }> {
  // Node's own requests name a deadline that passed an abort.
  const timeout = error instanceof Error && error.name === "AbortError";
  return { kind: "failed", message: timeout ? "no answer in time" : reasonOf(error) };
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0]?.slice(0, 200) ?? "";
}
