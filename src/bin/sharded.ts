// `limpet aggregate --assigner URL`: an aggregator that owns what the assigner gives it. Its input goes through a router inside, which
// hands each line to the owners of its groups, this process among them; what it owns moves to others when it is told to stop.
//
//   stdin, HTTP ─▶ router inside ──own slices: a function call──▶ Slicelet ─▶ engine ─▶ sinks
//                       └───────────others': POST /api/v1/batch──▶ their Slicelets
import { hasClosed } from "../aggregate/due.js";
import type { Engine } from "../aggregate/engine.js";
import type { Rule } from "../aggregate/rule.js";
import type { RulesInForce } from "../aggregate/ruleVersions.js";
import type { OutboxBlock } from "../aggregate/snapshotHeader.js";
import { Aggregator, type CheckpointStore } from "../drive/aggregator.js";
import type { SliceletDriver } from "../drive/sliceletDriver.js";
import { StdinLines } from "../drive/stdinLines.js";
import { holdSignals } from "../execd/signals.js";
import { readStdin } from "../execd/stdin.js";
import { AnswerCounts } from "../http/answerCounts.js";
import type { Sink } from "../sink/sink.js";
import { WHOLE } from "../slice/keyRange.js";
import { encodeKept } from "../store/keptFile.js";
import { engineOpener, openLog } from "./aggregateEnds.js";
import type { Mode } from "./aggregateMode.js";
import { crash } from "./crash.js";
import { readListenOptions } from "./listenOptions.js";
import { openSinks, sinkEntries } from "./openSinks.js";
import { baseUrl, UsageError } from "./options.js";
import { goOnWith } from "./reloader.js";
import { openShardedData, Return, type ShardedData } from "./shardedData.js";
import { type Entrance, makeDoors, openServer } from "./shardedDoors.js";
import { type Ground, layGround, type Members, openInnerRouter, openOwner, type ShardedOptions } from "./shardedMembers.js";
import { farewell, stopMembers } from "./shardedStop.js";

const STDIN_PATIENCE_MS = 3500;
const REGRET = {
  why: "with something nobody took",
  cure: "others take it as long as --drain-deadline lasts, and --data DIR keeps it for the next start",
};

/** The options, with their URLs as base URLs. Throws UsageError for what cannot be together. */
function checked(options: ShardedOptions, mode: Mode): ShardedOptions {
  const { rules, data, stay, assigner, advertise, unmatched } = options;
  if (mode.writesMetrics) throw new UsageError(`--mode ${mode.name} owns all it reads; leave --assigner out, or use --mode output or serve`);
  if (rules !== undefined) throw new UsageError("--rules: with --assigner the rules come from there; give them to `limpet assign`");
  if (unmatched === "pass") throw new UsageError("--unmatched pass: with --assigner what no rule wants is not passed on; leave it out");
  if (stay === true && data === undefined) throw new UsageError("--stay: what stays has to lie somewhere while nobody runs; give --data DIR too");
  const urls = { assigner: baseUrl("--assigner", assigner), ...(advertise === undefined ? {} : { advertise: baseUrl("--advertise", advertise) }) };
  return { ...options, ...urls };
}

