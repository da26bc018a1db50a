// The end of an aggregator of a cluster.
//
//   SIGTERM ──▶ drain: slices go to others ──all gone──▶ the router delivers what it keeps ──▶ exit
//      │           └─with --data, some left──┐
//      └─--stay─▶ stand still, tell the assigner ─▶ doors shut ─▶ sinks end ─▶ checkpoint and retention in --data ─▶ exit
//
// A slice that others may have been given is in no checkpoint: it goes with `go`, before anything is written.
import { setTimeout as delay } from "node:timers/promises";
import { counted } from "../base/counted.js";
import type { Stopped } from "../drive/aggregator.js";
import { shardedLedger } from "../drive/shardedLedger.js";
import type { MoveCounts } from "../drive/sliceletDriver.js";
import type { Ingest } from "../http/ingest.js";
import { encodeSavedRouter } from "../route/savedRouter.js";
import type { ShardedData } from "./shardedData.js";
import { statsOf } from "./shardedDoors.js";
import type { Members } from "./shardedMembers.js";

export interface Stopping {
  readonly members: Members;
  readonly ingest: Ingest;
  readonly data: ShardedData | undefined;
}

const INGEST_DEADLINE_MS = 1000;
const STOP_DEADLINE_MS = 2500;
/** An assigner that is there hears a report at once. */
const HEARD_MS = 2000;
/** How long the assigner must be away, with nothing under way, until a drain is given up for --data; and between two looks. */
const ALONE_MS = 1500;
const LOOK_MS = 100;
/** How long a router delivers at the least. */
const DELIVER_MS_MIN = 1000;

/** What the stop left undone. */
export interface Left {
  readonly undelivered: number;
  readonly stopped: Stopped;
}

/** Ends everything but the connections. */
export async function stopMembers({ members, ingest, data }: Stopping): Promise<Left> {
  const { owner, router, options } = members;
  // Its doors stay open while it hands its slices on: whoever posts here is not turned away for longer than it must be.
  const deadlineMs = options.stay === true ? undefined : await handOn(members, data);
  const stays = deadlineMs === undefined;
  if (stays) await standStill(members);
  await Promise.race([ingest.close(), delay(INGEST_DEADLINE_MS, undefined, { ref: false })]);
  const undelivered = stays ? 0 : (await router.stop(deadlineMs)).lines;
  const kept = data === undefined ? undefined : await keepLines(members, data, stays || undelivered > 0);
  const stopped = await members.watched.aggregator.stop(STOP_DEADLINE_MS);
  owner.stop();
  return { undelivered: kept === true ? 0 : undelivered, stopped };
}

/**
 * Hands everything on while there is anybody to take it. Returns how long what the router keeps may take to be delivered, ms: what is left
 * of the deadline, and a fifth of it at least; with --data, where it can stay, no more than that. undefined: something is left, for --data.
 */
async function handOn({ owner, options, log, clock }: Members, data: ShardedData | undefined): Promise<number | undefined> {
  const { id } = owner.slicelet.self;
  const { drainDeadline: deadlineMs } = options;
  const untilMs = clock.now() + deadlineMs;
  const deliverMs = (): number => Math.max(DELIVER_MS_MIN, deadlineMs / 5, data === undefined ? untilMs - clock.now() : 0);
  const others = owner.slicelet.assignment?.resources.some((resource) => resource.id !== id && resource.state === "running") === true;
  const holds = owner.slicesOwned > 0 || owner.slicelet.offers.length > 0;
  // With others there it drains even with nothing in its hands: something may be on its way here.
  if (!others) {
    if (data !== undefined && holds) return undefined;
    if (holds) log.warn("nobody is there to take this aggregator's slices: open windows are left as partial values");
    return DELIVER_MS_MIN;
  }
  const waiting = new AbortController();
  const drained = await Promise.race([
    owner.drain().then(() => "drained" as const),
    delay(deadlineMs, "late" as const, { ref: false }),
    ...(data === undefined ? [] : [nothingMoves(owner, waiting.signal)]),
  ]);
  waiting.abort();
  if (owner.moves.out > 0) log.info(describePauses(owner.moves));
  if (drained === "drained") return deliverMs();
  const why = drained === "late" ? `not all slices were taken within ${String(deadlineMs / 1000)} s (--drain-deadline)` : "the assigner is away";
  if (data !== undefined) {
    log.warn(`${why}: ${counted(owner.slicesOwned, "slice")} kept in --data for the next start`);
    return undefined;
  }
  log.error(
    `${why}: their open windows are left as partial values; look for an assigner or aggregators that cannot be reached, or keep them with --data`,
  );
  process.exitCode = 1;
  await owner.keep();
  return deliverMs();
}

