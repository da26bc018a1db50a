// --data of an aggregator of a cluster: two files, each good for one start.
//
//   checkpoint  its slices (keptFile.ts)          good until the first of them is served again
//   retention   lines that its router kept        good until the router goes on: numbers it gives after that are given once
import { join } from "node:path";
import type { Engine } from "../aggregate/engine.js";
import type { OutboxBlock } from "../aggregate/snapshotHeader.js";
import { counted } from "../base/counted.js";
import type { Log } from "../base/log.js";
import type { Aggregator } from "../drive/aggregator.js";
import type { KeptState } from "../drive/engineHoldings.js";
import { KeptRows, restoreKept } from "../drive/keptState.js";
import { decodeSavedRouter, type SavedRouter } from "../route/savedRouter.js";
import { type KeyRange, without } from "../slice/keyRange.js";
import type { NumberedRange } from "../slice/report.js";
import { type CheckpointFile, checkpointFile } from "../store/checkpointFile.js";
import { decodeKept, type Kept } from "../store/keptFile.js";
import type { FolderLock } from "../store/lock.js";
import { dataFailure, openData } from "./dataFolder.js";
import { UsageError } from "./options.js";

export interface ShardedData {
  readonly folder: string;
  readonly lock: FolderLock;
  readonly checkpoint: CheckpointFile;
  readonly retention: CheckpointFile;
  /** What the last incarnation left. */
  readonly kept: Kept | undefined;
  readonly router: SavedRouter | undefined;
}

/** Locks the folder and reads what is in it. Throws UsageError: it is in use, or holds what this process cannot go on with. */
export async function openShardedData(folder: string, cluster: string, log: Log): Promise<ShardedData> {
  const lock = await openData(folder, "serve", log);
  if (lock === undefined) throw new Error("a folder in use is an error");
  const warn = (message: string): void => {
    log.warn(message);
  };
  const checkpoint = checkpointFile(folder, warn);
  const retention = checkpointFile(folder, warn, "retention");
  try {
    const [slices, lines] = [await checkpoint.read(), await retention.read()];
    const kept = slices === undefined ? undefined : decodeKept(slices);
    if (kept?.ok === false) throw new UsageError(`${join(folder, "checkpoint")}: ${kept.error}`);
    if (kept !== undefined && kept.value.cluster !== cluster)
      throw new UsageError(
        `${join(folder, "checkpoint")}: is of cluster ${kept.value.cluster}, and this is ${cluster}; give the --cluster or the --data that belong together`,
      );
    const router = lines === undefined ? undefined : decodeSavedRouter(lines);
    if (router?.ok === false) throw new UsageError(`${join(folder, "retention")}: ${router.error}; remove the file to start without those lines`);
    return { folder, lock, checkpoint, retention, kept: kept?.value, router: router?.value };
  } catch (error) {
    lock.release();
    throw dataFailure(folder, error);
  }
}

/** What waits to be granted, from the start of this process until all of it is decided. */
export class Return implements KeptState {
  readonly offers: readonly NumberedRange[];
  readonly restored: ReturnType<typeof restoreKept>["restored"];
  readonly stoppedMs: number;
  readonly #data: ShardedData & { readonly kept: Kept };
  readonly #log: Log;
  readonly #now: () => number;
  readonly #rows: KeptRows;
  readonly #startedMs: number;
  #aggregator: Aggregator | undefined;
  #left: readonly KeyRange[];
  #served = 0;
  #isDiscarded = false;

  /** Puts the kept state into an engine that holds nothing. Throws UsageError. */
  constructor(data: ShardedData & { readonly kept: Kept }, engine: Engine, about: { readonly log: Log; readonly now: () => number }) {
    this.#data = data;
    this.#log = about.log;
    this.#now = about.now;
    this.#startedMs = about.now();
    this.stoppedMs = data.kept.stoppedMs;
    const { offers, restored } = restoreOr(data, engine);
    this.offers = offers;
    this.restored = restored;
    this.#rows = new KeptRows(restored.outbox);
    this.#left = offers;
  }

  /** From here on rows go to its sinks. */
  begin(aggregator: Aggregator): void {
    this.#aggregator = aggregator;
    aggregator.tellRestored(this.restored);
    const { from } = this.#data.kept;
    const agoMs = this.#startedMs - this.stoppedMs;
    this.#log.info(
      `${counted(this.offers.length, "slice")} of ${from} in --data, ${counted(this.restored.groups, "group")}, stopped ${seconds(agoMs)} ago: waiting until the assigner grants them`,
    );
  }

  /** Rows of ranges nobody has decided about. */
  get blocks(): readonly OutboxBlock[] {
    return this.#rows.blocks;
  }

  /** What lies in --data from now on is of this process. */
  close(): void {
    this.#isDiscarded = true;
    this.#left = [];
  }

  onServed(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    this.#data.checkpoint.discardNow();
  }

  onRange(range: KeyRange, isServed: boolean): void {
    if (isServed) {
      this.#served++;
      this.#aggregator?.resume(this.#rows.served(range));
    } else this.#rows.dropped(range);
    const before = this.#left.length;
    this.#left = without(this.#left, [range]);
    if (before > 0 && this.#left.length === 0) this.#end();
  }

  #end(): void {
    this.onServed();
    const { rowsLost } = this.#rows;
    if (rowsLost > 0) this.#log.warn(`${counted(rowsLost, "row")} of --data not sent: their slices are somebody else's now`);
    if (this.#served === 0) return;
    const [all, own] = [this.#now() - this.stoppedMs, this.#now() - this.#startedMs];
    this.#log.info(`back in place: ${counted(this.#served, "slice")} served again ${seconds(all)} after the stop, ${seconds(own)} after the start`);
  }
}

function restoreOr({ folder, kept }: ShardedData & { readonly kept: Kept }, engine: Engine): ReturnType<typeof restoreKept> {
  try {
    return restoreKept(engine, kept.snapshot);
  } catch (error) {
    throw dataFailure(folder, error);
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
