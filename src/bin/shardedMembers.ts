// What an aggregator of a cluster is made of: its end of the assigner, its router, its Slicelet; at first without rules.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Output } from "../aggregate/output.js";
import type { OutboxBlock } from "../aggregate/snapshotHeader.js";
import { SteadyClock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import type { Aggregator } from "../drive/aggregator.js";
import { EngineHoldings, type KeptState } from "../drive/engineHoldings.js";
import type { RouterDriver } from "../drive/routerDriver.js";
import { SliceletDriver } from "../drive/sliceletDriver.js";
import type { Watched } from "../drive/status.js";
import { AssignerClient } from "../http/assignerClient.js";
import { BatchSender } from "../http/batchSender.js";
import { PeerClient } from "../http/peerClient.js";
import type { RunningServer } from "../http/server.js";
import { ROUTER_DEFAULTS } from "../route/router.js";
import type { SavedRouter } from "../route/savedRouter.js";
import type { NumberedRange } from "../slice/report.js";
import { resourceId } from "../slice/resource.js";
import { MOVE_LIMITS } from "../slicelet/outgoing.js";
import { Slicelet, type SliceletOptions } from "../slicelet/slicelet.js";
import type { EndOptions } from "./aggregateEnds.js";
import { crash } from "./crash.js";
import type { Listening, ListenOptions } from "./listenOptions.js";
import { loadOutputs } from "./loadOutputs.js";
import { HOLD_MS, openRouter } from "./openRouter.js";
import { ShardedRules } from "./shardedRules.js";
import { version } from "./version.js";

export interface ShardedOptions extends ListenOptions, EndOptions {
  readonly rules?: readonly string[];
  readonly assigner: string;
  readonly advertise?: string;
  readonly listen?: string;
  readonly dbLabel?: string;
  readonly data?: string;
  readonly stay?: boolean;
  readonly cluster: string;
  readonly name: string;
  readonly retentionMax: number;
  readonly drainDeadline: number;
}

const HEARTBEAT_MS = 500;
const PEER_TIMEOUT_MS = 5000;

/** What is there before the first rules are. */
export interface Ground {
  readonly options: ShardedOptions;
  readonly listening: Listening;
  readonly log: Log;
  readonly clock: SteadyClock;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly self: SliceletOptions["self"];
  readonly assigner: AssignerClient;
  readonly rules: ShardedRules;
  readonly sender: BatchSender;
}

/** How it begins where an earlier incarnation left something in --data. */
export interface Beginning {
  readonly offers: readonly NumberedRange[];
  readonly kept: KeptState | undefined;
  readonly router: SavedRouter | undefined;
}

export interface Members extends Ground {
  readonly startedMs: number;
  readonly watched: Watched;
  readonly owner: SliceletDriver;
  readonly router: RouterDriver;
}

export async function layGround(about: Pick<Ground, "options" | "listening" | "log"> & { readonly server: RunningServer }): Promise<Ground> {
  const { options, listening, log, server } = about;
  const incarnation = randomBytes(5).toString("hex");
  const address = options.advertise ?? server.url.replace(/\/+$/, "");
  const self = { id: resourceId(address, incarnation), address, incarnation, cluster: options.cluster };
  log.info(`limpet ${version}: ${self.id}, assigner ${options.assigner}; waiting for rules`);
  const outputs = await loadOutputs();
  const assigner = new AssignerClient({
    url: options.assigner,
    token: listening.ownToken,
    onAssignment: (assignment) => {
      rules.assignment(assignment);
    },
    onTrouble: (message) => {
      log.warn(`assigner ${message}; everything goes on, but nothing moves`, "assigner");
    },
  });
  const clock = new SteadyClock({ wall: () => Date.now(), monotonic: () => performance.now() });
  const rules = new ShardedRules({ assigner, outputs, naming: options.naming, clock, holdMs: HOLD_MS, log });
  const sender = new BatchSender({
    timeoutMs: ROUTER_DEFAULTS.timeoutMs,
    connectionsPerOwner: ROUTER_DEFAULTS.window * 2,
    token: listening.ownToken,
  });
  return { options, listening, log, clock, outputs, self, assigner, rules, sender };
}

export function openOwner(
  { options, listening, self, clock, log, rules }: Ground,
  aggregator: Aggregator,
  { offers, kept }: Beginning,
): SliceletDriver {
  const holdings = new EngineHoldings({
    engine: () => aggregator.engine,
    now: () => clock.now(),
    warn: (message) => {
      log.warn(message);
    },
    onForgotten: () => {
      rules.seemsIncomplete();
    },
    kept,
  });
  return new SliceletDriver({
    slicelet: new Slicelet({ self, holdings, limits: MOVE_LIMITS, heartbeatMs: HEARTBEAT_MS, offers }),
    holdings,
    peers: new PeerClient({ assigner: options.assigner, token: listening.ownToken, timeoutMs: PEER_TIMEOUT_MS }),
    clock,
    log,
    withdraw: (range) => aggregator.withdraw(range),
    resume: (outbox) => {
      // The engine's own blocks, which withdraw gave or a copy brought.
      aggregator.resume(outbox as readonly OutboxBlock[]);
    },
    onBehind: () => {
      void rules.catchUp();
    },
    onBroken: crash,
  });
}

/** The router inside: batches for this process' own slices are a function call. */
export function openInnerRouter(ground: Ground, owner: SliceletDriver, { router: saved }: Beginning): RouterDriver {
  const { self, sender } = ground;
  return openRouter({ ...ground, incarnation: self.incarnation, saved }, async (to, head, generation, body) => {
    if (to !== self.address) return sender.deliver(to, head, generation, body);
    // In the next turn, as from the network: a machine is not stepped from within its own step.
    await delay(0);
    return { kind: "answered", answer: owner.batch(head, generation, body) };
  });
}
