// `limpet aggregate`: the aggregator. Under Telegraf's outputs.execd it lives from the first byte on stdin to its end.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Command, Option } from "commander";
import { ENGINE_BYTES_MAX, Engine } from "../../aggregate/engine.js";
import type { Output } from "../../aggregate/output.js";
import type { Rule } from "../../aggregate/rule.js";
import { SnapshotError } from "../../aggregate/snapshotError.js";
import { SteadyClock } from "../../base/clock.js";
import { counted } from "../../base/counted.js";
import { createLog, type Log, streamWriter } from "../../base/log.js";
import { systemErrorCode } from "../../base/systemError.js";
import { Aggregator, type Stopped } from "../../drive/aggregator.js";
import { processLedger, selfStats, statusPage, type Watched } from "../../drive/status.js";
import { holdSignals } from "../../execd/signals.js";
import { readStdin, stdinKind } from "../../execd/stdin.js";
import { AnswerCounts } from "../../http/answerCounts.js";
import { createIngest, type Ingest } from "../../http/ingest.js";
import { parseListenAddress } from "../../http/listenAddress.js";
import { probeRoutes } from "../../http/probes.js";
import { type RunningServer, startServer } from "../../http/server.js";
import type { MetricsPage } from "../../selfstat/page.js";
import { openSink } from "../../sink/openSink.js";
import { type Sink, SinkUrlError } from "../../sink/sink.js";
import { checkpointFile } from "../../store/checkpointFile.js";
import { type FolderLock, lockFolder } from "../../store/lock.js";
import { applyConfig } from "../configFile.js";
import { addListenOptions, type Listening, type ListenOptions, readListenOptions } from "../listenOptions.js";
import { loadOutputs } from "../loadOutputs.js";
import { type LoadedRules, loadRules } from "../loadRules.js";
import { byteSize, collect, duration, option, UsageError } from "../options.js";
import { createReloader } from "../reloader.js";
import { version } from "../version.js";

interface AggregateOptions extends ListenOptions {
  readonly rules?: readonly string[];
  readonly mode?: "output" | "serve";
  readonly sink?: readonly string[];
  readonly listen?: string;
  readonly dbLabel?: string;
  readonly data?: string;
  readonly naming: "telegraf" | "vmagent";
  readonly unmatched?: "drop" | "pass";
  readonly maxFuture: number;
  readonly memoryMax: number;
  readonly sinkQueueMax: number;
}

/** SIGTERM comes 5 s after EOF and SIGKILL 5 s later; we want to be gone before the first. */
const STOP_DEADLINE_MS = 2500;
/** Every Telegraf of a fleet keeps one open. */
const CONNECTIONS_MAX = 8192;
const INGEST_DEADLINE_MS = 1000;
const DEFAULT_PORT = "127.0.0.1:4581";
/** Telegraf may still be reading what we wrote last. */
const LINGER_MS = 300;

