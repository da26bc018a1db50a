// `limpet assign`: the assigner. Watches who is there and how busy, decides who owns what, and tells everybody.
import { once } from "node:events";
import { type Command, InvalidArgumentError } from "commander";
import { expandEnv } from "../../aggregate/ruleFileEnv.js";
import type { AssignerStore } from "../../assign/store.js";
import { counted } from "../../base/counted.js";
import { createLog, type Log, streamWriter } from "../../base/log.js";
import { AssignerDrive } from "../../drive/assignerDrive.js";
import { assignerStats, assignerStatus } from "../../drive/assignerStatus.js";
import { RuleVersions } from "../../drive/ruleVersions.js";
import { holdSignals } from "../../execd/signals.js";
import { AnswerCounts } from "../../http/answerCounts.js";
import { assignerRoutes } from "../../http/assignerRoutes.js";
import { probeRoutes } from "../../http/probes.js";
import type { Route, RunningServer } from "../../http/server.js";
import { assignerMetricsPage } from "../../selfstat/assignerMetrics.js";
import type { RuleFileText } from "../../slice/ruleVersion.js";
import { openFileStore } from "../../store/fileStore.js";
import { memoryStore } from "../../store/memoryStore.js";
import { crash } from "../crash.js";
import { listen, type Served } from "../listen.js";
import { addListenOptions, type Listening, type ListenOptions, readListenOptions } from "../listenOptions.js";
import { loadOutputs } from "../loadOutputs.js";
import { loadRules } from "../loadRules.js";
import { collect, duration, option, UsageError } from "../options.js";
import { version } from "../version.js";

interface AssignOptions extends ListenOptions {
  readonly rules?: readonly string[];
  readonly listen: string;
  readonly store?: string;
  readonly cluster: string;
  readonly naming: "telegraf" | "vmagent";
  readonly minResources: number;
  readonly lease: number;
  readonly stay: number;
  readonly orphanAfter: number;
}

/** Every router and aggregator keeps one or two open. */
const CONNECTIONS_MAX = 20_000;
const WATCHERS_MAX = 10_000;
/** A heartbeat names every Slice that is served. */
const BODY_BYTES_MAX = 64 << 20;
/** Rules that changed hold for samples from so long after now on, so that everybody has them by then. */
const ACTIVATION_MS = 10_000;

export function registerAssign(program: Command): void {
  addListenOptions(program.command("assign"))
    .description("decide which aggregator owns which slice of the key space, and serve the rules")
    .addOption(option("--rules <file>", "rule file, folder or glob; repeatable").argParser(collect))
    .addOption(option("--listen <host:port>", "address for aggregators, routers and people").default("127.0.0.1:4580"))
    .addOption(option("--store <store>", "file:DIR, where the assignment survives a restart (default: in memory, learned again from aggregators)"))
    .addOption(option("--cluster <name>", "name that aggregators and routers must give").default("limpet"))
    .addOption(option("--naming <naming>", "how samples are named").choices(["telegraf", "vmagent"]).default("telegraf"))
    .addOption(option("--min-resources <count>", "aggregators to wait for before the first assignment, 30 s at most").argParser(wholeOf).default(1))
    .addOption(option("--lease <duration>", "an aggregator silent for so long is gone").argParser(duration).default(3000, "3s"))
    .addOption(
      option("--stay <duration>", "how long slices wait for an aggregator that restarts in place").argParser(duration).default(15_000, "15s"),
    )
    .addOption(
      option("--orphan-after <duration>", "how long slices of a dead aggregator are held before they start empty elsewhere")
        .argParser(duration)
        .default(0, "0s"),
    )
    .action(async (_options: unknown, command: Command) => {
      await assign(command.opts<AssignOptions>());
    });
}

function wholeOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 10_000) throw new InvalidArgumentError("Use a whole number from 1 to 10000.");
  return count;
}

async function openStore(place: string | undefined, log: Log): Promise<AssignerStore> {
  if (place === undefined) return memoryStore();
  const folder = /^file:(.+)$/s.exec(place)?.[1];
  if (folder === undefined) throw new UsageError(`--store ${place}: file:DIR is wanted, e.g. file:/var/lib/limpet/assigner`);
  const opened = await openFileStore(folder, (message) => {
    log.warn(message);
  }).catch((cause: unknown) => {
    throw new UsageError(`--store ${place}: ${cause instanceof Error ? cause.message : String(cause)}`);
  });
  if (!opened.ok) throw new UsageError(`--store ${place}: ${opened.message}`);
  return opened.store;
}

type ReadRules =
  | { readonly ok: true; readonly files: readonly RuleFileText[]; readonly count: number }
  | { readonly ok: false; readonly messages: readonly string[] };

/** The rule files, checked, and with this process' environment put in, so that everybody has the same. */
async function readRules(patterns: readonly string[], context: Parameters<typeof loadRules>[1], log: Log): Promise<ReadRules> {
  const { rules, files, messages } = await loadRules(patterns, context);
  if (rules === undefined) return { ok: false, messages: messages.map(({ text }) => text) };
  for (const { severity, text } of messages) log[severity === "warning" ? "warn" : "info"](text.split("\n", 1)[0] ?? text);
  return { ok: true, files: files.map(({ name, text }) => ({ path: name, text: expandEnv(text, process.env).text })), count: rules.length };
}

