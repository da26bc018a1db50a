// `limpet aggregate --assigner URL`: an aggregator that owns what the assigner gives it. Its input goes through a router inside, which
// hands each line to the owners of its groups, this process among them; what it owns moves to others when it is told to stop.
//
//   stdin, HTTP ─▶ router inside ──own slices: a function call──▶ Slicelet ─▶ engine ─▶ sinks
//                       └───────────others': POST /api/v1/batch──▶ their Slicelets
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "../aggregate/engine.js";
import type { Output } from "../aggregate/output.js";
import { SteadyClock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { Aggregator } from "../drive/aggregator.js";
import { EngineHoldings } from "../drive/engineHoldings.js";
import { RouterDriver } from "../drive/routerDriver.js";
import { routerStats } from "../drive/routerStatus.js";
import { shardedLedger } from "../drive/shardedLedger.js";
import { SliceletDriver } from "../drive/sliceletDriver.js";
import { selfStats, statusPage, type Watched } from "../drive/status.js";
import { StdinLines } from "../drive/stdinLines.js";
import { holdSignals } from "../execd/signals.js";
import { readStdin } from "../execd/stdin.js";
import { AnswerCounts } from "../http/answerCounts.js";
import { AssignerClient } from "../http/assignerClient.js";
import { BatchSender } from "../http/batchSender.js";
import { createIngest, type Ingest } from "../http/ingest.js";
import { parseListenAddress } from "../http/listenAddress.js";
import { ownerRoutes } from "../http/ownerRoutes.js";
import { PeerClient } from "../http/peerClient.js";
import { type Health, probeRoutes } from "../http/probes.js";
import { type Route, type RunningServer, startServer } from "../http/server.js";
import { ROUTER_DEFAULTS } from "../route/router.js";
import { type ShardedStats, shardedMetricsPage } from "../selfstat/shardedMetrics.js";
import { WHOLE } from "../slice/keyRange.js";
import { resourceId } from "../slice/resource.js";
import { encodeRuleVersion } from "../slice/ruleVersion.js";
import { MOVE_LIMITS } from "../slicelet/outgoing.js";
import { Slicelet, type SliceletOptions } from "../slicelet/slicelet.js";
import { crash, type EndOptions, engineOpener, openLog } from "./aggregateEnds.js";
import type { Mode } from "./aggregateMode.js";
import { type Listening, type ListenOptions, readListenOptions } from "./listenOptions.js";
import { loadOutputs } from "./loadOutputs.js";
import { openSinks, sinkEntries } from "./openSinks.js";
import { UsageError } from "./options.js";
import { type RulesFollower, ShardedRules } from "./shardedRules.js";
import { version } from "./version.js";

export interface ShardedOptions extends ListenOptions, EndOptions {
  readonly rules?: readonly string[];
  readonly assigner: string;
  readonly advertise?: string;
  readonly listen?: string;
  readonly dbLabel?: string;
  readonly data?: string;
  readonly cluster: string;
  readonly name: string;
  readonly retentionMax: number;
  readonly drainDeadline: number;
}

const DEFAULT_LISTEN = "127.0.0.1:4581";
const CONNECTIONS_MAX = 8192;
const INGEST_DEADLINE_MS = 1000;
const STOP_DEADLINE_MS = 2500;
const STDIN_PATIENCE_MS = 3500;
const HEARTBEAT_MS = 500;
const PEER_TIMEOUT_MS = 5000;
const HOLD_MS = 60_000;
/** State moves, it is not kept. */
const UNKEPT = {
  checkpoint: undefined,
  regret: { why: "with something nobody took", cure: "others take it as long as sinks answer and --drain-deadline lasts" },
};
const WAITING = "waiting for the assigner's rules";

/** Throws UsageError for what cannot be together. */
function check({ rules, data, assigner, advertise, unmatched }: ShardedOptions, mode: Mode): void {
  if (mode.writesMetrics) throw new UsageError(`--mode ${mode.name} owns all it reads; leave --assigner out, or use --mode output or serve`);
  if (rules !== undefined) throw new UsageError("--rules: with --assigner the rules come from there; give them to `limpet assign`");
  if (unmatched === "pass") throw new UsageError("--unmatched pass: with --assigner what no rule wants is not passed on; leave it out");
  if (data !== undefined)
    throw new UsageError(`--data ${data}: with --assigner state moves to other aggregators at a stop, it is not kept on disk yet; leave it out`);
  for (const [flag, url] of [
    ["--assigner", assigner],
    ["--advertise", advertise],
  ])
    if (url !== undefined && (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)))
      throw new UsageError(`${flag ?? ""} ${url}: http(s)://HOST:PORT is wanted`);
}

