// A cluster of real processes through everything planned: what a real Prometheus holds afterwards is what one process would have made
// of the same lines, window by window.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { requireBinary } from "../servers/server.js";
import { Host } from "./host.js";
import { SteadyLoad, steadyRules } from "./steadyLoad.js";
import { expectStored, Tier } from "./tier.js";

const INTERVAL_MS = 2000;

let tier: Tier;

const available = requireBinary("prometheus");
const maybe = available ? describe : describe.skip;

beforeEach(async () => {
  if (available) tier = await Tier.start({ rules: steadyRules("2s", "8s") });
}, 90_000);

afterEach(() => tier.end());

maybe("cluster", () => {
  it("rolling restart with surge, scale to 5 and back, the assigner restarted -> Prometheus holds what one process makes of the lines", async () => {
    const router = await tier.startRouter("r");
    const load = new SteadyLoad([router, router, tier.aggregators[0] ?? router]);
    await delay(3000);
    for (const old of [...tier.aggregators]) {
      const fresh = await tier.addAggregator();
      await tier.stopAggregator(old);
      // Whoever posts straight to it is refused while it leaves, keeps its lines and goes elsewhere once it is gone: sooner, and
      // lines of a series that are still on their way from here would come after those sent there.
      if (load.doors[2] === old) load.doors[2] = fresh;
    }
    await tier.restartAssigner(() => delay(1000));
    const grown = [await tier.startAggregator(), await tier.startAggregator()];
    await delay(4000);
    for (const host of grown) await tier.stopAggregator(host);
    await delay(2000);
    await load.stop();
    const untilMs = Math.floor(load.lastMs / INTERVAL_MS) * INTERVAL_MS;
    const expected = await tier.reference(load.sent, untilMs);
    await expectStored(tier, expected, { outputs: /:2s_/, untilMs, intervalMs: INTERVAL_MS });
    expect(expected.length).toBeGreaterThan(load.services * 8 * 5);
    const owners = new Set((await tier.assignment()).slices.map(({ owner }) => owner));
    expect(owners.size).toBe(3);
    const explain = new Host(["explain", "--rules", join(tier.folder, "rules.yaml"), "--assigner", tier.assigner.url("")]);
    await explain.write("http_requests,service=s1,pod=p1 value=1\n");
    await explain.stop("EOF");
    const owner = /, owner (\S+)/.exec(explain.stdout)?.[1] ?? explain.stderr;
    expect([...owners]).toContain(owner);
  }, 240_000);
});
