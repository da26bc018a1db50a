// Remote write 1.0 (http://, https://): the driver around SinkQueue. It owns the clock, the timer, the connections and the encoder,
// and decides nothing.
import { compressSnappy } from "#limpet/base/snappy.js";
import { WriteRequestEncoder } from "#limpet/metric/remoteWrite.js";
import type { MarkKind, RowBlock } from "#limpet/metric/rowBlock.js";
import {
  type BlockOutcome,
  maxAgeMsDefault,
  queueBytesMaxDefault,
  type Sink,
  type SinkOptions,
  type SinkPlugin,
  type SinkStats,
  SinkUrlError,
} from "#limpet/sink/sink.js";
import { newAgent, post, type Target } from "./post.js";
import { type QueueAction, type QueueEvent, SinkQueue } from "./queue.js";

const lanes = 4;
/** Longer ones go off at once; a tick too early does no harm. */
const timerMsMax = 2 ** 31 - 1;
const batch = { rowsMax: 2000, bytesMax: 1024 * 1024, cutsMax: 64 };

export const sink: SinkPlugin = { schemes: ["http", "https"], form: "http(s)://HOST:PORT/api/v1/write", open };

function open(text: string, options: SinkOptions): Sink {
  const url = parseUrl(text);
  const headers: Record<string, string> = {
    "user-agent": "limpet",
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
    ...options.headers,
  };
  if (url.username !== "" || url.password !== "") {
    headers["authorization"] = `Basic ${Buffer.from(`${decode(url.username)}:${decode(url.password)}`).toString("base64")}`;
    url.username = "";
    url.password = "";
  }
  return new RemoteWriteSink({ url, headers, timeoutMs: options.timeoutMs ?? 30_000, agent: newAgent(url, lanes) }, options);
}

function parseUrl(text: string): URL {
  const shown = text.replace(/\/\/[^/]*@/, "//");
  if (!URL.canParse(text)) throw new SinkUrlError(`--sink "${shown}" is not a URL; use ${sink.form}`);
  const url = new URL(text);
  if (url.pathname === "/" && url.search === "") {
    throw new SinkUrlError(`--sink "${shown}" has no path; give the full one, for Prometheus ${url.protocol}//${url.host}/api/v1/write`);
  }
  return url;
}

/** A % that starts no escape stands for itself. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => Buffer.from(escapes.replaceAll("%", ""), "hex").toString());
}

class RemoteWriteSink implements Sink {
  /** Without credentials, and without a query, which may hold some. */
  readonly name: string;
  readonly marks = new Set<MarkKind>(["stale", "zero"]);
  readonly #target: Target;
  readonly #log: SinkOptions["log"];
  readonly #queue: SinkQueue;
  readonly #encoder = new WriteRequestEncoder();
  readonly #done = new Map<number, (outcome: BlockOutcome) => void>();
  /** Ends the request in flight, by lane. */
  readonly #abort = new Map<number, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #nextId = 0;
  #closing: Promise<readonly RowBlock[]> | undefined;
  #whenClosed: (unsent: readonly RowBlock[]) => void = () => undefined;

  constructor(target: Target, options: SinkOptions) {
    this.name = `${target.url.origin}${target.url.pathname}`;
    this.#target = target;
    this.#log = options.log;
    this.#queue = new SinkQueue({
      name: this.name,
      queueBytesMax: options.queueBytesMax ?? queueBytesMaxDefault,
      maxAgeMs: options.maxAgeMs ?? maxAgeMsDefault,
      lanes,
      batch,
      random: Math.random,
    });
  }

  offer(block: RowBlock, done: (outcome: BlockOutcome) => void): void {
    const id = this.#nextId++;
    this.#done.set(id, done);
    this.#step({ kind: "offer", id, block });
  }

  close(deadlineMs: number): Promise<readonly RowBlock[]> {
    this.#closing ??= new Promise((resolve) => {
      this.#whenClosed = resolve;
      this.#step({ kind: "close", deadlineMs: now() + deadlineMs });
    });
    return this.#closing;
  }

  stats(): SinkStats {
    return this.#queue.stats();
  }

  #step(event: QueueEvent): void {
    for (const action of this.#queue.step(now(), event)) this.#act(action);
  }

  #act(action: QueueAction): void {
    switch (action.kind) {
      case "send":
        return this.#send(action);
      case "abort":
        return this.#abort.get(action.lane)?.();
      case "settle": {
        const done = this.#done.get(action.id);
        this.#done.delete(action.id);
        // Not inside offer(): its caller may be in the middle of something.
        if (done !== undefined) queueMicrotask(() => done(action.outcome));
        return;
      }
      case "wake":
        clearTimeout(this.#timer);
        if (action.atMs !== Infinity)
          this.#timer = setTimeout(() => this.#step({ kind: "tick" }), Math.min(timerMsMax, Math.max(0, action.atMs - now())));
        return;
      case "log":
        return this.#log(action.level, action.message);
      case "closed":
        clearTimeout(this.#timer);
        this.#target.agent.destroy();
        // After the last done().
        return queueMicrotask(() => this.#whenClosed(action.unsent));
    }
  }

  #send({ lane, batch: { blocks, starts }, attempt }: Extract<QueueAction, { kind: "send" }>): void {
    this.#encoder.reset();
    for (const [i, block] of blocks.entries()) this.#encoder.add(block.bytes, starts[i] ?? 0);
    // Mimir spreads its Retry-After by this header; others ignore it.
    const headers: Record<string, string> = attempt > 0 ? { "retry-attempt": String(attempt) } : {};
    const body = compressSnappy(this.#encoder.bytes());
    this.#abort.set(
      lane,
      post(this.#target, body, headers, (answer) => {
        this.#abort.delete(lane);
        this.#step({ kind: "answer", lane, answer });
      }),
    );
  }
}

/** Wall time that does not go back: retries and ages count with it. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
