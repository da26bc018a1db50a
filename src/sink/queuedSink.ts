// The driver around SinkQueue, the same for every receiver that is asked by requests: it owns the clock and the timer and decides
// nothing. What a request is, the Transport knows.
import type { MarkKind, RowBlock, RowReader } from "../metric/rowBlock.js";
import type { KeyRange } from "../slice/keyRange.js";
import type { Answer, Judge } from "./answer.js";
import type { Batch } from "./batch.js";
import type { BatchLimits } from "./lane.js";
import { type QueueAction, type QueueEvent, SinkQueue } from "./queue.js";
import { type BlockOutcome, maxAgeMsDefault, queueBytesMaxDefault, type Sink, type SinkOptions, type SinkStats } from "./sink.js";

export interface Transport {
  /**
   * Sends a batch's rows and calls `done` exactly once, later, unless the function returned is called before: then the request is of
   * no interest any more. Rows stay valid until then. At most one request per lane at a time.
   */
  send(batch: Batch, attempt: number, done: (answer: Answer) => void): () => void;
  /** Nothing is sent any more; connections end. */
  close(): void;
}

/** What a kind of receiver is like. */
export interface Receiver {
  readonly name: string;
  readonly transport: Transport;
  readonly marks: ReadonlySet<MarkKind>;
  /** Requests at one time; rows of a series share a lane. */
  readonly lanes: number;
  readonly batch: BatchLimits;
  readonly judge: Judge;
  /** Why a row must not be sent; undefined when it may. */
  readonly problem: (reader: RowReader, view: DataView) => string | undefined;
  /** What to do about 404 and 405. */
  readonly pathCure: string;
}

/** Longer ones go off at once; a tick too early does no harm. */
const timerMsMax = 2 ** 31 - 1;

export class QueuedSink implements Sink {
  readonly name: string;
  readonly marks: ReadonlySet<MarkKind>;
  readonly #transport: Transport;
  readonly #log: SinkOptions["log"];
  readonly #queue: SinkQueue;
  readonly #done = new Map<number, (outcome: BlockOutcome) => void>();
  readonly #withdrawn = new Map<number, (blocks: readonly RowBlock[]) => void>();
  /** Ends the request in flight, by lane. */
  readonly #abort = new Map<number, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #nextId = 0;
  #closing: Promise<readonly RowBlock[]> | undefined;
  #whenClosed: (unsent: readonly RowBlock[]) => void = () => undefined;

  constructor(receiver: Receiver, options: SinkOptions) {
    const { name, marks, transport, lanes, batch, judge, problem, pathCure } = receiver;
    this.name = name;
    this.marks = marks;
    this.#transport = transport;
    this.#log = options.log;
    const queueBytesMax = options.queueBytesMax ?? queueBytesMaxDefault;
    const maxAgeMs = options.maxAgeMs ?? maxAgeMsDefault;
    this.#queue = new SinkQueue({ name, queueBytesMax, maxAgeMs, lanes, batch, judge, problem, pathCure, random: Math.random });
  }

  offer(block: RowBlock, done: (outcome: BlockOutcome) => void): void {
    const id = this.#nextId++;
    this.#done.set(id, done);
    this.#step({ kind: "offer", id, block });
  }

  withdraw(range: KeyRange): Promise<readonly RowBlock[]> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#withdrawn.set(id, resolve);
      this.#step({ kind: "withdraw", id, range });
    });
  }

  close(deadlineMs: number): Promise<readonly RowBlock[]> {
    this.#closing ??= new Promise((resolve) => {
      this.#whenClosed = resolve;
      this.#step({ kind: "close", deadlineMs: wallMs() + deadlineMs });
    });
    return this.#closing;
  }

  stats(): SinkStats {
    return this.#queue.stats();
  }

  #step(event: QueueEvent): void {
    for (const action of this.#queue.step(wallMs(), event)) this.#act(action);
  }

  #act(action: QueueAction): void {
    switch (action.kind) {
      case "send": {
        const { lane, batch, attempt } = action;
        const answered = (answer: Answer): void => {
          this.#abort.delete(lane);
          this.#step({ kind: "answer", lane, answer });
        };
        this.#abort.set(lane, this.#transport.send(batch, attempt, answered));
        return;
      }
      case "abort":
        return this.#abort.get(action.lane)?.();
      case "settle": {
        const done = this.#done.get(action.id);
        this.#done.delete(action.id);
        // Not inside offer(): its caller may be in the middle of something.
        if (done !== undefined) queueMicrotask(() => done(action.outcome));
        return;
      }
      case "withdrawn":
        this.#withdrawn.get(action.id)?.(action.blocks);
        this.#withdrawn.delete(action.id);
        return;
      case "wake":
        clearTimeout(this.#timer);
        if (action.atMs !== Infinity)
          this.#timer = setTimeout(() => this.#step({ kind: "tick" }), Math.min(timerMsMax, Math.max(0, action.atMs - wallMs())));
        return;
      case "log":
        return this.#log(action.level, action.message);
      case "closed":
        clearTimeout(this.#timer);
        this.#transport.close();
        // After the last done().
        return queueMicrotask(() => this.#whenClosed(action.unsent));
    }
  }
}

/** Wall time that does not go back: retries, ages and negotiations count with it. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