/** The listener has to be there before anybody can be told where it is; until there is something behind its doors they answer 503. */
async function openServer({ options, listening, answers, log }: Entrance, routes: readonly Route[]): Promise<RunningServer> {
  const address = parseListenAddress(options.listen ?? DEFAULT_LISTEN);
  if (!address.ok) throw new UsageError(`--listen: ${address.message}`);
  const result = await startServer({
    host: address.host,
    port: address.port,
    routes,
    tls: listening.tls,
    guarded: listening.tokens !== undefined,
    counts: answers,
    limits: { connectionsMax: CONNECTIONS_MAX },
    warn: (message) => {
      log.warn(message);
    },
  });
  if (!result.ok) throw new UsageError(`--listen ${options.listen ?? DEFAULT_LISTEN}: ${result.message}`);
  return result.server;
}

/** Opens all of it, runs until told to stop, hands on what it owns. */
export async function aggregateSharded(options: ShardedOptions, mode: Mode): Promise<void> {
  check(options, mode);
  const listening = readListenOptions(options);
  const entries = sinkEntries(options, mode);
  const log = openLog(mode, entries);
  const signals = holdSignals({
    obeyInterrupt: mode.reads === undefined,
    onHangUp: () => {
      log.info("SIGHUP: rules come from the assigner, there is nothing to read again");
    },
  });
  const sinks = await openSinks(entries, log);
  const entrance: Entrance = { options, listening, answers: new AnswerCounts(), log, mode, inside: undefined };
  const { ingest, routes } = makeDoors(entrance);
  const server = await openServer(entrance, routes);
  const ground = await layGround({ options, listening, server, log });
  const first = await Promise.race([ground.rules.first(), signals.stop]);
  if (first === undefined) {
    await Promise.all([server.close(200), ground.assigner.close()]);
    return;
  }
  const open = engineOpener(options, mode, { outputs: ground.outputs, sinks });
  const openEmpty = (...args: Parameters<typeof open>): Engine => {
    const engine = open(...args);
    engine.parts.drop(WHOLE);
    return engine;
  };
  const aggregator = new Aggregator({
    engine: openEmpty(first.rules, ground.clock.now()),
    sinks,
    log,
    clock: ground.clock,
    ...UNKEPT,
    onBroken: crash,
  });
  const owner = openOwner(ground, aggregator);
  const router = openRouter(ground, owner);
  ground.follow({
    onRules: (rules, parsed) => {
      const problem = router.useRules(rules);
      if (problem !== undefined) log.error(`rules ${rules.hash} cannot be used: ${problem}`);
      else if (rules.hash !== first.version.hash) aggregator.reload(openEmpty(parsed, ground.clock.now()));
    },
    onAssignment: (assignment) => {
      router.assignment(assignment);
      owner.assignment(assignment);
    },
  });
  const members: Members = { ...ground, watched: { aggregator, sinks, answers: entrance.answers }, owner, router, startedMs: ground.clock.now() };
  entrance.inside = members;
  routes.push(...doorsForPeers(members));
  await aggregator.start();
  owner.start();
  router.start();
  ground.assigner.start();
  ingest.open();
  log.info(`listening on ${server.url}${mode.reads === undefined ? "" : ", reading standard input"}`);
  const lines = new StdinLines(router, log, STDIN_PATIENCE_MS);
  const reader = mode.reads === undefined ? undefined : readStdin(mode.reads, lines);
  await Promise.race([lines.taken, signals.stop]);
  reader?.stop();
  // Its doors stay open while it hands its slices on: whoever posts here is not turned away for longer than it must be.
  const deadlineMs = await handOn(members, options.drainDeadline);
  await Promise.race([ingest.close(), delay(INGEST_DEADLINE_MS, undefined, { ref: false })]);
  const undelivered = (await router.stop(deadlineMs)).lines;
  const stopped = await aggregator.stop(STOP_DEADLINE_MS);
  owner.stop();
  await Promise.all([ground.assigner.close(), server.close(200)]);
  ground.sender.close();
  farewell(members, { undelivered, unsent: stopped.rowsUnsent });
}

/** What is there before the first rules are. */
interface Ground {
  readonly options: ShardedOptions;
  readonly listening: Listening;
  readonly log: Log;
  readonly clock: SteadyClock;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly self: SliceletOptions["self"];
  readonly assigner: AssignerClient;
  readonly rules: ShardedRules;
  readonly sender: BatchSender;
  /** Who hears of Assignments and rules from now on. */
  readonly follow: (follower: RulesFollower) => void;
}

