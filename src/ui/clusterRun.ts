// One run of `limpet up` with several aggregators: a cluster, generated load at its doors, changes on purpose, a screen, the ledger.
//
//   starting ──all ready──▶ running ──duration, signal──▶ stopping: the change under way ends, doors take the rest, all leave ──▶ ledger
//       \______________________\_____________________________\__ a process gone by itself: error, its own words, exit 1
//
// Nothing outlives a run: on every path out the load stops, the children are gone, the folder is removed, the cursor is back.
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DoorLoad, postLines } from "../loadgen/doorLoad.js";
import { createGenerator, podCountFor } from "../loadgen/generator.js";
import { systemClock } from "../loadgen/pump.js";
import { Chaos, type ChaosKind } from "./chaos.js";
import { Cluster, type Member } from "./cluster.js";
import { type EmbeddedTsdb, openEmbeddedTsdb } from "./embeddedTsdb.js";
import { addCounts, type ClusterFacts, equationsOf, isClosed, ledgerJson, type Witness } from "./ledger.js";
import { renderLedger } from "./ledgerTable.js";
import { createMeter, type Meter } from "./meter.js";
import type { ProcessUsage } from "./processUsage.js";
import type { AggregatorModel, ScreenModel } from "./screen.js";
import { watchStop } from "./stopSignal.js";
import { UpError } from "./upError.js";
import { OPEN_WINDOWS, OPEN_WINDOWS_NOTE, onPort, type UpOptions } from "./upRun.js";
import { openView, type View } from "./view.js";

export interface ClusterRunOptions extends UpOptions {
  /** At least 2. */
  readonly aggregators: number;
  readonly chaos: ChaosKind;
}

const POLL_MS = 500;
const AGGREGATES_MAX = 40;
const SEED = 1;
const SERIES_POLLS = 12;
const WARNING_MS = 10_000;
/** The last aggregator has nobody to hand its slices to. */
const LAST_ONE = /nobody is there to take/;

interface Run {
  readonly options: ClusterRunOptions;
  readonly cluster: Cluster;
  readonly tsdb: EmbeddedTsdb | undefined;
  readonly podCount: number;
  readonly view: View;
  phase: ScreenModel["phase"];
  startMs: number;
  meter: Meter;
  event: string;
  /** Of the last polls. Hosts that have just changed doors are not known behind the new one yet: the most of them counts. */
  readonly seriesSeen: number[];
  /** Before the last ones hand on what they have. */
  facts: ClusterFacts | undefined;
  /** The newest, and when it was first seen. */
  warned: { readonly text: string; readonly atMs: number } | undefined;
}

