// Lines that pass, on their way to a host that reads our standard output. The stream's own buffer is the queue: what bounds it is
// that nothing more is read while too much of it waits (room), so a host that stops reading is told by its own full pipe.
//
//   write ──▶ buffer ──▶ pipe          buffer over FULL_BYTES: room() is a promise, kept when half of it is gone
//
// Nothing is dropped while the process runs. When the reader is gone (`gone`), or has not read by the end of close(), what is left
// is counted. Rows of windows come by the same stream, each write whole lines (plugins/sinks/text).
import type { Writable } from "node:stream";
import { Ring } from "../base/ring.js";
import type { LineOutput } from "../drive/aggregator.js";

/** One read of standard input adds at most 64 KiB, one body by HTTP its size. */
const FULL_BYTES = 1 << 20;

export class StdoutLines implements LineOutput {
  readonly #stream: Writable;
  /** Written and not known to be taken, in order. */
  readonly #waiting = new Ring<Uint8Array>();
  #waitingBytes = 0;
  #room: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #linesLost = 0;
  #closing: (() => void) | undefined;
  /** Resolves when nobody reads the stream any more. */
  readonly gone: Promise<void>;

  constructor(stream: Writable) {
    this.#stream = stream;
    this.gone = new Promise((resolve) => {
      stream.on("error", () => {
        resolve();
      });
    });
  }

  /** Bytes that wait. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  isFull(): boolean {
    return this.#waitingBytes >= FULL_BYTES;
  }

  write(lines: Uint8Array): void {
    this.#waiting.add(lines);
    this.#waitingBytes += lines.length;
    this.#stream.write(lines, (error) => {
      this.#written(error ?? undefined);
    });
  }

  room(): Promise<void> | undefined {
    if (!this.isFull()) return undefined;
    if (this.#room === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#room = { promise, resolve };
    }
    return this.#room.promise;
  }

  /** Waits for the host to take what is left, at most `deadlineMs`. Returns the lines it has not taken. */
  async close(deadlineMs: number): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#closing = resolve;
      timer = setTimeout(resolve, deadlineMs);
      if (this.#waitingBytes === 0) resolve();
    });
    clearTimeout(timer);
    for (let lines = this.#waiting.take(); lines !== undefined; lines = this.#waiting.take()) this.#linesLost += countLines(lines);
    return this.#linesLost;
  }

  #written(error: Error | undefined): void {
    const lines = this.#waiting.take();
    // close() has counted it.
    if (lines === undefined) return;
    this.#waitingBytes -= lines.length;
    if (error !== undefined) this.#linesLost += countLines(lines);
    if (this.#waitingBytes === 0) this.#closing?.();
    if (this.#waitingBytes * 2 > FULL_BYTES) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let at = lines.indexOf(10); at >= 0; at = lines.indexOf(10, at + 1)) count++;
  return count;
}
