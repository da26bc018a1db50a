// One run of `limpet up`: an aggregator process, load into its stdin, a receiver behind it, a screen, and the ledger.
//
//   starting --first answer--> running --duration, signal--> stopping --aggregator gone--> ledger
//       \________________________\__________________________\__ aggregator gone by itself: error, its own words, exit 1
//
// Nothing outlives a run: on every path out the load stops, the child is gone, the cursor is back. A child whose parent was
// killed hard reads the end of its stdin and stops by itself.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { createGenerator, podCountFor } from "../loadgen/generator.js";
import { type Pump, startPump, systemClock } from "../loadgen/pump.js";
import { type AggregatorChild, startAggregator } from "./aggregatorChild.js";
import { endError } from "./cluster.js";
import { type EmbeddedTsdb, openEmbeddedTsdb } from "./embeddedTsdb.js";
import { type AggregatorLedger, addCounts, equationsOf, isClosed, ledgerJson, type Witness } from "./ledger.js";
import { renderLedger } from "./ledgerTable.js";
import type { ChildEnd } from "./limpetChild.js";
import { createMeter, type Meter } from "./meter.js";
import { type ProcessUsage, readProcessUsage } from "./processUsage.js";
import type { ScreenModel } from "./screen.js";
import { watchStop } from "./stopSignal.js";
import { UpError } from "./upError.js";
import { openView, type View, type ViewStreams } from "./view.js";

export interface UpOptions {
  readonly rulesFile: string;
  readonly linesPerSecond: number;
  /** Undefined: until a signal. */
  readonly durationMs: number | undefined;
  /** Undefined: the embedded receiver. */
  readonly sink: string | undefined;
  /** The aggregator's port, the embedded receiver has the next one; undefined: any two. */
  readonly portBase: number | undefined;
  readonly json: boolean;
  /** How long the aggregator may take from the end of its input to its own end. */
  readonly stopDeadlineMs: number;
  /** What starts an aggregator, before its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly streams: ViewStreams;
}

const POLL_MS = 500;
const AGGREGATES_MAX = 40;
const SEED = 1;
/** The aggregator's warning about a stop without --data: here the stop is meant, and its cure is no option of this command. */
export const OPEN_WINDOWS = /open windows? left as partial values/;
export const OPEN_WINDOWS_NOTE = "windows that were open at the end were sent as partial values, stamped with the time of the stop";

/** What a run has while it is running. */
interface Run {
  readonly options: UpOptions;
  readonly startMs: number;
  readonly child: AggregatorChild;
  readonly tsdb: EmbeddedTsdb | undefined;
  readonly podCount: number;
  readonly meter: Meter;
  readonly view: View;
  phase: ScreenModel["phase"];
  ledger: AggregatorLedger | undefined;
  usage: ProcessUsage | undefined;
}

/** Runs until it ends; answers the exit code: 0 the ledger closes, 1 it does not. Throws UpError. */
export async function runUp(options: UpOptions): Promise<0 | 1> {
  const { portBase } = options;
  const tsdb = options.sink === undefined ? await onPort(portBase === undefined ? 0 : portBase + 1, openEmbeddedTsdb) : undefined;
  try {
    const port = await onPort(portBase ?? 0, reservePort);
    const child = await startAggregator({ command: options.command, rulesFile: options.rulesFile, sink: options.sink ?? tsdb?.url ?? "", port });
    try {
      return await runWith(options, child, tsdb);
    } finally {
      child.kill();
      await child.ended;
    }
  } finally {
    tsdb?.close();
  }
}

async function runWith(options: UpOptions, child: AggregatorChild, tsdb: EmbeddedTsdb | undefined): Promise<0 | 1> {
  const startMs = Date.now();
  const podCount = podCountFor(options.linesPerSecond);
  const view = openView(options.streams, options.json);
  const run: Run = {
    options,
    startMs,
    child,
    tsdb,
    podCount,
    view,
    meter: createMeter(startMs),
    phase: "starting",
    ledger: undefined,
    usage: undefined,
  };
  const stop = watchStop(options.durationMs, () => {
    child.kill();
    view.close();
    process.exit(130);
  });
  const pump = startPump(createGenerator(SEED, podCount), child.stdin, options.linesPerSecond, systemClock);
  const stopShowing = showRegularly(run);
  try {
    const early = await Promise.race([child.ended, stop.requested]);
    if (early !== undefined) throw endError("the aggregator", early, child);
    run.phase = "stopping";
    const end = await finish(child, pump, options.stopDeadlineMs);
    stopShowing();
    view.close();
    return report(run, end, pump);
  } finally {
    pump.stop();
    stopShowing();
    stop.release();
    view.close();
  }
}

/** End of input, then the child's own end. Throws when it fails or takes too long. */
async function finish(child: AggregatorChild, pump: Pump, deadlineMs: number): Promise<ChildEnd> {
  pump.stop();
  child.stdin.end();
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined);
    }, deadlineMs);
  });
  const end = await Promise.race([child.ended, deadline]);
  clearTimeout(timer);
  if (end === undefined)
    throw new UpError(
      `the aggregator did not stop within ${String(deadlineMs / 1000)} s of the end of its input and was killed; there is no ledger`,
      1,
    );
  if (end.exitCode !== 0) throw endError("the aggregator", end, child);
  return end;
}

