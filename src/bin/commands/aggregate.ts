// `limpet aggregate`: the aggregator. Under Telegraf's outputs.execd it lives from the first byte on stdin to its end.
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { Rule } from "../../aggregate/rule.js";
import { SteadyClock } from "../../base/clock.js";
import { counted } from "../../base/counted.js";
import type { Log } from "../../base/log.js";
import { Aggregator, type Stopped } from "../../drive/aggregator.js";
import { processLedger, selfStats, statusPage, type Watched } from "../../drive/status.js";
import { holdSignals } from "../../execd/signals.js";
import { readStdin, stdinKind } from "../../execd/stdin.js";
import { StdoutLines } from "../../execd/stdoutLines.js";
import { AnswerCounts } from "../../http/answerCounts.js";
import { createIngest, type Ingest } from "../../http/ingest.js";
import { probeRoutes } from "../../http/probes.js";
import type { RunningServer } from "../../http/server.js";
import { createMetricsPage } from "../../selfstat/metrics.js";
import { checkpointFile } from "../../store/checkpointFile.js";
import { type EndOptions, engineOpener, openLog } from "../aggregateEnds.js";
import { type Mode, type ModeName, modeNames, modeOf } from "../aggregateMode.js";
import { crash } from "../crash.js";
import { dataFailure, openData } from "../dataFolder.js";
import { listen } from "../listen.js";
import { addListenOptions, type Listening, type ListenOptions, readListenOptions } from "../listenOptions.js";
import { loadOutputs } from "../loadOutputs.js";
import { type LoadedRules, loadRules } from "../loadRules.js";
import { openSinks, sinkEntries } from "../openSinks.js";
import { byteSize, collect, duration, option, UsageError } from "../options.js";
import { createReloader } from "../reloader.js";
import { version } from "../version.js";

interface AggregateOptions extends ListenOptions, EndOptions {
  readonly rules?: readonly string[];
  readonly mode?: ModeName;
  readonly listen?: string;
  readonly dbLabel?: string;
  readonly data?: string;
  readonly stay?: boolean;
  readonly assigner?: string;
  readonly advertise?: string;
  readonly cluster: string;
  readonly name: string;
  readonly retentionMax: number;
  readonly drainDeadline: number;
}

/** SIGTERM comes 5 s after EOF and SIGKILL 5 s later; we want to be gone before the first. */
const STOP_DEADLINE_MS = 2500;
const INGEST_DEADLINE_MS = 1000;
const DEFAULT_PORT = "127.0.0.1:4581";
/** Telegraf may still be reading what we wrote last. */
const LINGER_MS = 300;

export function registerAggregate(program: Command): void {
  addListenOptions(program.command("aggregate"))
    .description("aggregate Telegraf's lines, from standard input and by HTTP, and send the results to a sink")
    .addOption(option("--rules <file>", "rule file, folder or glob; repeatable").argParser(collect))
    .addOption(
      option("--mode <mode>", "how Telegraf runs it: output, processor, input; or serve: HTTP only (what fd 0 is decides: output or serve)").choices(
        modeNames,
      ),
    )
    .addOption(
      option(
        "--sink <url>",
        "http(s)://... (remote write, full path), influx1+http(s)://, influx2+http(s)://, file:PATH or stdout:; repeatable (processor and input write to stdout by themselves)",
      ).argParser(collect),
    )
    .addOption(option("--listen <host:port>", "address of the HTTP doors, /metrics and status (127.0.0.1:4581)"))
    .addOption(option("--db-label <label>", "give every line posted to a database or bucket its name as this label"))
    .addOption(option("--data <dir>", "folder for the state that a clean stop keeps for the next start"))
    .addOption(option("--naming <naming>", "how samples are named").choices(["telegraf", "vmagent"]).default("telegraf"))
    .addOption(
      option(
        "--unmatched <what>",
        "samples that no rule wants: drop them, or pass them on, to standard output (the default of processor and input) or to the sinks",
      ).choices(["drop", "pass"]),
    )
    .addOption(option("--max-future <duration>", "samples further ahead of the clock are dropped").argParser(duration).default(60_000, "1m"))
    .addOption(
      option("--memory-max <size>", "cap of the aggregation state")
        .argParser(byteSize)
        .default(2 ** 30, "1GiB"),
    )
    .addOption(
      option("--sink-queue-max <size>", "cap of each sink's queue")
        .argParser(byteSize)
        .default(256 * 2 ** 20, "256MiB"),
    )
    .addOption(option("--assigner <url>", "own what this assigner gives; rules come from there too, e.g. http://127.0.0.1:4580"))
    .addOption(option("--advertise <url>", "with --assigner: where routers and other aggregators reach this one (the address it listens on)"))
    .addOption(option("--cluster <name>", "with --assigner: the cluster it belongs to").default("limpet"))
    .addOption(option("--name <name>", "with --assigner: what owners call the router inside").default(hostname().replace(/[^\w-]/g, "-")))
    .addOption(
      option("--retention-max <size>", "with --assigner: cap of the lines that are kept until their owners have them")
        .argParser(byteSize)
        .default(256 * 2 ** 20, "256MiB"),
    )
    .addOption(option("--stay", "with --assigner and --data: a stop keeps its slices for the next start, in place, and hands none on"))
    .addOption(option("--drain-deadline <duration>", "with --assigner: how long a stop hands slices on").argParser(duration).default(25_000, "25s"))
    .action(async (_options: unknown, command: Command) => {
      await aggregate(command.opts<AggregateOptions>());
    });
}

