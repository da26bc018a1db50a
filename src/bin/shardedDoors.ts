// What can be asked of an aggregator of a cluster: the doors for input, for other aggregators and routers, and what it says of itself.

import type { Log } from "../base/log.js";
import { routerStats } from "../drive/routerStatus.js";
import { shardedLedger } from "../drive/shardedLedger.js";
import { selfStats, statusPage } from "../drive/status.js";
import type { AnswerCounts } from "../http/answerCounts.js";
import { createIngest, type Ingest } from "../http/ingest.js";
import { type OwnerInside, ownerRoutes } from "../http/ownerRoutes.js";
import { type Health, probeRoutes } from "../http/probes.js";
import type { Route, RunningServer } from "../http/server.js";
import { type ShardedStats, shardedMetricsPage } from "../selfstat/shardedMetrics.js";
import type { Mode } from "./aggregateMode.js";
import { listen } from "./listen.js";
import type { Listening } from "./listenOptions.js";
import { UsageError } from "./options.js";
import type { Members, ShardedOptions } from "./shardedMembers.js";
import { version } from "./version.js";

const DEFAULT_LISTEN = "127.0.0.1:4581";
const WAITING = "waiting for the assigner's rules";

/** What is there from the start: whoever asks early is told to come again, not that there is no such path. */
export interface Entrance {
  readonly options: ShardedOptions;
  readonly listening: Listening;
  readonly answers: AnswerCounts;
  readonly log: Log;
  readonly mode: Mode;
  /** Set when there are rules. */
  inside: Members | undefined;
}

/** The listener has to be there before anybody can be told where it is; until there is something behind its doors they answer 503. */
export async function openServer({ options, listening, answers, log }: Entrance, routes: readonly Route[]): Promise<RunningServer> {
  const address = options.listen ?? DEFAULT_LISTEN;
  const result = await listen(address, { listening, routes, counts: answers }, log);
  if (!result.ok) throw new UsageError(`--listen ${address}: ${result.message}`);
  return result.server;
}

/** Everything that can be asked. */
export function makeDoors(entrance: Entrance): { readonly ingest: Ingest; readonly routes: readonly Route[] } {
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
  const peers = ownerRoutes({ inside: () => ownerOf(entrance), waiting: `this process is ${WAITING}`, tokens: listening.tokens });
  return { ingest, routes: [...probes, ...ingest.routes, ...peers] };
}

function ownerOf({ options, inside }: Entrance): OwnerInside | undefined {
  if (inside === undefined) return undefined;
  const { owner, rules } = inside;
  return { driver: owner, cluster: options.cluster, hasRules: (hash) => rules.has(hash), offerRules: (offered) => rules.offer(offered) };
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

export function statsOf({ watched, owner, router }: Members): ShardedStats {
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
