// The driver of the aggregator: bytes, ticks and stops go into the engine as events, its actions come out here and are carried
// out. It owns the only catch.
//
//   starting ──restored──▶ reading ──tick──▶ reading ──stop──▶ stopping: close what is due, without --data also what is open as
//   partial windows, send; with --data keep the rest: the state, and each sink's rows that it has not taken

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Engine, EngineAction, EngineEvent } from "../aggregate/engine.js";
import type { LineDocument } from "../aggregate/lineDocument.js";
import type { SeriesDocument } from "../aggregate/seriesDocument.js";
import { type Restored, restoreSnapshot, takeSnapshot } from "../aggregate/snapshot.js";
import type { OutboxBlock } from "../aggregate/snapshotHeader.js";
import type { SteadyClock } from "../base/clock.js";
import { counted } from "../base/counted.js";
import type { Log } from "../base/log.js";
import type { InputTarget } from "../execd/stdin.js";
import type { Health } from "../http/probes.js";
import type { RowBlock } from "../metric/rowBlock.js";
import type { BlockOutcome, Sink } from "../sink/sink.js";
import { type KeyRange, WHOLE } from "../slice/keyRange.js";

/** Where the clean-stop checkpoint lies. */
export interface CheckpointStore {
  /** The last clean stop's snapshot, if there is one. */
  read(): Promise<Uint8Array | undefined>;
  /** It is in use: no later start may read it. */
  discard(): Promise<void>;
  put(snapshot: Uint8Array): Promise<void>;
}

export interface AggregatorOptions {
  readonly engine: Engine;
  readonly sinks: readonly Sink[];
  readonly log: Log;
  readonly clock: SteadyClock;
  readonly checkpoint: CheckpointStore | undefined;
  /** Rows kept from an earlier process that wait for something else than their sinks; older than all that those have. */
  readonly waiting?: () => readonly OutboxBlock[];
  /** Said where a stop loses something without a checkpoint: `stopped WHY: 3 rows not sent; CURE`. --data is the default's cure. */
  readonly regret?: { readonly why: string; readonly cure: string };
  /** Where lines go that pass; needed when the engine passes lines. */
  readonly lines?: LineOutput | undefined;
  /** A broken invariant: the process must end. */
  readonly onBroken: (error: unknown) => void;
}

/** Takes whole lines of line protocol. */
export interface LineOutput {
  /** Takes all of it at once, never blocks. */
  write(lines: Uint8Array): void;
  /** Resolves when more should be written; undefined: now. */
  room(): Promise<void> | undefined;
}

/** How a stop ended. */
export interface Stopped {
  /** Rows that sinks had not taken, each sink's counted. */
  readonly rowsUnsent: number;
  /** Whether nothing of those, nor of the state if it was to be kept, is lost. */
  readonly kept: boolean;
}

const TICK_MS = 100;
/** Losses that say: this process cannot do its job. A row that the receiver refuses for good says nothing about the next one. */
const LOSSES = ["queue_full", "too_old", "io"] as const;
/** How long after a loss it still counts. */
const LOSS_MS = 30_000;

export class Aggregator implements InputTarget {
  readonly #options: AggregatorOptions;
  #engine: Engine;
  /** Where the read that is under way will land. */
  #room: Buffer | undefined;
  /** The engine before the last reload, while a read may still land in it. */
  #retired: Engine | undefined;
  #ready: Health = { ok: false, reason: "starting" };
  #loss: { readonly atMs: number; readonly reason: string } | undefined;
  #ticking: NodeJS.Timeout | undefined;
  /** The tick that goes on with what the last one left. */
  #next: NodeJS.Immediate | undefined;
  #stopping: Promise<Stopped> | undefined;
  #ended: (() => void) | undefined;
  /** Resolves at the end of the input. */
  readonly inputEnded: Promise<void>;
  /** Rows that were made here, each sink's counted. */
  rowsSent = 0;
  /** Rows that were made elsewhere, or before a restart, and came with their state. */
  rowsArrived = 0;
  readonly #orphans = new Map<string, number>();
  flushLagSeconds: number | undefined;

