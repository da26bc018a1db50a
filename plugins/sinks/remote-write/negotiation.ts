// Which version of remote write a receiver is sent. The only way to know is to ask in 2.0: receivers that cannot read it answer
// 415, or an error, or, having found nothing in it that they know, 204. Only an X-Prometheus-Remote-Write-*-Written header
// says that something was stored.
// https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#required-written-response-headers
//
//   asking (2.0) ──Written──▶ 2.0 ──415, or 2xx without Written──▶ 1.0 ──an hour later, one request──▶ asking
//      └──────415, 2xx without Written, or an error a body can cause──▶ 1.0
import type { Reply } from "./post.js";

export type Version = "1.0" | "2.0";

const retryMs = 3_600_000;
/** What receivers answer that choke on a body they do not know. */
const chokedStatus = new Set([400, 406, 500, 501]);

export class Negotiation {
  readonly #fixed: Version | undefined;
  #version: Version = "2.0";
  /** 2.0 was understood once. */
  #spoken = false;
  #askAgainMs = 0;

  constructor(protocol: "auto" | Version) {
    this.#fixed = protocol === "auto" ? undefined : protocol;
  }

  /** For the next request. */
  version(nowMs: number): Version {
    if (this.#fixed !== undefined) return this.#fixed;
    if (this.#version === "2.0" || nowMs < this.#askAgainMs) return this.#version;
    this.#askAgainMs = nowMs + retryMs;
    return "2.0";
  }

  /** Whether nothing of the request was read because of its version: its rows must go again as 1.0. */
  fellBack(sent: Version, { answer, written }: Reply, nowMs: number): boolean {
    if (this.#fixed !== undefined || sent === "1.0" || answer.kind === "failed") return false;
    if (written) {
      this.#version = "2.0";
      this.#spoken = true;
      return false;
    }
    const { status } = answer;
    const unread = status === 415 || (status >= 200 && status < 300) || (!this.#spoken && chokedStatus.has(status));
    if (!unread) return false;
    this.#version = "1.0";
    this.#spoken = false;
    this.#askAgainMs = nowMs + retryMs;
    return true;
  }
}
