// The driver of the aggregator: bytes, ticks and stops go into the engine as events, its actions come out here and are carried
// out. It owns the outbox (frozen rows no sink has answered for) and the only catch.
//
//   reading ──tick──▶ reading ──stop──▶ stopping: close what is due, send, then either a checkpoint (--data) or partial windows
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Engine, EngineAction, EngineEvent } from "../aggregate/engine.js";
import type { LineDocument } from "../aggregate/lineDocument.js";
import type { SeriesDocument } from "../aggregate/seriesDocument.js";
import { type Restored, restoreSnapshot, takeSnapshot, WHOLE } from "../aggregate/snapshot.js";
import type { SteadyClock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import type { InputTarget } from "../execd/stdin.js";
import type { RowBlock } from "../metric/rowBlock.js";
import type { BlockOutcome, Sink } from "../sink/sink.js";

/** Where the clean-stop checkpoint lies. */
export interface CheckpointStore {
  /** The checkpoint of the last clean stop, taken out of the way: it is good for one start. */
  take(): Promise<Uint8Array | undefined>;
  put(snapshot: Uint8Array): Promise<void>;
}

export interface AggregatorOptions {
  readonly engine: Engine;
  readonly sinks: readonly Sink[];
  readonly log: Log;
  readonly clock: SteadyClock;
  readonly checkpoint: CheckpointStore | undefined;
  /** A broken invariant: the process must end. */
  readonly onBroken: (error: unknown) => void;
}

interface OutboxEntry {
  readonly block: RowBlock;
  /** Sinks that have not answered. */
  waiting: number;
  /** Rows some sink still had queued when the process stopped. */
  unsent: number;
}

const TICK_MS = 100;

export class Aggregator implements InputTarget {
  readonly #options: AggregatorOptions;
  readonly #outbox = new Set<OutboxEntry>();
  #ticking: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #ended: (() => void) | undefined;
  /** Resolves at the end of the input. */
  readonly inputEnded: Promise<void>;
  rowsSent = 0;
  flushLagSeconds: number | undefined;

  constructor(options: AggregatorOptions) {
    this.#options = options;
    this.inputEnded = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /** Restores the last checkpoint, if there is one, and starts the clock. */
  async start(): Promise<Restored | undefined> {
    const { engine, checkpoint, log } = this.#options;
    const snapshot = await checkpoint?.take();
    const restored = snapshot === undefined ? undefined : restoreSnapshot(engine, snapshot);
    if (restored !== undefined) {
      log.info(`restored ${String(restored.groups)} groups and ${String(restored.series)} counter series from the last stop`);
      for (const rule of restored.forgottenRules) log.warn(`rule ${rule} is gone from the rule files: its state was dropped`);
      for (const rule of restored.clippedRules) log.warn(`rule ${rule} has new outputs: its open windows were dropped, it starts clean`);
      for (const block of restored.outbox) this.#offer(block);
    }
    this.#ticking = setInterval(() => {
      this.#step({ kind: "tick" });
    }, TICK_MS);
    return restored;
  }

  room(): Buffer {
    return this.#options.engine.inputRoom();
  }

  received(bytes: number): void {
    this.#step({ kind: "input", bytes, final: false });
  }

  ended(error?: Error): void {
    if (error !== undefined) this.#options.log.error(`reading standard input failed: ${error.message}`);
    this.#step({ kind: "input", bytes: 0, final: true });
    this.#ended?.();
  }

  /** Reads a whole document; standard input, ticks and other documents come in between its pieces. */
  async read(document: LineDocument | SeriesDocument): Promise<void> {
    for (;;) {
      this.#step({ kind: "document", document });
      if (document.done) return;
      await nextTurn();
    }
  }

  /** Windows closed, rows sent, state kept as far as possible; at most about `deadlineMs`. Later calls wait for the first. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  /** Rows in the outbox. */
  outboxRows(): number {
    let rows = 0;
    for (const { block } of this.#outbox) rows += block.rowCount;
    return rows;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { engine, sinks, checkpoint, log, clock } = this.#options;
    clearInterval(this.#ticking);
    this.#step({ kind: "tick" });
    if (checkpoint === undefined) {
      const before = partialWindows(engine);
      this.#step({ kind: "finish" });
      const partial = partialWindows(engine) - before;
      if (partial > 0)
        log.warn(
          `${String(partial)} windows were still open and left as partial values stamped ${new Date(clock.now()).toISOString()}; --data DIR keeps them for the next start`,
        );
    }
    await Promise.all(sinks.map((sink) => sink.close(deadlineMs)));
    if (checkpoint === undefined) return;
    const outbox = [...this.#outbox].map((entry) => entry.block);
    await checkpoint.put(
      takeSnapshot({ root: engine.root, rules: engine.rules, admission: engine.admission, outbox }, WHOLE, { term: "0.0", number: 1 }),
    );
  }

  #step(event: EngineEvent): void {
    try {
      for (const action of this.#options.engine.step(this.#options.clock.now(), event)) this.#carryOut(action);
      if (event.kind !== "tick") return;
      const step = this.#options.clock.step();
      if (step !== undefined)
        this.#options.log.warn(
          `the wall clock stepped by ${String(Math.round(step))} ms; windows keep following the clock of the start of this process`,
        );
    } catch (error) {
      // A broken invariant in a machine: restart and handoff are tested paths, a wrong number is not.
      this.#options.onBroken(error);
    }
  }

  #carryOut(action: EngineAction): void {
    if (action.kind === "rows") this.#offer(action.block);
    else this.#options.log.warn(`line ${String(action.line)}, column ${String(action.column)}: ${action.message}`, `invalid line ${action.reason}`);
  }

  #offer(block: RowBlock): void {
    const { sinks, clock } = this.#options;
    const entry: OutboxEntry = { block, waiting: sinks.length, unsent: 0 };
    this.#outbox.add(entry);
    this.rowsSent += block.rowCount * sinks.length;
    for (const sink of sinks) {
      sink.offer(block, (outcome) => {
        entry.waiting--;
        entry.unsent += unsentRows(outcome);
        if (entry.waiting > 0 || entry.unsent > 0) return;
        this.#outbox.delete(entry);
        this.flushLagSeconds = Math.max(0, clock.now() - block.windowEndMs) / 1000;
      });
    }
  }
}

function unsentRows(outcome: BlockOutcome): number {
  return outcome.dropped["stop"] ?? 0;
}

function partialWindows(engine: Engine): number {
  return engine.rules.reduce((sum, compiled) => sum + compiled.windowsPartial, 0);
}