function report(run: Run, end: ChildEnd, pump: Pump): 0 | 1 {
  const { options, tsdb, view, startMs } = run;
  if (end.ledger === undefined) throw new UpError("the aggregator ended without printing its ledger", 1);
  const witness: Witness = {
    linesSent: pump.linesSent(),
    rowsReceived: tsdb?.rowsStored(),
    seconds: Math.round((Date.now() - startMs) / 100) / 10,
  };
  for (const problem of run.child.problems()) view.note(OPEN_WINDOWS.test(problem) ? OPEN_WINDOWS_NOTE : `aggregator: ${problem}`);
  if (options.json) view.result(`${JSON.stringify(ledgerJson(end.ledger, witness))}\n`);
  else {
    const lines = renderLedger({ ledger: end.ledger, witness, seriesOut: tsdb?.seriesCount() }, view.size());
    view.result(`${lines.join("\n")}\n`);
  }
  return equationsOf(end.ledger, witness).every(isClosed) ? 0 : 1;
}

/** Polls and shows about twice a second until the returned function is called. */
function showRegularly(run: Run): () => void {
  let polling = false;
  let stopped = false;
  const show = async (): Promise<void> => {
    if (polling) return;
    polling = true;
    const [ledger, usage] = await Promise.all([run.child.ledger(), readProcessUsage(run.child.pid)]);
    polling = false;
    if (stopped) return;
    if (ledger !== undefined) {
      run.ledger = ledger;
      if (run.phase === "starting") run.phase = "running";
      run.meter.observe(Date.now(), ledger, usage);
    }
    run.usage = usage ?? run.usage;
    run.view.show(modelOf(run));
  };
  run.view.show(modelOf(run));
  const timer = setInterval(() => void show(), POLL_MS);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

function modelOf(run: Run): ScreenModel {
  const { options, ledger, tsdb, meter } = run;
  const nowMs = Date.now();
  return {
    phase: run.phase,
    elapsedSeconds: (nowMs - run.startMs) / 1000,
    durationSeconds: options.durationMs === undefined ? undefined : options.durationMs / 1000,
    rulesFile: options.rulesFile,
    metricsUrl: run.child.metricsUrl,
    sink: options.sink,
    podCount: run.podCount,
    linesPerSecond: meter.linesPerSecond(),
    samplesPerSecond: meter.samplesPerSecond(),
    seriesIn: ledger?.series ?? 0,
    seriesOut: tsdb?.seriesCount() ?? 0,
    rowsStored: tsdb?.rowsStored() ?? ledger?.rows_stored ?? 0,
    windowsFlushed: ledger?.windows_flushed ?? 0,
    cpuPercent: meter.cpuPercent(),
    rssBytes: run.usage?.rssBytes,
    aggregates: tsdb?.newest(AGGREGATES_MAX, nowMs) ?? [],
    ignored: addCounts(ledger?.samples_ignored, ledger?.pairs_ignored),
    dropped: ledger?.pairs_dropped ?? {},
    linesInvalid: ledger?.lines_invalid ?? 0,
    warning: run.child.problems().at(-1),
  };
}

/** A port that was free a moment ago. Another program may take it before the child does; the child then says so. */
async function reservePort(wanted: number): Promise<number> {
  const server = createServer();
  server.listen(wanted, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has an AddressInfo, not a pipe's name.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Throws UpError when the port is taken. */
export async function onPort<T>(port: number, open: (port: number) => Promise<T>): Promise<T> {
  try {
    return await open(port);
  } catch (cause) {
    if (typeof cause === "object" && cause !== null && "code" in cause && cause.code === "EADDRINUSE") {
      throw new UpError(`port ${String(port)} on 127.0.0.1 is taken; choose another --port-base`, 1, { cause });
    }
    throw cause;
  }
}