export function registerAggregate(program: Command): void {
  addListenOptions(program.command("aggregate"))
    .description("aggregate Telegraf's lines, from standard input and by HTTP, and send the results to a sink")
    .addOption(option("--config <file>", "limpet.yaml; its `aggregate:` section holds these options with _ for -"))
    .addOption(option("--rules <file>", "rule file, folder or glob; repeatable").argParser(collect))
    .addOption(
      new Option("--mode <mode>", "output: read standard input; serve: HTTP only (by default what fd 0 is decides)").choices(["output", "serve"]),
    )
    .addOption(
      option(
        "--sink <url>",
        "http(s)://... (remote write, full path), influx1+http(s)://, influx2+http(s)://, file:PATH or stdout:; repeatable",
      ).argParser(collect),
    )
    .addOption(option("--listen <host:port>", "address of the HTTP doors, /metrics and status (127.0.0.1:4581)"))
    .addOption(option("--db-label <label>", "give every line posted to a database or bucket its name as this label"))
    .addOption(option("--data <dir>", "folder for the state that a clean stop keeps for the next start"))
    .addOption(option("--naming <naming>", "how samples are named").choices(["telegraf", "vmagent"]).default("telegraf"))
    .addOption(
      option("--unmatched <what>", "samples that no rule wants: drop them, or pass them to the sinks as they are (drop)").choices(["drop", "pass"]),
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
    .action(async (_options: unknown, command: Command) => {
      applyConfig(command);
      await aggregate(command.opts<AggregateOptions>());
    });
}

/** Where rows go to stdout, nothing else does. */
function openLog(mode: "output" | "serve", sinks: readonly string[]): Log {
  const write = streamWriter({ stdout: process.stdout, stderr: process.stderr });
  return createLog({ mode: sinks.includes("stdout:") ? "serve" : mode, write, now: () => performance.now() });
}

async function openSinks(options: AggregateOptions, log: Log): Promise<Sink[]> {
  const sinks: Sink[] = [];
  for (const url of options.sink ?? []) {
    try {
      sinks.push(
        await openSink(url, {
          queueBytesMax: options.sinkQueueMax,
          log: (level, message) => {
            log[level](message);
          },
        }),
      );
      const name = sinks.at(-1)?.name;
      if (sinks.some((sink, i) => i < sinks.length - 1 && sink.name === name))
        throw new UsageError(`--sink ${name ?? ""} is given twice (a query does not tell two sinks apart); leave one out`);
    } catch (error) {
      if (error instanceof SinkUrlError) throw new UsageError(error.message);
      throw error;
    }
  }
  return sinks;
}

async function openData(folder: string): Promise<FolderLock> {
  const result = await lockFolder(folder).catch((cause: unknown) => {
    throw new UsageError(`--data ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`);
  });
  if (!result.ok) throw new UsageError(`--data ${folder}: ${result.message}`);
  return result.lock;
}

/** The listener. With the default port a taken one is no failure: Telegraf may start us twice. */
async function listen(
  doors: { readonly watched: Watched; readonly ingest: Ingest; readonly listening: Listening },
  options: AggregateOptions,
  about: { mode: string; startedMs: number },
  log: Log,
): Promise<RunningServer | undefined> {
  const { watched, ingest, listening } = doors;
  const address = parseListenAddress(options.listen ?? DEFAULT_PORT);
  if (!address.ok) throw new UsageError(`--listen: ${address.message}`);
  // Loaded with the first scrape: under Telegraf every start counts, and most of these pages are never read.
  let page: Promise<MetricsPage> | undefined;
  const openPage = async (): Promise<MetricsPage> => (await import("../../selfstat/metrics.js")).createMetricsPage(() => selfStats(watched));
  const routes = probeRoutes({
    healthy: () => ({ ok: true }),
    ready: () => {
      const data = ingest.ready();
      return data.ok ? watched.aggregator.ready() : data;
    },
    metrics: async () => {
      page ??= openPage();
      return (await page).text();
    },
    status: () => statusPage(watched, { version, ...about }),
    tokens: listening.adminTokens,
  });
  const result = await startServer({
    host: address.host,
    port: address.port,
    routes: [...routes, ...ingest.routes],
    tls: listening.tls,
    guarded: listening.tokens !== undefined,
    counts: watched.answers,
    limits: { connectionsMax: CONNECTIONS_MAX },
    warn: (message) => {
      log.warn(message);
    },
  });
  if (result.ok) {
    log.info(`listening on ${result.server.url}`);
    return result.server;
  }
  if (options.listen !== undefined) throw new UsageError(`--listen ${options.listen}: ${result.message}`);
  log.info(`${result.message}; going on without /metrics (--listen HOST:PORT chooses another address)`);
  return undefined;
}

/** Makes engines for these sinks, at the start and at reloads. */
function engineOpener(
  { naming, maxFuture, memoryMax, unmatched = "drop" }: AggregateOptions,
  outputs: ReadonlyMap<string, Output>,
  sinks: readonly Sink[],
): (rules: readonly Rule[], startMs: number) => Engine {
  if (memoryMax > ENGINE_BYTES_MAX) throw new UsageError(`--memory-max of ${String(memoryMax)} bytes: a process can use ${String(ENGINE_BYTES_MAX)}`);
  const marks = new Set(sinks.flatMap((sink) => [...sink.marks]));
  return (rules, startMs) => {
    try {
      return new Engine({
        rules,
        outputs,
        naming,
        startMs,
        maxFutureMs: maxFuture,
        memoryBytesMax: memoryMax,
        marks,
        pass: { as: "rows", unmatched },
      });
    } catch (error) {
      // What the constructor can meet is a cap below what empty tables need.
      throw new UsageError(`--memory-max of ${String(memoryMax)} bytes: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

/** What to say of a checkpoint that cannot be gone on with. */
function startFailure(folder: string, error: unknown): unknown {
  if (error instanceof SnapshotError) {
    const cure = error.code === "no_memory" ? "raise --memory-max" : "start the version that wrote it, or remove the file to start without it";
    return new UsageError(`${join(folder, "checkpoint")}: ${error.message}; ${cure}`);
  }
  const code = systemErrorCode(error);
  return code === undefined ? error : new UsageError(`--data ${folder}: ${error instanceof Error ? error.message : code}; move what is in the way`);
}

/** The rules, after what there is to say of them. Throws UsageError when the files have errors. */
function acceptedRules({ rules, messages }: LoadedRules, log: Log): readonly Rule[] {
  if (rules === undefined) throw new UsageError(messages.map(({ text }) => text).join("\n"));
  for (const { severity, text } of messages) log[severity === "warning" ? "warn" : "info"](text.split("\n", 1)[0] ?? text);
  return rules;
}

async function aggregate(options: AggregateOptions): Promise<void> {
  const input = stdinKind();
  const reads = input === "stream" || input === "file" ? input : undefined;
  const mode = options.mode ?? (reads === undefined ? "serve" : "output");
  if (mode === "output" && reads === undefined)
    throw new UsageError("--mode output reads lines from standard input, which is a terminal or empty; pipe Telegraf into it");
  if (options.rules === undefined) throw new UsageError("--rules FILE is missing; configs/rules has examples");
  const listening = readListenOptions(options);
  const log = openLog(mode, options.sink ?? []);
  let hangUp = (): void => {
    log.info("SIGHUP while starting: the rules are being read anyway");
  };
  const signals = holdSignals({
    obeyInterrupt: mode === "serve",
    onHangUp: () => {
      hangUp();
    },
  });
  const outputs = await loadOutputs();
  const patterns = options.rules;
  const { unmatched = "drop" } = options;
  const load = (): Promise<LoadedRules> => loadRules(patterns, { outputs, naming: options.naming, unmatched });
  const loaded = await load();
  const rules = acceptedRules(loaded, log);
  if ((options.sink ?? []).length === 0) throw new UsageError("--sink URL is missing; e.g. http://127.0.0.1:9090/api/v1/write, file:PATH or stdout:");
  const sinks = await openSinks(options, log);
  const lock = options.data === undefined ? undefined : await openData(options.data);
  const clock = new SteadyClock({ wall: () => Date.now(), monotonic: () => performance.now() });
  const startedMs = clock.now();
  const open = engineOpener(options, outputs, sinks);
  const engine = open(rules, startedMs);
  const warn = (message: string, kind?: string): void => {
    log.warn(message, kind);
  };
  const checkpoint = options.data === undefined ? undefined : checkpointFile(options.data, warn);
  const aggregator = new Aggregator({ engine, sinks, log, clock, checkpoint, onBroken: crash });
  const watched: Watched = { aggregator, sinks, answers: new AnswerCounts() };
  const ingest = createIngest({
    read: (document) => aggregator.read(document),
    warn,
    tokens: listening.tokens,
    dbLabel: options.dbLabel,
    version,
  });
  const server = await listen({ watched, ingest, listening }, options, { mode, startedMs }, log);
  try {
    await aggregator.start();
  } catch (error) {
    await server?.close(0);
    lock?.release();
    throw options.data === undefined ? error : startFailure(options.data, error);
  }
  ingest.open();
  log.info(
    `limpet ${version}: ${counted(rules.length, "rule")}, ${sinks.map((sink) => sink.name).join(", ")}${mode === "output" ? ", reading standard input" : ""}`,
  );
  hangUp = createReloader({ loaded, load, open: (changed) => open(changed, clock.now()), aggregator, log });
  const reader = mode === "output" && reads !== undefined ? readStdin(reads, aggregator) : undefined;
  await Promise.race([aggregator.inputEnded, signals.stop]);
  reader?.stop();
  // Bodies under way have this long, because the stop as a whole has less than 4 s. Their senders keep what got no answer.
  await Promise.race([ingest.close(), delay(INGEST_DEADLINE_MS, undefined, { ref: false })]);
  const stopped = await aggregator.stop(STOP_DEADLINE_MS);
  await server?.close(200);
  lock?.release();
  farewell(watched, stopped, log);
  if (checkpoint !== undefined && !stopped.kept) process.exitCode = 1;
  await new Promise((resolve) => setTimeout(resolve, mode === "output" ? LINGER_MS : 0));
}

function crash(error: unknown): void {
  process.stderr.write(
    `E! broken invariant, this process ends: ${error instanceof Error ? (error.stack ?? error.message).replaceAll("\n", " | ") : String(error)}\n`,
  );
  process.exit(1);
}

function farewell(watched: Watched, { rowsUnsent }: Stopped, log: Log): void {
  const ledger = processLedger(watched);
  const count = (reasons: Readonly<Record<string, number>>): number => Object.values(reasons).reduce((sum, n) => sum + n, 0);
  log.info(
    `stopped: read ${String(ledger.lines_read)} lines, applied ${String(ledger.pairs_applied)}, dropped ${String(count(ledger.pairs_dropped))}, unsent ${String(rowsUnsent)}`,
  );
  log.flush();
  if (process.env["LIMPET_LEDGER"] === "json") process.stdout.write(`ledger ${JSON.stringify(ledger)}\n`);
}
