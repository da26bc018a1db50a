// The folder of --data, for this process alone.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SnapshotError } from "../aggregate/snapshotError.js";
import type { Log } from "../base/log.js";
import { systemErrorCode } from "../base/systemError.js";
import { type FolderLock, type LockResult, lockFolder } from "../store/lock.js";
import type { ModeName } from "./aggregateMode.js";
import { UsageError } from "./options.js";

/** A stopping process holds its folder for less than 4 s. */
const PATIENCE_MS = 5000;
const AGAIN_MS = 200;

/**
 * Locks the folder. A folder in use is an error, except for a processor: Telegraf itself starts those twice where it has aggregators, and
 * one that ends at once would take away what was to pass through it. So it waits for a process that is just stopping, and then
 * goes on without the folder (undefined). Throws UsageError.
 */
export async function openData(folder: string, mode: ModeName, log: Log): Promise<FolderLock | undefined> {
  const untilMs = performance.now() + (mode === "processor" ? PATIENCE_MS : 0);
  for (;;) {
    const result = await tryLock(folder);
    if (result.ok) return result.lock;
    if (performance.now() < untilMs) {
      await delay(AGAIN_MS);
      continue;
    }
    if (mode !== "processor") throw new UsageError(`--data ${folder}: ${result.message}`);
    log.warn(
      `--data ${folder}: ${result.message}; going on without it: open windows will be left as partial values at the stop. ` +
        "Telegraf starts a processor twice when it has aggregators: set skip_processors_after_aggregators = true",
    );
    return undefined;
  }
}

/** What to say of a folder whose checkpoint cannot be gone on with. */
export function dataFailure(folder: string, error: unknown): unknown {
  if (error instanceof UsageError) return error;
  if (error instanceof SnapshotError)
    return new UsageError(`${join(folder, "checkpoint")}: ${error.message}; ${CURES[error.code] ?? "remove the file to start without it"}`);
  const code = systemErrorCode(error);
  return code === undefined ? error : new UsageError(`--data ${folder}: ${error instanceof Error ? error.message : code}; move what is in the way`);
}

const CURES: Readonly<Partial<Record<SnapshotError["code"], string>>> = {
  no_memory: "raise --memory-max",
  version: "or remove the file to start without it",
  not_a_snapshot: "what an aggregator with --assigner left needs its --assigner; or remove the file to start without it",
};

function tryLock(folder: string): Promise<LockResult> {
  return lockFolder(folder).catch((cause: unknown) => {
    throw new UsageError(`--data ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`);
  });
}