interface Members extends Ground {
  readonly startedMs: number;
  readonly watched: Watched;
  readonly owner: SliceletDriver;
  readonly router: RouterDriver;
}

async function layGround(about: Pick<Ground, "options" | "listening" | "log"> & { readonly server: RunningServer }): Promise<Ground> {
  const { options, listening, log, server } = about;
  const incarnation = randomBytes(5).toString("hex");
  const address = (options.advertise ?? server.url).replace(/\/+$/, "");
  const self = { id: resourceId(address, incarnation), address, incarnation, cluster: options.cluster };
  const url = options.assigner.replace(/\/+$/, "");
  log.info(`limpet ${version}: ${self.id}, assigner ${url}; waiting for rules`);
  const outputs = await loadOutputs();
  let follower: RulesFollower | undefined;
  const assigner = new AssignerClient({
    url,
    token: listening.ownToken,
    onAssignment: (assignment) => {
      follower?.onAssignment(assignment);
      rules.named(assignment.rules);
    },
    onTrouble: (message) => {
      log.warn(`assigner ${message}; everything goes on, but nothing moves`, "assigner");
    },
  });
  const rules = new ShardedRules({ assigner, outputs, naming: options.naming, log });
  const sender = new BatchSender({
    timeoutMs: ROUTER_DEFAULTS.timeoutMs,
    connectionsPerOwner: ROUTER_DEFAULTS.window * 2,
    token: listening.ownToken,
  });
  const clock = new SteadyClock({ wall: () => Date.now(), monotonic: () => performance.now() });
  const follow = (heard: RulesFollower): void => {
    follower = heard;
    rules.follow(heard);
  };
  return { options, listening, log, clock, outputs, self, assigner, rules, sender, follow };
}

function openOwner({ options, listening, self, clock, log, rules }: Ground, aggregator: Aggregator): SliceletDriver {
  const holdings = new EngineHoldings({
    engine: () => aggregator.engine,
    now: () => clock.now(),
    warn: (message) => {
      log.warn(message);
    },
  });
  return new SliceletDriver({
    slicelet: new Slicelet({ self, holdings, limits: MOVE_LIMITS, heartbeatMs: HEARTBEAT_MS, offers: [] }),
    holdings,
    peers: new PeerClient({ assigner: options.assigner.replace(/\/+$/, ""), token: listening.ownToken, timeoutMs: PEER_TIMEOUT_MS }),
    clock,
    log,
    settled: (range) => aggregator.settled(range),
    onBehind: () => {
      void rules.catchUp();
    },
    onBroken: crash,
  });
}

function openRouter({ options, self, clock, log, outputs, rules, sender }: Ground, owner: SliceletDriver): RouterDriver {
  return new RouterDriver({
    router: {
      ...ROUTER_DEFAULTS,
      router: `${options.name}.${self.incarnation}`,
      cluster: options.cluster,
      seed: randomBytes(4).readInt32LE(),
      retentionBytesMax: options.retentionMax,
    },
    outputs,
    naming: options.naming,
    memoryBytesMax: options.memoryMax,
    holdMs: HOLD_MS,
    delivery: {
      deliver: async (to, head, generation, body) => {
        if (to !== self.address) return sender.deliver(to, head, generation, body);
        // In the next turn, as from the network: a machine is not stepped from within its own step.
        await delay(0);
        return { kind: "answered", answer: owner.batch(head, generation, body) };
      },
      offerRules: (to, offered) => sender.offerRules(to, offered.hash, encodeRuleVersion(offered)),
    },
    onBehind: () => {
      void rules.catchUp();
    },
    log,
    clock,
    onBroken: crash,
  });
}

/** What is there from the start: whoever asks early is told to come again, not that there is no such path. */
interface Entrance {
  readonly options: ShardedOptions;
  readonly listening: Listening;
  readonly answers: AnswerCounts;
  readonly log: Log;
  readonly mode: Mode;
  /** Set when there are rules. */
  inside: Members | undefined;
}