/** Resolves when nobody can give a word on where slices should go, and none is on its way. */
async function nothingMoves(owner: Members["owner"], signal: AbortSignal): Promise<"alone"> {
  for (let sinceMs = performance.now(); performance.now() - sinceMs < ALONE_MS; ) {
    await delay(LOOK_MS, undefined, { ref: false });
    if (signal.aborted) break;
    if (owner.isHeard || owner.slicelet.moving.length > 0) sinceMs = performance.now();
  }
  return "alone";
}

/** What the moves of this process meant for who sent to it. */
function describePauses({ out, pausesMs }: MoveCounts): string {
  const sorted = pausesMs.toSorted((a, b) => a - b);
  const [median = 0, most = 0] = [sorted[sorted.length >> 1], sorted.at(-1)];
  return `handed on ${counted(out, "slice")}; frozen for ${String(Math.round(median))} ms in the median, ${String(Math.round(most))} ms at most`;
}

/** Nothing changes any more, and the assigner keeps the slices for the next incarnation. */
async function standStill({ owner, options, log }: Members): Promise<void> {
  const { still, heard } = owner.stay();
  const [isStill, isHeard] = await Promise.all([
    Promise.race([still.then(() => true), delay(options.drainDeadline, false, { ref: false })]),
    // One that was away a moment ago is not waited for.
    Promise.race([heard.then(() => true), delay(owner.isHeard ? HEARD_MS : LOOK_MS, false, { ref: false })]),
  ]);
  if (!isStill) log.error("slices that were handed over a moment ago are not known to have arrived; look at the log of who was to take them");
  if (!isHeard)
    log.warn(
      "the assigner was not told that this aggregator comes back in place: it gives its slices away empty if that takes longer than its --lease",
    );
}

/** Puts the router to --data when it is needed there. True: it is there. */
async function keepLines({ router, log }: Members, { retention }: ShardedData, isWanted: boolean): Promise<boolean> {
  if (!isWanted) return false;
  const saved = router.suspend();
  if (saved.lanes.every(({ tracks }) => tracks.every(({ last }) => last === 0))) return true;
  try {
    await retention.put(encodeSavedRouter(saved));
    return true;
  } catch (error) {
    const lines = saved.batches.reduce((sum, batch) => sum + batch.lines, 0);
    log.error(
      `lines could not be kept (${error instanceof Error ? error.message : String(error)}): ${counted(lines, "line")} that owners may not have are lost; make room in --data or let us write there`,
    );
    process.exitCode = 1;
    return false;
  }
}

/** The last words. */
export function farewell(members: Members, { undelivered, stopped }: Left): void {
  const { log } = members;
  const stats = statsOf(members);
  const ledger = shardedLedger(members.watched, members.router, members.owner.moves, undelivered);
  if (undelivered > 0) {
    log.error(`${counted(undelivered, "line")} could not be delivered and are lost`);
    process.exitCode = 1;
  }
  // What is still counted together first: the last line is the sum. What was applied and dropped is counted with the slices, elsewhere by now.
  log.flush();
  log.info(
    `stopped: read ${counted(stats.samplesReceived, "sample")}, undelivered ${counted(undelivered, "line")}, unsent ${counted(stopped.rowsUnsent, "row")}`,
  );
  if (process.env["LIMPET_LEDGER"] === "json") process.stdout.write(`ledger ${JSON.stringify(ledger)}\n`);
}
