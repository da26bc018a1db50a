// An owner as an aggregator has it (engine, Holdings, Slicelet, driver, doors), without sinks and without an assigner: for move.ts, in
// this process and in the peer's.
import { SteadyClock } from "#limpet/base/clock.js";
import { createLog } from "#limpet/base/log.js";
import { EngineHoldings } from "#limpet/drive/engineHoldings.js";
import { SliceletDriver } from "#limpet/drive/sliceletDriver.js";
import { type OwnerInside, ownerRoutes } from "#limpet/http/ownerRoutes.js";
import { PeerClient } from "#limpet/http/peerClient.js";
import { jsonAnswer, type RunningServer, startServer } from "#limpet/http/server.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { resourceId } from "#limpet/slice/resource.js";
import type { CopyHead } from "#limpet/slicelet/messages.js";
import { MOVE_LIMITS } from "#limpet/slicelet/outgoing.js";
import { Slicelet } from "#limpet/slicelet/slicelet.js";
import { openEngine, START_MS } from "./openEngine.js";

/** Groups of three shapes: many small ones, counters with many series each, few with large sketches. */
export const MOVE_RULES = `
- { interval: 1h, by: [host], outputs: [max, avg], max_series: 2000000 }
- { interval: 1h, by: [service], outputs: [total, increase], first_sample: zero, max_series: 2000000 }
- { interval: 1h, by: [region], outputs: ["quantiles(0.5, 0.99)"], max_series: 2000000 }
`;
export const CLUSTER = "bench";
const HEARTBEAT_MS = 500;
const TICK_MS = 100;

export interface MoveOwner {
  readonly engine: ReturnType<typeof openEngine>;
  readonly driver: SliceletDriver;
  readonly server: RunningServer;
  readonly self: { readonly id: string; readonly address: string };
  /** What it sent in copies, oldest first. */
  readonly copies: { readonly head: CopyHead; readonly bytes: number }[];
  close(): Promise<void>;
}

class CountingPeers extends PeerClient {
  readonly copies: { readonly head: CopyHead; readonly bytes: number }[] = [];

  override copy(...about: Parameters<PeerClient["copy"]>): ReturnType<PeerClient["copy"]> {
    this.copies.push({ head: about[1], bytes: about[2].length });
    return super.copy(...about);
  }
}

/** One that owns nothing yet, at a free port of loopback. */
export async function startMoveOwner(name: string): Promise<MoveOwner> {
  const engine = openEngine(MOVE_RULES);
  engine.parts.drop(WHOLE);
  // The time of the lines; it goes on, but not so far that a window ends.
  const clock = new SteadyClock({ wall: () => START_MS + 3000, monotonic: () => performance.now() });
  const holdings = new EngineHoldings({ engine: () => engine, now: () => clock.now(), warn: fail });
  // Nobody reads heartbeats here; each owner answers its own.
  const assigner = {
    method: "POST" as const,
    path: "/api/v1/heartbeat",
    answer: () => jsonAnswer(200, { generation: "0.0", wantsAssignment: false }),
  };
  const inside: { owner: OwnerInside | undefined } = { owner: undefined };
  const routes = [assigner, ...ownerRoutes({ inside: () => inside.owner, waiting: "starting", tokens: undefined })];
  const started = await startServer({ host: "127.0.0.1", port: 0, routes, warn: fail, limits: { bodiesBytesMax: 2 ** 30 } });
  if (!started.ok) fail(started.message);
  const { server } = started;
  const address = server.url.replace(/\/$/, "");
  const self = { id: resourceId(address, name), address, incarnation: name, cluster: CLUSTER };
  const peers = new CountingPeers({ assigner: address, token: undefined, timeoutMs: 30_000 });
  const driver = new SliceletDriver({
    slicelet: new Slicelet({ self, holdings, limits: MOVE_LIMITS, heartbeatMs: HEARTBEAT_MS, offers: [] }),
    holdings,
    peers,
    clock,
    log: createLog({ mode: "serve", write: () => undefined, now: () => Date.now() }),
    withdraw: () => Promise.resolve([]),
    resume: () => undefined,
    onBehind: () => undefined,
    onBroken: (error) => {
      throw error;
    },
  });
  inside.owner = { driver, cluster: CLUSTER, hasRules: () => true, offerRules: () => undefined };
  driver.start();
  // As an aggregator does, also for what handing on leaves behind to be swept.
  const ticking = setInterval(() => engine.step(clock.now(), { kind: "tick" }), TICK_MS);
  const close = async (): Promise<void> => {
    clearInterval(ticking);
    driver.stop();
    await server.close(100);
    engine.dispose();
  };
  return { engine, driver, server, self, copies: peers.copies, close };
}

function fail(message: string): never {
  throw new Error(message);
}
