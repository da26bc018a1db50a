// Blocks as lines of text to one place, in the order offered: the queue and the loop that `file:` and `stdout:` share.
//
//   offer ──▶ queue (oldest first, at most queueBytesMax) ──▶ one block at a time, in pieces ──▶ output.write(), awaited
//
// Awaiting each write is the back-pressure: while the reader of a pipe sleeps, blocks wait here, and past the bound the oldest
// are dropped{queue_full}. A write that fails drops the rest of its block{io}; the next block is tried all the same.
import { isNativeError } from "node:util/types";
import { Ring } from "#limpet/base/ring.js";
import { type MarkKind, type RowBlock, RowReader } from "#limpet/metric/rowBlock.js";
import { formatRow, type RowFormat } from "#limpet/metric/rowText.js";
import { pickRows, startsWithin } from "#limpet/sink/blockRows.js";
import {
  type BlockOutcome,
  type DropReason,
  type KeyRange,
  queueBytesMaxDefault,
  type Sink,
  type SinkLog,
  type SinkOptions,
  type SinkStats,
} from "#limpet/sink/sink.js";

export interface TextOutput {
  /** Resolves when the text is written, and takes no other meanwhile. After a rejection nothing of it may remain that is not a whole line. */
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

interface QueuedBlock {
  /** What is left of it. */
  block: RowBlock;
  readonly cost: number;
  /** Rows of it that were withdrawn. */
  moved: number;
  readonly done: (outcome: BlockOutcome) => void;
}

const blockCost = 256;
const textBytesPerWrite = 128 * 1024;
const warnEveryMs = 30_000;

export class TextSink implements Sink {
  readonly name: string;
  readonly marks = new Set<MarkKind>();
  readonly #output: TextOutput;
  readonly #log: SinkLog;
  readonly #queueBytesMax: number;
  readonly #format: RowFormat;
  readonly #queue = new Ring<QueuedBlock>();
  /** The block being written, how many of its rows are, and how many more the format cannot say. */
  #current: QueuedBlock | undefined;
  #currentStored = 0;
  #currentInvalid = 0;
  #queueBytes = 0;
  #queueRows = 0;
  #loop: Promise<void> | undefined;
  #closing: Promise<readonly RowBlock[]> | undefined;
  #nextWarnMs = 0;
  readonly #total: { stored: number; moved: number; dropped: Record<string, number> } = { stored: 0, moved: 0, dropped: {} };

  constructor(name: string, output: TextOutput, options: SinkOptions, format: RowFormat = "json") {
    this.name = name;
    this.#format = format;
    this.#output = output;
    this.#log = options.log;
    this.#queueBytesMax = options.queueBytesMax ?? queueBytesMaxDefault;
  }