/** Everything that can be asked, but for what other aggregators and routers say. */
function makeDoors(entrance: Entrance): { readonly ingest: Ingest; readonly routes: Route[] } {
  const { options, listening, log, mode } = entrance;
  const inside = (): Members => {
    if (entrance.inside === undefined) throw new Error("the doors are open and nothing is inside");
    return entrance.inside;
  };
  const page = shardedMetricsPage(() => statsOf(inside()));
  const ingest = createIngest({
    read: (document) => inside().router.read(document),
    refusal: () => entrance.inside?.owner.refusal ?? entrance.inside?.router.refusal,
    warn: (message, kind) => {
      log.warn(message, kind);
    },
    tokens: listening.tokens,
    dbLabel: options.dbLabel,
    version,
  });
  const probes = probeRoutes({
    healthy: () => ({ ok: true }),
    ready: () => readiness(entrance.inside, ingest),
    metrics: () => (entrance.inside === undefined ? Promise.resolve("") : page.text()),
    status: () => (entrance.inside === undefined ? { version, mode: mode.name, state: WAITING } : statusOf(entrance.inside, mode)),
    tokens: listening.adminTokens,
  });
  return { ingest, routes: [...probes, ...ingest.routes] };
}

function doorsForPeers({ options, listening, owner, rules }: Members): readonly Route[] {
  return ownerRoutes({
    driver: owner,
    cluster: options.cluster,
    hasRules: (hash) => rules.has(hash),
    offerRules: (offered) => rules.offer(offered),
    tokens: listening.tokens,
  });
}

function readiness(inside: Members | undefined, ingest: Ingest): Health {
  if (inside === undefined) return { ok: false, reason: WAITING };
  const { watched, owner, router } = inside;
  const asked: readonly (() => Health)[] = [() => ingest.ready(), () => watched.aggregator.ready(), () => owner.ready(), () => router.ready()];
  return asked.map((ask) => ask()).find(({ ok }) => !ok) ?? { ok: true };
}

function statusOf({ watched, startedMs, self, owner, router }: Members, mode: Mode): unknown {
  const page = statusPage(watched, { version, mode: mode.name, startedMs });
  return { ...page, ledger: shardedLedger(watched, router, owner.moves), resource: self.id, ...owner.status() };
}

/** Hands everything on while there is anybody to take it. Returns how long what is kept may take to be delivered, ms. */
async function handOn({ owner, log }: Members, deadlineMs: number): Promise<number> {
  const { id } = owner.slicelet.self;
  const others = owner.slicelet.assignment?.resources.some((resource) => resource.id !== id && resource.state === "running") === true;
  if (!others) {
    if (owner.slicesOwned > 0) log.warn("nobody is there to take this aggregator's slices: open windows are left as partial values");
    return 1000;
  }
  const late = await Promise.race([owner.drain().then(() => false), delay(deadlineMs, true, { ref: false })]);
  if (late) {
    log.error(
      `not all slices were taken within ${String(deadlineMs / 1000)} s (--drain-deadline): their open windows are left as partial values; look for a sink that is away`,
    );
    process.exitCode = 1;
  }
  return Math.max(1000, deadlineMs / 5);
}

function statsOf({ watched, owner, router }: Members): ShardedStats {
  const own = selfStats(watched);
  const routed = routerStats(router, watched.answers);
  const { out, aborted, lost, pausesMs } = owner.moves;
  const pauseMs = pausesMs.at(-1);
  return {
    ...own,
    // Samples are received and matched where they are read: in the router inside.
    samplesReceived: routed.samplesReceived,
    samplesMatched: routed.samplesMatched,
    samplesIgnored: routed.samplesIgnored,
    linesInvalid: routed.linesInvalid,
    slicesOwned: owner.slicesOwned,
    moves: { out, in: owner.moves.in, aborted, lost },
    pauseSeconds: pauseMs === undefined ? undefined : pauseMs / 1000,
    generation: owner.generation,
    batches: routed.batches,
    retentionBytes: routed.retentionBytes,
    linesDropped: routed.linesDropped,
  };
}

function farewell(members: Members, { undelivered, unsent }: { readonly undelivered: number; readonly unsent: number }): void {
  const { log } = members;
  const stats = statsOf(members);
  const ledger = shardedLedger(members.watched, members.router, members.owner.moves, undelivered);
  if (undelivered > 0) {
    log.error(`${String(undelivered)} lines could not be delivered and are lost`);
    process.exitCode = 1;
  }
  const dropped = Object.values(ledger.pairs_dropped).reduce((sum, count) => sum + count, 0);
  // What is still counted together first: the last line is the sum.
  log.flush();
  log.info(
    `stopped: read ${String(stats.samplesReceived)} samples, applied ${String(ledger.pairs_applied)}, dropped ${String(dropped)}, unsent ${String(unsent)}`,
  );
  if (process.env["LIMPET_LEDGER"] === "json") process.stdout.write(`ledger ${JSON.stringify(ledger)}\n`);
}
