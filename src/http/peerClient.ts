// What a Slicelet sends: copies and go to its peers, reports and Assignments to the assigner. Nothing here is retried; the machine
// sends again what was not answered.
import { systemErrorCode } from "../base/systemError.js";
import type { Assignment } from "../slice/assignment.js";
import { encodeAssignment } from "../slice/assignmentWire.js";
import { decodeReportAnswer, encodeReport, type Report, type ReportAnswer } from "../slice/report.js";
import type { Read } from "../slice/wire.js";
import {
  type CopyAnswer,
  type CopyHead,
  decodeCopyAnswer,
  decodeGoAnswer,
  encodeCopyHead,
  encodeGo,
  type Go,
  type GoAnswer,
} from "../slicelet/messages.js";
import { refusalText } from "./refusalText.js";

export interface PeerClientOptions {
  /** Base URL of the assigner. */
  readonly assigner: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

export const COPY_PATH = "/api/v1/copy";
export const GO_PATH = "/api/v1/go";

export class PeerClient {
  readonly #options: PeerClientOptions;

  constructor(options: PeerClientOptions) {
    this.#options = options;
  }

  async copy(address: string, head: CopyHead, bytes: Uint8Array): Promise<Read<{ readonly answer: CopyAnswer }>> {
    return this.#send(
      { method: "POST", url: `${address}${COPY_PATH}`, headers: { "limpet-copy": encodeCopyHead(head) }, body: bytes },
      decodeCopyAnswer,
    );
  }

  async go(address: string, go: Go): Promise<Read<{ readonly answer: GoAnswer }>> {
    return this.#send({ method: "POST", url: `${address}${GO_PATH}`, headers: {}, body: encodeGo(go) }, decodeGoAnswer);
  }

  async report(report: Report): Promise<Read<ReportAnswer>> {
    return this.#send(
      { method: "POST", url: `${this.#options.assigner}/api/v1/heartbeat`, headers: {}, body: encodeReport(report) },
      decodeReportAnswer,
    );
  }

  async putAssignment(assignment: Assignment): Promise<Read<string>> {
    const request = { method: "PUT", url: `${this.#options.assigner}/api/v1/assignment`, headers: {}, body: encodeAssignment(assignment) };
    return this.#send(request, (text) => ({ ok: true, value: text }));
  }

  async #send<T>(
    {
      method,
      url,
      headers,
      body,
    }: { readonly method: string; readonly url: string; readonly headers: Record<string, string>; readonly body: string | Uint8Array },
    decode: (text: string) => Read<T>,
  ): Promise<Read<T>> {
    const { token, timeoutMs } = this.#options;
    try {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(url, { method, headers: { ...headers, ...authorization }, body, signal: AbortSignal.timeout(timeoutMs) });
      const text = await response.text();
      return response.ok ? decode(text) : { ok: false, error: refusalText(response.status, text) };
    } catch (error) {
      if (!(error instanceof Error)) return { ok: false, error: String(error) };
      return { ok: false, error: error.name === "TimeoutError" ? "no answer in time" : (systemErrorCode(error.cause) ?? error.message) };
    }
  }
}
