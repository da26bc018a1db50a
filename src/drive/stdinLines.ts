// Standard input for a router: chunks become open-ended documents of whole lines; what a chunk leaves unfinished stands before the
// next one. Reading waits while the router takes nothing, so that the sender keeps what it has.
import { setTimeout as delay } from "node:timers/promises";
import { LineDocument } from "../aggregate/lineDocument.js";
import type { Log } from "../base/log.js";
import type { InputTarget } from "../execd/stdin.js";

/** What takes the lines: a RouterDriver. */
export interface LineTaker {
  /** Why nothing can be taken now; undefined: it can. */
  readonly refusal: string | undefined;
  /** Resolves when something can. */
  room(): Promise<void>;
  readPiece(document: LineDocument): void;
}

const ROOM_BYTES = 262_144;

export class StdinLines implements InputTarget {
  readonly #taker: LineTaker;
  readonly #log: Log;
  /** How long the end of the input waits for the router to take what is left. */
  readonly #patienceMs: number;
  #buffer = Buffer.allocUnsafe(2 * ROOM_BYTES);
  /** Bytes of unfinished lines at the start of the buffer. */
  #pending = 0;
  /** Inside a line that was too long: everything up to its newline is dropped. */
  #skipping = false;
  /** Newlines before them. */
  #newlines = 0;
  #ended: (() => void) | undefined;
  /** Resolves when all of the input is taken, or given up. */
  readonly taken: Promise<void>;
  /** Given up at the end of the input, because the router took nothing. */
  bytesLost = 0;

  constructor(taker: LineTaker, log: Log, patienceMs: number) {
    this.#taker = taker;
    this.#log = log;
    this.#patienceMs = patienceMs;
    this.taken = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  room(): Buffer {
    if (this.#buffer.length - this.#pending < ROOM_BYTES) {
      const grown = Buffer.allocUnsafe(this.#buffer.length * 2);
      this.#buffer.copy(grown, 0, 0, this.#pending);
      this.#buffer = grown;
    }
    return this.#buffer.subarray(this.#pending);
  }

  received(bytes: number): Promise<void> | undefined {
    this.#pending += bytes;
    if (this.#taker.refusal !== undefined) return this.#taker.room().then(() => this.#take(false));
    this.#take(false);
    return undefined;
  }

  ended(error?: Error): void {
    if (error !== undefined) this.#log.error(`reading standard input failed: ${error.message}`);
    void this.#end();
  }

  async #end(): Promise<void> {
    await Promise.race([this.#taker.room(), delay(this.#patienceMs, undefined, { ref: false })]);
    const { refusal } = this.#taker;
    if (refusal === undefined) this.#take(true);
    else if (this.#pending > 0) {
      this.bytesLost = this.#pending;
      this.#log.error(`standard input ended, and its last ${String(this.#pending)} bytes are lost: ${refusal}`);
    }
    this.#ended?.();
  }

  #take(final: boolean): void {
    if (this.#skipping) this.#skip();
    const bytes = this.#buffer.subarray(0, this.#pending);
    if (bytes.length === 0) return;
    const document = new LineDocument(bytes, 1n, undefined, final);
    for (let before = -1; document.at > before && !document.done; ) {
      before = document.at;
      this.#taker.readPiece(document);
    }
    for (const { line, column, message, reason } of document.faults)
      this.#log.warn(`line ${String(this.#newlines + line)}, column ${String(column)}: ${message}`, `invalid line ${reason}`);
    this.#newlines += document.newlines;
    this.#skipping = !final && document.done && bytes[bytes.length - 1] !== 10;
    this.#drop(document.at);
  }

  #skip(): void {
    const newline = this.#buffer.subarray(0, this.#pending).indexOf(10);
    this.#skipping = newline < 0;
    this.#drop(newline < 0 ? this.#pending : newline + 1);
  }

  #drop(bytes: number): void {
    this.#buffer.copy(this.#buffer, 0, bytes, this.#pending);
    this.#pending -= bytes;
  }
}