interface Running {
  readonly drive: AssignerDrive;
  readonly versions: RuleVersions;
  readonly answers: AnswerCounts;
  readonly reload: (activeFromMs: number | undefined) => Promise<{ readonly ok: boolean; readonly message: string }>;
}

function routesOf({ drive, versions, answers, reload }: Running, cluster: string, { tokens, adminTokens }: Listening): readonly Route[] {
  const page = assignerMetricsPage(() => assignerStats(drive, answers));
  const startedMs = Date.now();
  const probes = probeRoutes({
    healthy: () => ({ ok: true }),
    ready: () => (drive.line === undefined ? { ok: false, reason: "no assignment yet: no aggregator has reported" } : { ok: true }),
    metrics: () => page.text(),
    status: () => assignerStatus(drive, { version, startedMs, nowMs: performance.now(), rules: versions.newest }),
    tokens: adminTokens,
  });
  const rules = (hash: string | undefined): typeof versions.newest | undefined => (hash === undefined ? versions.newest : versions.find(hash));
  return [...probes, ...assignerRoutes({ drive, cluster, tokens, adminTokens, rules, reload })];
}

async function openDoors(options: AssignOptions, served: Served, log: Log): Promise<RunningServer> {
  const limits = { connectionsMax: CONNECTIONS_MAX, bodyBytesMax: BODY_BYTES_MAX };
  const result = await listen(options.listen, { ...served, limits }, log);
  if (!result.ok) throw new UsageError(`--listen ${options.listen}: ${result.message}`);
  log.info(`listening on ${result.server.url}`);
  return result.server;
}

/** Serves one reload after the other. */
function reloader(load: () => Promise<ReadRules>, versions: RuleVersions, drive: AssignerDrive, log: Log): Running["reload"] {
  let last: Promise<unknown> = Promise.resolve();
  const reload = async (activeFromMs: number | undefined): Promise<{ ok: boolean; message: string }> => {
    const read = await load();
    if (!read.ok) {
      for (const text of read.messages) log.error(`reload: ${text.split("\n", 1)[0] ?? text}`, `reload ${text}`);
      return { ok: false, message: `the old rules go on: ${read.messages.map((text) => text.split("\n", 1)[0] ?? text).join("; ")}` };
    }
    const fromMs = activeFromMs ?? Date.now() + ACTIVATION_MS;
    if (!(await versions.add(read.files, fromMs))) return { ok: true, message: "the rule files have not changed" };
    drive.rules(versions.newest.hash);
    return {
      ok: true,
      message: `${counted(read.count, "rule")} as version ${versions.newest.hash}, for samples from ${new Date(fromMs).toISOString()} on`,
    };
  };
  return (activeFromMs) => {
    const next = last
      .then(() => reload(activeFromMs))
      .catch((cause: unknown) => ({ ok: false, message: cause instanceof Error ? cause.message : String(cause) }));
    last = next.then(({ ok, message }) => log[ok ? "info" : "error"](`reload: ${message}`));
    return next;
  };
}

async function assign(options: AssignOptions): Promise<void> {
  if (options.rules === undefined) throw new UsageError("--rules FILE is missing; configs/rules has examples");
  const patterns = options.rules;
  const listening = readListenOptions(options);
  const log = createLog({ mode: "serve", write: streamWriter({ stdout: process.stdout, stderr: process.stderr }), now: () => performance.now() });
  let hangUp = (): void => {
    log.info("SIGHUP while starting: the rules are being read anyway");
  };
  // Under `limpet up`: it ends with its parent, and Ctrl-C in their terminal is the parent's business.
  const underParent = process.env["LIMPET_STOP"] === "stdin";
  const signals = holdSignals({
    obeyInterrupt: !underParent,
    onHangUp: () => {
      hangUp();
    },
  });
  const outputs = await loadOutputs();
  const load = (): Promise<ReadRules> => readRules(patterns, { outputs, naming: options.naming }, log);
  const first = await load();
  if (!first.ok) throw new UsageError(first.messages.join("\n"));
  const store = await openStore(options.store, log);
  const versions = await RuleVersions.open(store, first.files, Date.now() + ACTIVATION_MS);
  const drive = await AssignerDrive.start({
    store,
    rules: versions.newest.hash,
    limits: { leaseMs: options.lease, stayMs: options.stay, orphanAfterMs: options.orphanAfter, resourcesMin: options.minResources },
    watchersMax: WATCHERS_MAX,
    log,
    now: () => performance.now(),
    onBroken: crash,
  });
  const reload = reloader(load, versions, drive, log);
  const stop = async (server: RunningServer | undefined): Promise<void> => {
    await drive.stop();
    await server?.close(500);
    await store.close();
  };
  let server: RunningServer;
  try {
    const answers = new AnswerCounts();
    const routes = routesOf({ drive, versions, answers, reload }, options.cluster, listening);
    server = await openDoors(options, { listening, routes, counts: answers }, log);
  } catch (error) {
    await stop(undefined);
    throw error;
  }
  log.info(`limpet ${version}: assigner of cluster ${options.cluster}, ${counted(first.count, "rule")} as version ${versions.newest.hash}`);
  hangUp = () => {
    void reload(undefined);
  };
  await Promise.race([signals.stop, ...(underParent ? [once(process.stdin.resume(), "end")] : [])]);
  await stop(server);
  log.info("stopped");
  log.flush();
  if (underParent) process.stdin.destroy();
}