/** The listener. With the default port a taken one is no failure: Telegraf may start us twice. */
async function openDoors(
  doors: { readonly watched: Watched; readonly ingest: Ingest; readonly listening: Listening },
  options: AggregateOptions,
  about: { mode: string; startedMs: number },
  log: Log,
): Promise<RunningServer | undefined> {
  const { watched, ingest, listening } = doors;
  const page = createMetricsPage(() => selfStats(watched));
  const routes = probeRoutes({
    healthy: () => ({ ok: true }),
    ready: () => {
      const data = ingest.ready();
      return data.ok ? watched.aggregator.ready() : data;
    },
    metrics: () => page.text(),
    status: () => statusPage(watched, { version, ...about }),
    tokens: listening.adminTokens,
  });
  const served = { listening, routes: [...routes, ...ingest.routes], counts: watched.answers };
  const result = await listen(options.listen ?? DEFAULT_PORT, served, log);
  if (result.ok) {
    log.info(`listening on ${result.server.url}`);
    return result.server;
  }
  if (about.mode === "input")
    throw new UsageError(`${result.message}; --mode input has no other way to get data, choose another address with --listen`);
  if (options.listen !== undefined && about.mode !== "processor") throw new UsageError(`--listen ${options.listen}: ${result.message}`);
  log.info(`${result.message}; going on without /metrics (--listen HOST:PORT chooses another address)`);
  return undefined;
}

/** The rules, after what there is to say of them. Throws UsageError when the files have errors. */
function acceptedRules({ rules, messages }: LoadedRules, log: Log): readonly Rule[] {
  if (rules === undefined) throw new UsageError(messages.map(({ text }) => text).join("\n"));
  for (const { severity, text } of messages) log[severity === "warning" ? "warn" : "info"](text.split("\n", 1)[0] ?? text);
  return rules;
}

