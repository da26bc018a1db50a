// `limpet aggregate --assigner URL`: an aggregator that owns what the assigner gives it. Its input goes through a router inside, which
// hands each line to the owners of its groups, this process among them; what it owns moves to others when it is told to stop.
//
//   stdin, HTTP ─▶ router inside ──own slices: a function call──▶ Slicelet ─▶ engine ─▶ sinks
//                       └───────────others': POST /api/v1/batch──▶ their Slicelets
import { setTimeout as delay } from "node:timers/promises";
import { hasClosed } from "../aggregate/due.js";
import type { Engine } from "../aggregate/engine.js";
import type { Rule } from "../aggregate/rule.js";
import type { RulesInForce } from "../aggregate/ruleVersions.js";
import { counted } from "../base/counted.js";
import { Aggregator } from "../drive/aggregator.js";
import { shardedLedger } from "../drive/shardedLedger.js";
import type { MoveCounts } from "../drive/sliceletDriver.js";
import { StdinLines } from "../drive/stdinLines.js";
import { holdSignals } from "../execd/signals.js";
import { readStdin } from "../execd/stdin.js";
import { AnswerCounts } from "../http/answerCounts.js";
import { WHOLE } from "../slice/keyRange.js";
import { engineOpener, openLog } from "./aggregateEnds.js";
import type { Mode } from "./aggregateMode.js";
import { crash } from "./crash.js";
import { readListenOptions } from "./listenOptions.js";
import { openSinks, sinkEntries } from "./openSinks.js";
import { UsageError } from "./options.js";
import { goOnWith } from "./reloader.js";
import { doorsForPeers, type Entrance, makeDoors, openServer, statsOf } from "./shardedDoors.js";
import { layGround, type Members, openInnerRouter, openOwner, type ShardedOptions } from "./shardedMembers.js";

const INGEST_DEADLINE_MS = 1000;
const STOP_DEADLINE_MS = 2500;
const STDIN_PATIENCE_MS = 3500;
/** State moves, it is not kept. */
const UNKEPT = {
  checkpoint: undefined,
  regret: { why: "with something nobody took", cure: "others take it as long as --drain-deadline lasts" },
};

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
  const router = openInnerRouter(ground, owner);
  const members: Members = { ...ground, watched: { aggregator, sinks, answers: entrance.answers }, owner, router, startedMs: ground.clock.now() };
  follow(members, first, openEmpty);
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

/** From here on router and owner hear of Assignments, and go on with other rules when there are some. */
function follow(
  { rules, router, owner, watched, clock, log }: Members,
  first: RulesInForce,
  open: (rules: readonly Rule[], ms: number) => Engine,
): void {
  const { aggregator } = watched;
  rules.follow({
    onRules: (inForce) => {
      router.useRules(inForce);
      const problem = inForce === first ? undefined : goOnWith(aggregator, () => open(inForce.rules, clock.now()));
      if (problem !== undefined) log.error(`rules: ${problem}; here the old ones go on; raise --memory-max, old and new state must fit side by side`);
    },
    hasClosed: (rule, ms) => hasClosed(aggregator.engine, rule, ms),
    onAssignment: (assignment) => {
      router.assignment(assignment);
      owner.assignment(assignment);
    },
  });
}

/**
 * Hands everything on while there is anybody to take it. Returns how long what is kept may take to be delivered, ms: what is left of
 * the deadline, and a fifth of it at least.
 */
async function handOn({ owner, log, clock }: Members, deadlineMs: number): Promise<number> {
  const untilMs = clock.now() + deadlineMs;
  const { id } = owner.slicelet.self;
  const others = owner.slicelet.assignment?.resources.some((resource) => resource.id !== id && resource.state === "running") === true;
  if (!others) {
    if (owner.slicesOwned > 0) log.warn("nobody is there to take this aggregator's slices: open windows are left as partial values");
    return 1000;
  }
  const late = await Promise.race([owner.drain().then(() => false), delay(deadlineMs, true, { ref: false })]);
  if (late) {
    log.error(
      `not all slices were taken within ${String(deadlineMs / 1000)} s (--drain-deadline): their open windows are left as partial values; look for an assigner or aggregators that cannot be reached`,
    );
    process.exitCode = 1;
    await owner.keep();
  }
  if (owner.moves.out > 0) log.info(describePauses(owner.moves));
  return Math.max(1000, deadlineMs / 5, untilMs - clock.now());
}

/** What the moves of this process meant for who sent to it. */
function describePauses({ out, pausesMs }: MoveCounts): string {
  const sorted = pausesMs.toSorted((a, b) => a - b);
  const [median = 0, most = 0] = [sorted[sorted.length >> 1], sorted.at(-1)];
  return `handed on ${counted(out, "slice")}; frozen for ${String(Math.round(median))} ms in the median, ${String(Math.round(most))} ms at most`;
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
