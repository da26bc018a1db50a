// Plan: a cluster of real processes that reach each other and the assigner through proxies that delay, hold back, reorder and cut
// (hostileProxy.ts), so that batches, copies, "go" and heartbeats come late, twice and out of order. Under load every aggregator is
// replaced and the assigner restarted; what a real Prometheus holds afterwards is what one process makes of the same lines.
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { requireBinary } from "../servers/server.js";
import type { Host } from "./host.js";
import { HostileProxy, type Weather } from "./hostileProxy.js";
import { SteadyLoad, steadyRules } from "./steadyLoad.js";
import { expectStored, ready, Tier } from "./tier.js";

const INTERVAL_MS = 2000;
const WEATHER: Weather = { delayMsMax: 800, held: 0.01, cut: 0.02 };
const SEED = Number(process.env["SEED"] ?? 11);

let tier: Tier;
let proxies: HostileProxy[] = [];

const available = requireBinary("prometheus");
const maybe = available ? describe : describe.skip;

beforeEach(async () => {
  if (available) tier = await Tier.start({ rules: steadyRules("2s", "4s"), aggregators: 0 });
}, 90_000);

afterEach(async () => {
  await tier.end();
  for (const proxy of proxies) proxy.end();
  proxies = [];
});

async function proxyTo(host?: Host): Promise<HostileProxy> {
  const proxy = await HostileProxy.start(SEED + proxies.length, WEATHER);
  if (host !== undefined) proxy.target = new URL(host.url());
  proxies.push(proxy);
  return proxy;
}

/** An aggregator that others reach through a proxy. */
async function addAggregator(): Promise<Host> {
  const proxy = await proxyTo();
  const host = await tier.startAggregator("--advertise", proxy.url);
  proxy.target = new URL(host.url());
  return host;
}

maybe("hostile order", () => {
  it("everything that is sent comes late, twice or out of order; all replaced, the assigner restarted -> not one value differs", async () => {
    tier.assignerUrl = (await proxyTo(tier.assigner)).url;
    await Promise.all((await Promise.all([addAggregator(), addAggregator(), addAggregator()])).map(ready));
    const router = await tier.startRouter("r");
    const fresh = await ready(await addAggregator());
    // Straight to one that stays: a sender that is refused waits outside, where nobody knows of its lines (cluster.test.ts has that).
    const load = new SteadyLoad([router, fresh], { services: 20 });
    for (const [i, old] of tier.aggregators.slice(0, 3).entries()) {
      const stopped = tier.stopAggregator(old);
      if (i === 1) await tier.restartAssigner(() => delay(500));
      if (i < 2) await ready(await addAggregator());
      await stopped;
    }
    await load.stop();
    const untilMs = Math.floor(load.lastMs / INTERVAL_MS) * INTERVAL_MS;
    const expected = await tier.reference(load.sent, untilMs);
    await expectStored(tier, expected, { outputs: /:2s_/, untilMs, intervalMs: INTERVAL_MS });
    const done = proxies.map((proxy) => proxy.done);
    expect(done.reduce((sum, { held }) => sum + held, 0)).toBeGreaterThan(2);
    expect(done.reduce((sum, { cut }) => sum + cut, 0)).toBeGreaterThan(5);
  }, 240_000);
});