/** Opens all of it, runs until told to stop, hands on what it owns. */
export async function aggregateSharded(given: ShardedOptions, mode: Mode): Promise<void> {
  const options = checked(given, mode);
  const listening = readListenOptions(options);
  const entries = sinkEntries(options, mode);
  const log = openLog(mode, entries);
  const signals = holdSignals({
    obeyInterrupt: mode.reads === undefined,
    onHangUp: () => {
      log.info("SIGHUP: rules come from the assigner, there is nothing to read again");
    },
  });
  const data = options.data === undefined ? undefined : await openShardedData(options.data, options.cluster, log);
  const sinks = await openSinks(entries, log);
  const entrance: Entrance = { options, listening, answers: new AnswerCounts(), log, mode, inside: undefined };
  const { ingest, routes } = makeDoors(entrance);
  const server = await openServer(entrance, routes);
  const ground = await layGround({ options, listening, server, log });
  const first = await Promise.race([ground.rules.first(data?.kept), signals.stop]);
  if (first === undefined) {
    await Promise.all([server.close(200), ground.assigner.close()]);
    data?.lock.release();
    return;
  }
  const members = await build({ ground, entrance, first, sinks, data }).catch(async (error: unknown) => {
    await Promise.all([server.close(0), ground.assigner.close()]);
    data?.lock.release();
    throw error;
  });
  entrance.inside = members;
  members.owner.start();
  members.router.start();
  ground.assigner.start();
  ingest.open();
  log.info(`listening on ${server.url}${mode.reads === undefined ? "" : ", reading standard input"}`);
  const lines = new StdinLines(members.router, log, STDIN_PATIENCE_MS);
  const reader = mode.reads === undefined ? undefined : readStdin(mode.reads, lines);
  await Promise.race([lines.taken, signals.stop]);
  reader?.stop();
  const left = await stopMembers({ members, ingest, data });
  await Promise.all([ground.assigner.close(), server.close(200)]);
  ground.sender.close();
  data?.lock.release();
  farewell(members, left);
  if (lines.bytesLost > 0 || (data !== undefined && !left.stopped.kept)) process.exitCode = 1;
}

interface Materials {
  readonly ground: Ground;
  readonly entrance: Entrance;
  readonly first: RulesInForce;
  readonly sinks: readonly Sink[];
  readonly data: ShardedData | undefined;
}

/** Everything inside, wired and about to start; it goes on from --data, if anything is there. Throws UsageError. */
async function build({ ground, entrance, first, sinks, data }: Materials): Promise<Members> {
  const { options, log } = ground;
  const open = engineOpener(options, entrance.mode, { outputs: ground.outputs, sinks });
  const openEmpty = (...args: Parameters<typeof open>): Engine => {
    const engine = open(...args);
    engine.parts.drop(WHOLE);
    return engine;
  };
  const engine = openEmpty(first.rules, ground.clock.now());
  const kept = data?.kept;
  const back = data === undefined || kept === undefined ? undefined : new Return({ ...data, kept }, engine, { log, now: () => ground.clock.now() });
  const aggregator: Aggregator = new Aggregator({
    engine,
    sinks,
    log,
    clock: ground.clock,
    checkpoint: data === undefined ? undefined : checkpointOf(data, ground, () => ({ owner, aggregator, back })),
    // The second ones are this process' own kind: they came with copies of its peers.
    waiting: () => [...(back?.blocks ?? []), ...(owner.slicelet.rowsArriving as readonly OutboxBlock[])],
    regret: REGRET,
    onBroken: crash,
  });
  const beginning = { offers: back?.offers ?? [], kept: back, router: data?.router };
  const owner: SliceletDriver = openOwner(ground, aggregator, beginning);
  const router = openInnerRouter(ground, owner, beginning);
  const members: Members = { ...ground, watched: { aggregator, sinks, answers: entrance.answers }, owner, router, startedMs: ground.clock.now() };
  follow(members, first, openEmpty);
  back?.begin(aggregator);
  if (kept !== undefined) {
    // To route by, and for an assigner whose store has lost it; nothing is owned by it.
    router.assignment(kept.assignment);
    owner.assignment(kept.assignment);
  }
  await aggregator.start();
  if (data?.router !== undefined) await data.retention.discard();
  return members;
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

/** Where the state goes at a stop; at the start it waits to be granted (Return). */
function checkpointOf(
  { checkpoint }: ShardedData,
  { options, self, clock, rules }: Ground,
  running: () => { readonly owner: SliceletDriver; readonly aggregator: Aggregator; readonly back: Return | undefined },
): CheckpointStore {
  return {
    read: () => Promise.resolve(undefined),
    discard: () => Promise.resolve(),
    put: async (snapshot) => {
      const { owner, aggregator, back } = running();
      const { assignment } = owner.slicelet;
      back?.close();
      // Handed on, all of it.
      if (aggregator.engine.parts.list.length === 0 || assignment === undefined) return;
      await checkpoint.put(
        encodeKept({ cluster: options.cluster, from: self.id, stoppedMs: clock.now(), assignment, rules: rules.versions, snapshot }),
      );
    },
  };
}
