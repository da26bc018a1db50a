// An address that batches are sent to: how many requests are under way, and how long to leave it alone after one failed.
import { type BackoffOptions, backoffMs } from "../base/backoff.js";

export class Peer {
  inFlight = 0;
  #failures = 0;
  /** ms: nothing is sent before. */
  #retryAtMs = 0;
  /** Attempts up to this one failed together with the one that was counted. */
  #failedAt = 0;

  /** How many more requests may be sent now. An address that failed gets one at a time until it answers. */
  room(nowMs: number, window: number): number {
    if (nowMs < this.#retryAtMs) return 0;
    return (this.#failures > 0 ? 1 : window) - this.inFlight;
  }

  answered(): void {
    this.#failures = 0;
    this.#retryAtMs = 0;
  }

  /** `latest`: the newest attempt there is. */
  failed(attempt: number, latest: number, wait: { readonly nowMs: number; readonly backoff: BackoffOptions; readonly random: number }): void {
    if (attempt <= this.#failedAt) return;
    this.#failedAt = latest;
    this.#failures++;
    this.#retryAtMs = wait.nowMs + backoffMs(this.#failures, wait.backoff, wait.random);
  }
}
