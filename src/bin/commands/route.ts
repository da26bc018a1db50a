// `limpet route`: the router on its own, beside a Telegraf (standard input) or as a gateway (HTTP). It keeps what it took until the
// owners of the samples have it.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { SteadyClock } from "../../base/clock.js";
import { counted } from "../../base/counted.js";
import { createLog, type Log, streamWriter } from "../../base/log.js";
import type { RouterDriver } from "../../drive/routerDriver.js";
import { routerLedger, routerStats, routerStatus } from "../../drive/routerStatus.js";
import { StdinLines } from "../../drive/stdinLines.js";
import { holdSignals } from "../../execd/signals.js";
import { readStdin, stdinKind } from "../../execd/stdin.js";
import { AnswerCounts } from "../../http/answerCounts.js";
import { AssignerClient } from "../../http/assignerClient.js";
import { BatchSender } from "../../http/batchSender.js";
import { createIngest, type Ingest } from "../../http/ingest.js";
import { probeRoutes } from "../../http/probes.js";
import type { RunningServer } from "../../http/server.js";
import { ROUTER_DEFAULTS, type RouterLeft } from "../../route/router.js";
import { routerMetricsPage } from "../../selfstat/routerMetrics.js";
import { listen } from "../listen.js";
import { addListenOptions, type Listening, type ListenOptions, readListenOptions } from "../listenOptions.js";
import { loadOutputs } from "../loadOutputs.js";
import { HOLD_MS, openRouter } from "../openRouter.js";
import { baseUrl, byteSize, duration, option, UsageError } from "../options.js";
import { ShardedRules } from "../shardedRules.js";
import { version } from "../version.js";

interface RouteOptions extends ListenOptions {
  readonly assigner?: string;
  readonly listen?: string;
  readonly spool?: string;
  readonly cluster: string;
  readonly name: string;
  readonly naming: "telegraf" | "vmagent";
  readonly dbLabel?: string;
  readonly memoryMax: number;
  readonly retentionMax: number;
  readonly drainDeadline: number;
}

const DEFAULT_PORT = "127.0.0.1:4582";
/** Telegraf kills a child 10 s after it closed its input. */
const STDIN_DEADLINE_MS = 3500;
const INGEST_DEADLINE_MS = 1000;

export function registerRoute(program: Command): void {
  addListenOptions(program.command("route"))
    .description("divide lines among the aggregators that own them, and keep them until they are safe there")
    .addOption(option("--assigner <url>", "where assignments and rules come from, e.g. http://127.0.0.1:4580"))
    .addOption(option("--listen <host:port>", "address of the HTTP doors, /metrics and status (127.0.0.1:4582)"))
    .addOption(option("--cluster <name>", "name of the cluster its aggregators belong to").default("limpet"))
    .addOption(option("--name <name>", "what aggregators call this router").default(hostname().replace(/[^\w-]/g, "-")))
    .addOption(option("--naming <naming>", "how samples are named, as the assigner's").choices(["telegraf", "vmagent"]).default("telegraf"))
    .addOption(option("--db-label <label>", "give every line posted to a database or bucket its name as this label"))
    .addOption(option("--spool <dir>", "not there yet: keeps lines on disk through a crash"))
    .addOption(
      option("--memory-max <size>", "cap of the cache of series")
        .argParser(byteSize)
        .default(512 * 2 ** 20, "512MiB"),
    )
    .addOption(
      option("--retention-max <size>", "cap of the lines that are kept until their owners have them")
        .argParser(byteSize)
        .default(ROUTER_DEFAULTS.retentionBytesMax, "256MiB"),
    )
    .addOption(option("--drain-deadline <duration>", "at a stop, how long lines are still delivered").argParser(duration).default(25_000, "25s"))
    .action(route);
}

interface Parts {
  readonly driver: RouterDriver;
  readonly rules: ShardedRules;
  readonly sender: BatchSender;
  readonly assigner: AssignerClient;
  readonly answers: AnswerCounts;
}

/** The driver, and the two it speaks to. */
async function build(options: RouteOptions, url: string, token: string | undefined, log: Log): Promise<Parts> {
  const sender = new BatchSender({ timeoutMs: ROUTER_DEFAULTS.timeoutMs, connectionsPerOwner: ROUTER_DEFAULTS.window * 2, token });
  const clock = new SteadyClock({ wall: () => Date.now(), monotonic: () => performance.now() });
  const outputs = await loadOutputs();
  const assigner = new AssignerClient({
    url,
    token,
    onAssignment: (assignment) => {
      rules.assignment(assignment);
    },
    onTrouble: (message) => {
      log.warn(`assigner ${message}; lines go where they went, and it is asked again`, "assigner");
    },
  });
  const rules = new ShardedRules({ assigner, outputs, naming: options.naming, clock, holdMs: HOLD_MS, log });
  const driver = openRouter({ options, incarnation: randomBytes(5).toString("hex"), outputs, rules, sender, log, clock });
  rules.follow({
    onRules: (inForce) => {
      driver.useRules(inForce);
    },
    onAssignment: (assignment) => {
      driver.assignment(assignment);
    },
  });
  return { driver, rules, sender, assigner, answers: new AnswerCounts() };
}