/** Opens the engine's, the host's and the sinks' ends and wires them. */
async function aggregate(given: AggregateOptions): Promise<void> {
  const mode = modeOf(given.mode, stdinKind());
  if (given.assigner !== undefined) return (await import("../sharded.js")).aggregateSharded({ ...given, assigner: given.assigner }, mode);
  if (given.stay === true) throw new UsageError("--stay: without --assigner a process with --data comes back in place anyway; leave it out");
  const options = { ...given, unmatched: given.unmatched ?? mode.unmatched };
  const { rules: patterns, naming, unmatched } = options;
  if (patterns === undefined) throw new UsageError("--rules FILE is missing; configs/rules has examples");
  const listening = readListenOptions(options);
  const entries = sinkEntries(options, mode);
  const log = openLog(mode, entries);
  let hangUp = (): void => {
    log.info("SIGHUP while starting: the rules are being read anyway");
  };
  const signals = holdSignals({
    obeyInterrupt: mode.reads === undefined,
    onHangUp: () => {
      hangUp();
    },
  });
  const outputs = await loadOutputs();
  const load = (): Promise<LoadedRules> => loadRules(patterns, { outputs, naming, unmatched });
  const loaded = await load();
  const rules = acceptedRules(loaded, log);
  const sinks = await openSinks(entries, log);
  const lines = mode.writesMetrics ? new StdoutLines(process.stdout) : undefined;
  const lock = options.data === undefined ? undefined : await openData(options.data, mode.name, log);
  const clock = new SteadyClock({ wall: () => Date.now(), monotonic: () => performance.now() });
  const startedMs = clock.now();
  const open = engineOpener(options, mode, { outputs, sinks });
  const engine = open(rules, startedMs);
  const warn = (message: string, kind?: string): void => {
    log.warn(message, kind);
  };
  const checkpoint = options.data === undefined || lock === undefined ? undefined : checkpointFile(options.data, warn);
  const aggregator = new Aggregator({ engine, sinks, log, clock, checkpoint, lines, onBroken: crash });
  const watched: Watched = { aggregator, sinks, answers: new AnswerCounts(), lines };
  const ingest = createIngest({
    read: (document) => aggregator.read(document),
    refusal: () => (lines?.isFull() === true ? "what passes waits to be read from standard output" : undefined),
    warn,
    tokens: listening.tokens,
    dbLabel: options.dbLabel,
    version,
  });
  const server = await openDoors({ watched, ingest, listening }, options, { mode: mode.name, startedMs }, log);
  try {
    await aggregator.start();
  } catch (error) {
    await server?.close(0);
    lock?.release();
    throw options.data === undefined ? error : dataFailure(options.data, error);
  }
  ingest.open();
  log.info(
    `limpet ${version}: ${counted(rules.length, "rule")}, ${sinks.map((sink) => sink.name).join(", ")}${mode.reads === undefined ? "" : ", reading standard input"}`,
  );
  hangUp = createReloader({ loaded, load, open: (changed) => open(changed, clock.now()), aggregator, log });
  const reader = mode.reads === undefined ? undefined : readStdin(mode.reads, aggregator);
  const gone = await Promise.race([aggregator.inputEnded, signals.stop, (lines?.gone ?? new Promise<never>(() => undefined)).then(() => true)]);
  if (gone === true) log.error("standard output is closed: what the rules make and what passes has nowhere to go, this process ends");
  reader?.stop();
  // Bodies under way have this long, because the stop as a whole has less than 4 s. Their senders keep what got no answer.
  await Promise.race([ingest.close(), delay(INGEST_DEADLINE_MS, undefined, { ref: false })]);
  const [stopped, linesUnsent] = await Promise.all([aggregator.stop(STOP_DEADLINE_MS), lines?.close(STOP_DEADLINE_MS) ?? 0]);
  await server?.close(200);
  lock?.release();
  farewell(watched, { ...stopped, linesUnsent }, log);
  if (gone === true || (checkpoint !== undefined && !stopped.kept)) process.exitCode = 1;
  await leave(mode);
}

/** A host reads on for a moment, and one that does not must not keep this process alive. */
async function leave(mode: Mode): Promise<void> {
  if (mode.reads !== undefined) await delay(LINGER_MS);
  if (process.stdout.writableLength + process.stderr.writableLength > 0) process.exit();
}

function farewell(watched: Watched, { rowsUnsent, linesUnsent }: Stopped & { readonly linesUnsent: number }, log: Log): void {
  const ledger = processLedger(watched);
  const count = (reasons: Readonly<Record<string, number>>): number => Object.values(reasons).reduce((sum, n) => sum + n, 0);
  if (linesUnsent > 0) log.warn(`${counted(linesUnsent, "line")} that should have passed not taken from standard output: lost`);
  const passed = ledger.samples_passed > 0 ? `, passed ${String(ledger.samples_passed)} samples` : "";
  log.info(
    `stopped: read ${String(ledger.lines_read)} lines, applied ${String(ledger.pairs_applied)}, dropped ${String(count(ledger.pairs_dropped))}, unsent ${String(rowsUnsent + linesUnsent)}${passed}`,
  );
  log.flush();
  if (process.env["LIMPET_LEDGER"] === "json" && watched.lines === undefined) process.stdout.write(`ledger ${JSON.stringify(ledger)}\n`);
}