/** Runs until it ends; answers the exit code: 0 the ledger closes, 1 it does not. Throws UpError. */
export async function runCluster(options: ClusterRunOptions): Promise<0 | 1> {
  const { portBase, command, rulesFile, stopDeadlineMs, aggregators } = options;
  const tsdb = options.sink === undefined ? await onPort(portBase === undefined ? 0 : portBase + 1, openEmbeddedTsdb) : undefined;
  const folder = await mkdtemp(join(tmpdir(), "limpet-up-"));
  const sink = options.sink ?? tsdb?.url ?? "";
  const cluster = new Cluster({ command, rulesFile, sink, storeFolder: join(folder, "assigner"), size: aggregators, portBase, stopDeadlineMs });
  const startMs = Date.now();
  const run: Run = {
    options,
    cluster,
    tsdb,
    podCount: podCountFor(options.linesPerSecond),
    view: openView(options.streams, options.json),
    phase: "starting",
    startMs,
    meter: createMeter(startMs),
    event: "the assigner and the aggregators start",
    seriesSeen: [],
    facts: undefined,
    warned: undefined,
  };
  const interrupt = watchStop(undefined, () => {
    run.view.close();
    void cluster.kill().then(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  });
  const stopShowing = showRegularly(run);
  try {
    const early = await Promise.race([cluster.start().then(() => false), interrupt.requested.then(() => true)]);
    if (early) throw new UpError("interrupted while the cluster was starting; there is no ledger", 1);
    return await runLoad(run, interrupt.requested, stopShowing);
  } finally {
    stopShowing();
    interrupt.release();
    run.view.close();
    await cluster.kill();
    tsdb?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runLoad(run: Run, interrupted: Promise<void>, stopShowing: () => void): Promise<0 | 1> {
  const { options, cluster } = run;
  const { linesPerSecond, durationMs } = options;
  run.startMs = Date.now();
  run.meter = createMeter(run.startMs);
  run.phase = "running";
  const doors = cluster.running().map(({ url }) => url);
  const load = new DoorLoad({ generator: createGenerator(SEED, run.podCount), linesPerSecond, clock: systemClock, doors, post: postLines });
  const turn = (old: Member, other: Member): void => {
    load.turn(old.url, other.url);
  };
  const say = (event: string): void => {
    run.event = event;
  };
  const chaos = new Chaos(options.chaos, { cluster, turn, say });
  // It ends by itself where one change is all; only its failure ends the run.
  const broken = chaos.done.then(() => new Promise<never>(() => undefined));
  const timer = new AbortController();
  const over = durationMs === undefined ? [] : [delay(durationMs, undefined, { signal: timer.signal }).catch(() => undefined)];
  try {
    await Promise.race([cluster.failed, broken, interrupted, ...over]);
    run.phase = "stopping";
    chaos.stop();
    await Promise.race([cluster.failed, chaos.done]);
    await Promise.race([cluster.failed, drainLoad(load, options.stopDeadlineMs)]);
    await cluster.poll();
    run.facts = { moves: cluster.moves, generations: generationNumber(cluster), aggregatorsStarted: cluster.started };
    run.event = "the end: each hands on its slices, the last one stops";
    await Promise.race([cluster.failed, cluster.stop()]);
    stopShowing();
    run.view.close();
    return report(run, load.linesSent, run.facts);
  } finally {
    timer.abort();
    load.abandon();
    chaos.stop();
  }
}

async function drainLoad(load: DoorLoad, deadlineMs: number): Promise<void> {
  const late = await Promise.race([load.stop().then(() => false), delay(deadlineMs, true, { ref: false })]);
  if (late)
    throw new UpError(`the doors did not take the last ${String(load.keptBytes)} bytes within ${String(deadlineMs / 1000)} s; there is no ledger`, 1);
}

function generationNumber({ view }: Cluster): number {
  return Number(view?.generation?.split(".")[1] ?? 0);
}

function report(run: Run, linesSent: number, facts: ClusterFacts): 0 | 1 {
  const { options, tsdb, view, cluster, startMs } = run;
  const summed = cluster.ledger();
  if (summed === undefined) throw new UpError("no aggregator printed its ledger", 1);
  // Each series counted once, where it was last: an aggregator that has ended may still have it in its cache.
  const ledger = { ...summed, series: seriesIn(run) };
  const witness: Witness = { linesSent, rowsReceived: tsdb?.rowsStored(), seconds: Math.round((Date.now() - startMs) / 100) / 10 };
  for (const problem of new Set(cluster.problems())) if (!LAST_ONE.test(problem)) view.note(OPEN_WINDOWS.test(problem) ? OPEN_WINDOWS_NOTE : problem);
  if (options.json) view.result(`${JSON.stringify(ledgerJson(ledger, witness, facts))}\n`);
  else {
    const lines = renderLedger({ ledger, witness, seriesOut: tsdb?.seriesCount() }, view.size());
    const { moves, generations, aggregatorsStarted } = facts;
    view.result(
      `${[...lines, `${String(aggregatorsStarted)} aggregators started, ${String(moves)} moves, generation ${String(generations)}`].join("\n")}\n`,
    );
  }
  return equationsOf(ledger, witness).every(isClosed) ? 0 : 1;
}

/** Polls and shows about twice a second until the returned function is called. */
function showRegularly(run: Run): () => void {
  let polling = false;
  let stopped = false;
  const show = async (): Promise<void> => {
    if (polling) return;
    polling = true;
    await run.cluster.poll();
    polling = false;
    if (stopped) return;
    const ledger = run.cluster.ledger();
    if (run.phase !== "stopping") noteSeries(run);
    if (ledger !== undefined && run.phase !== "starting") run.meter.observe(Date.now(), ledger, usageOf(run.cluster));
    run.view.show(modelOf(run));
  };
  run.view.show(modelOf(run));
  const timer = setInterval(() => void show(), POLL_MS);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

function noteSeries({ cluster, seriesSeen }: Run): void {
  seriesSeen.push(cluster.members.reduce((sum, { state, ledger }) => sum + (state === "ended" ? 0 : (ledger?.series ?? 0)), 0));
  if (seriesSeen.length > SERIES_POLLS) seriesSeen.shift();
}

function seriesIn({ seriesSeen }: Run): number {
  return Math.max(0, ...seriesSeen);
}

/** CPU of all that are and were, memory of those that are. */
function usageOf({ members }: Cluster): ProcessUsage {
  return members.reduce(
    (sum, { usage, state }) => ({
      cpuSeconds: sum.cpuSeconds + (usage?.cpuSeconds ?? 0),
      rssBytes: sum.rssBytes + (state === "ended" ? 0 : (usage?.rssBytes ?? 0)),
    }),
    { cpuSeconds: 0, rssBytes: 0 },
  );
}

function modelOf(run: Run): ScreenModel {
  const { options, tsdb, meter, cluster } = run;
  const ledger = cluster.ledger();
  const nowMs = Date.now();
  const { rssBytes } = usageOf(cluster);
  return {
    phase: run.phase,
    elapsedSeconds: run.phase === "starting" ? 0 : (nowMs - run.startMs) / 1000,
    durationSeconds: options.durationMs === undefined ? undefined : options.durationMs / 1000,
    rulesFile: options.rulesFile,
    metricsUrl: cluster.assignerUrl,
    sink: options.sink,
    podCount: run.podCount,
    linesPerSecond: meter.linesPerSecond(),
    samplesPerSecond: meter.samplesPerSecond(),
    seriesIn: seriesIn(run),
    seriesOut: tsdb?.seriesCount() ?? 0,
    rowsStored: tsdb?.rowsStored() ?? ledger?.rows_stored ?? 0,
    windowsFlushed: ledger?.windows_flushed ?? 0,
    cpuPercent: meter.cpuPercent(),
    rssBytes: rssBytes > 0 ? rssBytes : undefined,
    aggregates: tsdb?.newest(AGGREGATES_MAX, nowMs) ?? [],
    ignored: addCounts(ledger?.samples_ignored, ledger?.pairs_ignored),
    dropped: ledger?.pairs_dropped ?? {},
    linesInvalid: ledger?.lines_invalid ?? 0,
    warning: warningOf(run, nowMs),
    cluster: {
      generation: cluster.view?.generation ?? undefined,
      moves: run.facts?.moves ?? cluster.moves,
      slices: cluster.view?.slices ?? 0,
      slicesMoving: cluster.view?.slicesMoving ?? 0,
      aggregators: shown(cluster).map((member) => aggregatorModel(member, cluster)),
      event: run.event,
    },
  };
}

/** The newest one, for a while: what a restart brings with it passes. All of them are said at the end. */
function warningOf(run: Run, nowMs: number): string | undefined {
  const text = run.cluster.problems().at(-1);
  if (text === undefined) return undefined;
  if (run.warned?.text !== text) run.warned = { text, atMs: nowMs };
  return nowMs - run.warned.atMs < WARNING_MS ? text : undefined;
}

/** In the order of their start. */
function shown({ members }: Cluster): Member[] {
  const numberOf = ({ name }: Member): number => Number(/\d+/.exec(name)?.[0]);
  return members.filter(({ state }) => state !== "ended").toSorted((a, b) => numberOf(a) - numberOf(b));
}

function aggregatorModel({ name, url, state, pairsPerSecond }: Member, { view }: Cluster): AggregatorModel {
  const seen = view?.resources.find(({ address }) => address === url);
  return { name, state, slices: seen?.slices ?? 0, share: seen?.share ?? 0, pairsPerSecond, load: seen?.load ?? 0 };
}