  constructor(options: AggregatorOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.inputEnded = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /** Restores the last checkpoint, if there is one, and starts the clock. */
  async start(): Promise<Restored | undefined> {
    const { checkpoint, log } = this.#options;
    const engine = this.#engine;
    const snapshot = await checkpoint?.read();
    const restored = snapshot === undefined ? undefined : restoreSnapshot(engine, snapshot);
    if (restored !== undefined) {
      await checkpoint?.discard();
      log.info(`restored ${counted(restored.groups, "group")} and ${String(restored.series)} counter series from the last stop`);
      this.tellRestored(restored);
      this.resume(restored.outbox);
    }
    this.#ready = { ok: true };
    this.#ticking = setInterval(() => {
      this.#tick();
    }, TICK_MS);
    return restored;
  }

  /** The engine that runs now. */
  get engine(): Engine {
    return this.#engine;
  }

  /**
   * Goes on with other rules: the state moves through a snapshot, as in a restart, but nothing is closed and no line is lost.
   * Throws SnapshotError (no_memory) when both engines do not fit; then the old one goes on and `fresh` is of no use.
   */
  reload(fresh: Engine): void {
    const restored = restoreSnapshot(fresh, takeSnapshot(this.#engine, WHOLE, { term: "0.0", number: 1 }));
    // A range that is being moved stays frozen, and one that has come waits on. A copy on its way is asked for anew: it may not fit
    // the other rules.
    for (const { mode, copied, low, high } of this.#engine.parts.list) {
      if (mode === "copy" && copied !== undefined) fresh.parts.drop({ low, high });
      else if (mode !== "serving") for (const part of fresh.parts.cut({ low, high }) ?? []) fresh.parts.setMode(part, mode);
    }
    fresh.succeed(this.#engine);
    // Of several reloads between two reads, the read lands in the first one's engine.
    if (this.#retired === undefined) this.#retired = this.#engine;
    else this.#engine.dispose();
    this.#engine = fresh;
    this.tellRestored(restored);
  }

  room(): Buffer {
    this.#room = this.#engine.inputRoom();
    return this.#room;
  }

  received(bytes: number): Promise<void> | undefined {
    if (this.#retired !== undefined) {
      this.#room?.copy(this.#engine.inputRoom(), 0, 0, bytes);
      this.#retired.dispose();
      this.#retired = undefined;
    }
    this.#step({ kind: "input", bytes, final: false });
    return this.#options.lines?.room();
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

  /** Takes the rows of a frozen key range back that sinks have not answered for; they are no longer of this process. */
  async withdraw(range: KeyRange): Promise<readonly OutboxBlock[]> {
    const taken = this.#options.sinks.map(async (sink) => (await sink.withdraw(range)).map((block) => ({ ...block, sink: sink.name })));
    return (await Promise.all(taken)).flat();
  }

  /**
   * Rows that came with state: withdrawn here or elsewhere, or left from the last stop. Each goes to the sink that lacks it alone: to
   * another it would be older than what that one holds. Nothing newer of their range may have been offered.
   */
  resume(outbox: readonly OutboxBlock[]): void {
    const gone = new Map<string, number>();
    for (const { sink: name, ...block } of outbox) {
      this.rowsArrived += block.rowCount;
      const sink = this.#options.sinks.find((known) => known.name === name);
      if (sink !== undefined) this.#offer(block, [sink]);
      else gone.set(name, (gone.get(name) ?? 0) + block.rowCount);
    }
    for (const [name, rows] of gone) {
      this.#orphans.set(name, (this.#orphans.get(name) ?? 0) + rows);
      this.#options.log.warn(`${counted(rows, "row")} for sink ${name} dropped: no --sink has that name any more`);
    }
  }

  /** Rows lost because the sink they waited for is not there, by its name. */
  get orphans(): ReadonlyMap<string, number> {
    return this.#orphans;
  }

  /** Windows closed, rows sent, state kept as far as possible; at most about `deadlineMs`. Later calls wait for the first. */
  stop(deadlineMs: number): Promise<Stopped> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  /** Not while starting or stopping, nor while rows are being lost: an unreachable sink alone is what the queue is for. */
  ready(): Health {
    if (!this.#ready.ok || this.#loss === undefined || this.#options.clock.now() - this.#loss.atMs > LOSS_MS) return this.#ready;
    return { ok: false, reason: this.#loss.reason };
  }

  /** What rules that changed since have left out. */
  tellRestored({ forgottenRules, collidingRules, lateOutputs }: Restored): void {
    for (const rule of forgottenRules) this.#options.log.warn(`rule ${rule} is gone from the rule files: its state was dropped`);
    for (const rule of collidingRules)
      this.#options.log.warn(
        `rule ${rule} now writes output series of another rule: its state for those was dropped; set output_name or labels in one of the two`,
      );
    for (const output of lateOutputs) this.#options.log.info(`rule ${output} is new and starts with the next window`);
  }

  async #stop(deadlineMs: number): Promise<Stopped> {
    const { sinks, checkpoint, log, clock } = this.#options;
    const engine = this.#engine;
    clearInterval(this.#ticking);
    clearImmediate(this.#next);
    this.#ready = { ok: false, reason: "stopping" };
    let going = true;
    while (going) going = this.#step({ kind: "tick" }) && engine.busy;
    const before = partialWindows(engine);
    const stampMs = clock.now();
    if (checkpoint === undefined) this.#step({ kind: "finish" });
    const partial = partialWindows(engine) - before;
    const unsent = await Promise.all(sinks.map(async (sink) => ({ sink: sink.name, blocks: await sink.close(deadlineMs) })));
    const waiting = this.#options.waiting?.() ?? [];
    const outbox = [...waiting, ...unsent.flatMap(({ sink, blocks }) => blocks.map((block) => ({ ...block, sink })))];
    const rowsUnsent = outbox.reduce((sum, block) => sum + block.rowCount, 0);
    if (checkpoint === undefined) {
      const lost = [
        ...(partial > 0 ? [`${counted(partial, "open window")} left as partial values stamped ${new Date(stampMs).toISOString()}`] : []),
        ...(rowsUnsent > 0 ? [`${counted(rowsUnsent, "row")} not sent`] : []),
      ];
      const { why, cure } = this.#options.regret ?? { why: "without --data", cure: "--data DIR keeps them for the next start" };
      if (lost.length > 0) log.warn(`stopped ${why}: ${lost.join(", ")}; ${cure}`);
      return { rowsUnsent, kept: rowsUnsent === 0 };
    }
    const snapshot = takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 }, { outbox });
    try {
      await checkpoint.put(snapshot);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.error(
        `the state could not be kept (${why}): open windows, totals and ${counted(rowsUnsent, "unsent row")} are lost; make room in --data or let us write there`,
      );
      return { rowsUnsent, kept: false };
    }
    if (rowsUnsent > 0) log.warn(`${counted(rowsUnsent, "row")} not sent before the stop: kept in --data, the next start sends them first`);
    return { rowsUnsent, kept: true };
  }

  /** Much to do is done in pieces, between which standard input and requests have their turn. */
  #tick(): void {
    this.#step({ kind: "tick" });
    if (this.#next !== undefined || !this.#engine.busy) return;
    this.#next = setImmediate(() => {
      this.#next = undefined;
      this.#tick();
    });
  }

  /** False when an invariant broke. */
  #step(event: EngineEvent): boolean {
    try {
      for (const action of this.#engine.step(this.#options.clock.now(), event)) this.#carryOut(action);
      if (event.kind !== "tick") return true;
      const step = this.#options.clock.step();
      if (step !== undefined)
        this.#options.log.warn(
          `the wall clock stepped by ${String(Math.round(step))} ms; windows keep following the clock of the start of this process`,
        );
      return true;
    } catch (error) {
      // A broken invariant in a machine: restart and handoff are tested paths, a wrong number is not.
      this.#options.onBroken(error);
      return false;
    }
  }

  #carryOut(action: EngineAction): void {
    if (action.kind === "rows") this.#send(action.block, true);
    else if (action.kind === "lines") this.#options.lines?.write(action.bytes);
    else if (action.kind === "passed") this.#send(action.block, false);
    else if (action.kind === "warning") this.#options.log.warn(action.message, action.about);
    else this.#options.log.warn(`line ${String(action.line)}, column ${String(action.column)}: ${action.message}`, `invalid line ${action.reason}`);
  }

  /** To all sinks that want it. `timed`: it is of a window, which tells how far behind the sinks are. */
  #send(block: RowBlock, timed: boolean): void {
    const { mark } = block;
    const { sinks } = this.#options;
    const takers = mark === undefined ? sinks : sinks.filter(({ marks }) => marks.has(mark));
    this.rowsSent += block.rowCount * takers.length;
    this.#offer(block, takers, timed && mark === undefined);
  }

  #offer(block: RowBlock, takers: readonly Sink[], timed = false): void {
    let waiting = takers.length;
    for (const sink of takers) {
      sink.offer(block, (outcome) => {
        waiting--;
        this.#noteLoss(sink, outcome);
        if (timed && waiting === 0 && outcome.stored > 0) this.flushLagSeconds = Math.max(0, this.#options.clock.now() - block.windowEndMs) / 1000;
      });
    }
  }

  #noteLoss(sink: Sink, { dropped }: BlockOutcome): void {
    for (const reason of LOSSES)
      if ((dropped[reason] ?? 0) > 0) this.#loss = { atMs: this.#options.clock.now(), reason: `sink ${sink.name} loses rows (${reason})` };
  }
}

function partialWindows(engine: Engine): number {
  return engine.parts.ledgers().reduce((sum, ledger) => sum + ledger.windowsPartial, 0);
}