  offer(block: RowBlock, done: (outcome: BlockOutcome) => void): void {
    const queued = { block, cost: block.bytes.length + blockCost, moved: 0, done };
    this.#queueBytes += queued.cost;
    this.#queueRows += block.rowCount;
    if (this.#closing !== undefined) return this.#settle(queued, 0, "stop");
    while (this.#queueBytes > this.#queueBytesMax) {
      const oldest = this.#queue.take();
      if (oldest === undefined) return this.#drop(queued, 0, "queue_full", "what reads it is too slow");
      this.#drop(oldest, 0, "queue_full", "what reads it is too slow");
    }
    this.#queue.add(queued);
    this.#loop ??= this.#writeAll();
  }

  /** At once: the block that is being written is written here, and lines of text need no order. */
  withdraw(range: KeyRange): Promise<readonly RowBlock[]> {
    const withdrawn: RowBlock[] = [];
    for (let i = this.#queue.count; i > 0; i--) {
      const queued = this.#queue.take();
      if (queued === undefined) break;
      const starts = startsWithin(queued.block, range);
      if (starts.size > 0) {
        withdrawn.push(pickRows(queued.block, (start) => starts.has(start)));
        queued.block = pickRows(queued.block, (start) => !starts.has(start));
        queued.moved += starts.size;
        this.#queueRows -= starts.size;
        this.#total.moved += starts.size;
      }
      if (queued.block.rowCount === 0) this.#settle(queued, 0, "stop");
      else this.#queue.add(queued);
    }
    return Promise.resolve(withdrawn);
  }

  close(deadlineMs: number): Promise<readonly RowBlock[]> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  stats(): SinkStats {
    const { stored, moved, dropped } = this.#total;
    return {
      stored,
      conflict: 0,
      unknown: 0,
      moved,
      dropped: { ...dropped },
      queueBytes: this.#queueBytes,
      queueBytesMax: this.#queueBytesMax,
      queueRows: this.#queueRows,
    };
  }

  async #close(deadlineMs: number): Promise<readonly RowBlock[]> {
    const unsent: RowBlock[] = [];
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
    await Promise.race([this.#loop, deadline]);
    clearTimeout(timer);
    if (this.#current !== undefined) {
      const written = this.#currentStored + this.#currentInvalid;
      unsent.push(pickRows(this.#current.block, (_start, index) => index >= written));
      this.#settle(this.#current, this.#currentStored, "stop", this.#currentInvalid);
    }
    this.#current = undefined;
    for (let queued = this.#queue.take(); queued !== undefined; queued = this.#queue.take()) {
      unsent.push(queued.block);
      this.#settle(queued, 0, "stop");
    }
    await this.#output.close();
    return unsent;
  }

  async #writeAll(): Promise<void> {
    for (let queued = this.#queue.take(); queued !== undefined; queued = this.#queue.take()) {
      this.#current = queued;
      this.#currentStored = 0;
      this.#currentInvalid = 0;
      let failure: string | undefined;
      try {
        await this.#writeBlock(queued);
      } catch (error) {
        // Whatever a disk or pipe may answer: the rows are lost and counted, the next block is tried.
        failure = isNativeError(error) ? error.message : String(error);
      }
      // close() was faster and has settled it.
      if (this.#current !== queued) return;
      this.#current = undefined;
      if (failure === undefined) this.#settle(queued, queued.block.rowCount - this.#currentInvalid, "invalid");
      else this.#drop(queued, this.#currentStored, "io", failure);
    }
    this.#loop = undefined;
  }

  async #writeBlock(queued: QueuedBlock): Promise<void> {
    const reader = new RowReader(queued.block.bytes);
    let text = "";
    let rows = 0;
    let invalid = 0;
    const write = async (): Promise<void> => {
      await this.#output.write(text);
      if (this.#current !== queued) return;
      this.#currentStored += rows;
      this.#currentInvalid += invalid;
      text = "";
      rows = 0;
      invalid = 0;
    };
    while (reader.next()) {
      const line = formatRow(reader.row(), this.#format);
      if (line === "") invalid++;
      else {
        text += `${line}\n`;
        rows++;
      }
      if (text.length < textBytesPerWrite) continue;
      await write();
      if (this.#current !== queued) return;
    }
    if (text !== "") await write();
    else this.#currentInvalid += invalid;
  }

  /** As #settle, and says so. */
  #drop(queued: QueuedBlock, stored: number, reason: DropReason, why: string): void {
    this.#settle(queued, stored, reason);
    const nowMs = performance.now();
    if (nowMs < this.#nextWarnMs) return;
    this.#nextWarnMs = nowMs + warnEveryMs;
    this.#log(
      "warn",
      `sink ${this.name}: ${queued.block.rowCount - stored} rows dropped (${reason}): ${why}; limpet_sink_rows_total counts all of them`,
    );
  }

  /** `stored` of the block's rows are written, `invalid` ones are none of its format, the others dropped for `reason`. */
  #settle(queued: QueuedBlock, stored: number, reason: DropReason, invalid = 0): void {
    const lost = queued.block.rowCount - stored - invalid;
    this.#queueBytes -= queued.cost;
    this.#queueRows -= queued.block.rowCount;
    this.#total.stored += stored;
    const dropped = { ...(lost > 0 ? { [reason]: lost } : {}), ...(invalid > 0 ? { invalid } : {}) };
    for (const [why, rows] of Object.entries(dropped)) this.#total.dropped[why] = (this.#total.dropped[why] ?? 0) + rows;
    // Not inside offer(): its caller may be in the middle of something.
    queueMicrotask(() => queued.done({ stored, conflict: 0, unknown: 0, moved: queued.moved, dropped }));
  }
}