interface Doors {
  readonly parts: Parts;
  readonly ingest: Ingest;
  readonly listening: Listening;
}

async function openDoors(options: RouteOptions, { parts, ingest, listening }: Doors, log: Log): Promise<RunningServer | undefined> {
  const { driver, answers } = parts;
  const page = routerMetricsPage(() => routerStats(driver, answers));
  const about = { version, startedMs: Date.now(), assigner: options.assigner ?? "" };
  const routes = probeRoutes({
    healthy: () => ({ ok: true }),
    ready: () => {
      const data = ingest.ready();
      return data.ok ? driver.ready() : data;
    },
    metrics: () => page.text(),
    status: () => routerStatus(driver, about),
    tokens: listening.adminTokens,
  });
  const result = await listen(options.listen ?? DEFAULT_PORT, { listening, routes: [...routes, ...ingest.routes], counts: answers }, log);
  if (result.ok) {
    log.info(`listening on ${result.server.url}`);
    return result.server;
  }
  if (options.listen !== undefined) throw new UsageError(`--listen ${options.listen}: ${result.message}`);
  log.info(`${result.message}; going on without doors and /metrics (--listen HOST:PORT chooses another address)`);
  return undefined;
}

/** The assigner's URL, once everything else about the options is right too. */
function assignerOf({ assigner, spool, name }: RouteOptions): string {
  if (assigner === undefined) throw new UsageError("--assigner URL is missing, e.g. http://127.0.0.1:4580");
  if (spool !== undefined)
    throw new UsageError(`--spool ${spool}: this version keeps lines in memory only; leave it out, and give more with --retention-max`);
  if (!/^[\w-]{1,64}$/.test(name)) throw new UsageError(`--name ${name}: 1 to 64 letters, digits, _ or - are wanted`);
  return baseUrl("--assigner", assigner);
}

async function route(options: RouteOptions): Promise<void> {
  const url = assignerOf(options);
  const listening = readListenOptions(options);
  const input = stdinKind();
  const reads = input === "stream" || input === "file" ? input : undefined;
  const mode = reads === undefined ? "serve" : "output";
  const log = createLog({ mode, write: streamWriter({ stdout: process.stdout, stderr: process.stderr }), now: () => performance.now() });
  const signals = holdSignals({
    obeyInterrupt: mode === "serve",
    onHangUp: () => {
      log.info("SIGHUP: rules come from the assigner, there is nothing to read again");
    },
  });
  const parts = await build(options, url, listening.ownToken, log);
  const { driver, sender, assigner, answers } = parts;
  const ingest = createIngest({
    read: (document) => driver.read(document),
    refusal: () => (driver.refusal === undefined ? undefined : `this process is ${driver.refusal}`),
    warn: (message, kind) => {
      log.warn(message, kind);
    },
    tokens: listening.tokens,
    dbLabel: options.dbLabel,
    version,
  });
  const server = await openDoors(options, { parts, ingest, listening }, log);
  driver.start();
  assigner.start();
  void parts.rules.first();
  ingest.open();
  log.info(`limpet ${version}: router ${driver.name}, assigner ${url}${reads === undefined ? "" : ", reading standard input"}`);
  const lines = new StdinLines(driver, log, STDIN_DEADLINE_MS);
  const reader = reads === undefined ? undefined : readStdin(reads, lines);
  const ended = await Promise.race([lines.taken.then(() => "end" as const), signals.stop.then(() => "signal" as const)]);
  reader?.stop();
  await Promise.race([ingest.close(), delay(INGEST_DEADLINE_MS, undefined, { ref: false })]);
  const left = await driver.stop(ended === "end" ? Math.min(STDIN_DEADLINE_MS, options.drainDeadline) : options.drainDeadline);
  await Promise.all([assigner.close(), server?.close(200)]);
  sender.close();
  farewell(parts, answers, left, log);
  if (lines.bytesLost > 0) process.exitCode = 1;
}

function farewell({ driver }: Parts, answers: AnswerCounts, left: RouterLeft, log: Log): void {
  if (left.lines > 0) {
    log.error(`${counted(left.lines, "line")} could not be delivered and are lost; --drain-deadline waits longer`);
    process.exitCode = 1;
  }
  // What is still counted together first: the last line is the sum.
  log.flush();
  log.info(
    `stopped: read ${String(driver.partition?.linesRead ?? 0)} lines, undelivered ${String(left.lines)}, applied but not yet durable ${String(left.batchesUnprotected)} batches`,
  );
  if (process.env["LIMPET_LEDGER"] === "json") process.stdout.write(`ledger ${JSON.stringify(routerLedger(driver, answers, left.lines))}\n`);
}
