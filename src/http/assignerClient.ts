// The assigner as seen from a router or aggregator: its Assignments as a stream of lines, and its rules. It is asked to learn of
// changes, never for data to flow: while it is away everything goes on (PROTOCOL P9).
//
//   connect ─▶ GET /api/v1/watch ─line─▶ onAssignment ... end, error, or SILENCE_MS without a byte ─▶ wait (backoff) ─▶ connect
import { type BackoffOptions, backoffMs } from "../base/backoff.js";
import type { Assignment } from "../slice/assignment.js";
import { decodeAssignment } from "../slice/assignmentWire.js";
import { decodeRuleVersion, type RuleVersion } from "../slice/ruleVersion.js";
import type { Read } from "../slice/wire.js";
import { ask, bearer, reasonOf } from "./ask.js";
import { refusalText } from "./refusalText.js";

export interface AssignerClientOptions {
  /** Base URL. */
  readonly url: string;
  readonly token: string | undefined;
  readonly onAssignment: (assignment: Assignment) => void;
  /** It cannot be watched now, and why. */
  readonly onTrouble: (message: string) => void;
}

/** It sends an empty line every 2 s. */
const SILENCE_MS = 8000;
const BACKOFF: BackoffOptions = { minMs: 200, maxMs: 5000 };
const LINE_BYTES_MAX = 64 << 20;
const ASK_MS = 5000;

export class AssignerClient {
  readonly #options: AssignerClientOptions;
  readonly #closed = new AbortController();
  #watching: Promise<void> | undefined;
  connected = false;

  constructor(options: AssignerClientOptions) {
    this.#options = options;
  }

  start(): void {
    this.#watching ??= this.#watch();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#watching;
  }

  /** The newest rules, or those with a hash. */
  async rules(hash?: string): Promise<Read<RuleVersion>> {
    return this.#ask(`/api/v1/rules${hash === undefined ? "" : `/${hash}`}`, decodeRuleVersion);
  }

  /** The newest Assignment, once: for who cannot wait for the watch. */
  async assignment(): Promise<Read<Assignment>> {
    return this.#ask("/api/v1/assignment", decodeAssignment);
  }

  async #ask<T>(path: string, decode: (text: string) => Read<T>): Promise<Read<T>> {
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(ASK_MS)]);
    return ask({ url: `${this.#options.url}${path}`, token: this.#options.token, signal }, decode);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closed;
    let failures = 0;
    for (;;) {
      const read = await this.#follow();
      this.connected = false;
      if (signal.aborted) return;
      failures = read.lines > 0 ? 1 : failures + 1;
      this.#options.onTrouble(`${this.#options.url}: ${read.end}`);
      await this.#wait(backoffMs(failures, BACKOFF, Math.random()));
    }
  }

  #wait(ms: number): Promise<void> {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
    });
  }

  /** One connection, to its end. */
  async #follow(): Promise<{ readonly lines: number; readonly end: string }> {
    const stalled = new AbortController();
    let timer = setTimeout(() => stalled.abort(), SILENCE_MS);
    try {
      const signal = AbortSignal.any([this.#closed.signal, stalled.signal]);
      const response = await fetch(`${this.#options.url}/api/v1/watch`, { headers: bearer(this.#options.token), signal });
      if (!response.ok || response.body === null) return { lines: 0, end: refusalText(response.status, await response.text()) };
      this.connected = true;
      const splitter = new LineSplitter();
      let lines = 0;
      // Its type says any; a body yields bytes.
      for await (const piece of response.body as AsyncIterable<Uint8Array>) {
        clearTimeout(timer);
        timer = setTimeout(() => stalled.abort(), SILENCE_MS);
        for (const line of splitter.add(piece)) {
          const read = decodeAssignment(line);
          if (!read.ok) return { lines, end: `sent no assignment: ${read.error}` };
          lines++;
          this.#options.onAssignment(read.value);
        }
      }
      return { lines, end: "the connection was closed" };
    } catch (error) {
      return { lines: 0, end: stalled.signal.aborted ? "silent" : reasonOf(error) };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Pieces of bytes to whole lines, empty ones left out. */
class LineSplitter {
  #held: Uint8Array[] = [];
  #bytes = 0;

  /** Throws past LINE_BYTES_MAX. */
  add(piece: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, from)) {
      this.#held.push(piece.subarray(from, at));
      const line = Buffer.concat(this.#held).toString("utf8").trim();
      this.#held = [];
      this.#bytes = 0;
      if (line !== "") lines.push(line);
      from = at + 1;
    }
    const rest = piece.subarray(from);
    this.#bytes += rest.length;
    if (this.#bytes > LINE_BYTES_MAX) throw new Error("sends a line without an end");
    if (rest.length > 0) this.#held.push(rest);
    return lines;
  }
}
