// What a Slicelet sends: copies and go to its peers, reports and Assignments to the assigner. Nothing here is retried; the machine
// sends again what was not answered.
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
import { ask, type Question } from "./ask.js";

export interface PeerClientOptions {
  /** Base URL of the assigner. */
  readonly assigner: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

export const COPY_PATH = "/api/v1/copy";
/** A heartbeat that is older says nothing any more. */
const REPORT_MS = 2000;
export const GO_PATH = "/api/v1/go";

export class PeerClient {
  readonly #options: PeerClientOptions;

  constructor(options: PeerClientOptions) {
    this.#options = options;
  }

  async copy(address: string, head: CopyHead, bytes: Uint8Array): Promise<Read<{ readonly answer: CopyAnswer }>> {
    const headers = { "limpet-copy": encodeCopyHead(head) };
    return ask({ ...this.#question(), method: "POST", url: `${address}${COPY_PATH}`, headers, body: bytes }, decodeCopyAnswer);
  }

  async go(address: string, go: Go): Promise<Read<{ readonly answer: GoAnswer }>> {
    return ask({ ...this.#question(), method: "POST", url: `${address}${GO_PATH}`, body: encodeGo(go) }, decodeGoAnswer);
  }

  async report(report: Report): Promise<Read<ReportAnswer>> {
    const url = `${this.#options.assigner}/api/v1/heartbeat`;
    const signal = AbortSignal.timeout(Math.min(this.#options.timeoutMs, REPORT_MS));
    return ask({ token: this.#options.token, signal, method: "POST", url, body: encodeReport(report) }, decodeReportAnswer);
  }

  async putAssignment(assignment: Assignment): Promise<Read<string>> {
    const url = `${this.#options.assigner}/api/v1/assignment`;
    return ask({ ...this.#question(), method: "PUT", url, body: encodeAssignment(assignment) }, (text) => ({ ok: true, value: text }));
  }

  #question(): Pick<Question, "token" | "signal"> {
    const { token, timeoutMs } = this.#options;
    return { token, signal: AbortSignal.timeout(timeoutMs) };
  }
}
