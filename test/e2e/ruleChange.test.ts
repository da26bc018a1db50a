// Rules edited on a running cluster, under load and with an aggregator replaced while both versions are in force: every window is what
// one process would have made of the lines, with the old rules where it starts before T, with the new ones from T on.
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { requireBinary } from "../servers/server.js";
import { until } from "./host.js";
import { SteadyLoad } from "./steadyLoad.js";
import { expectStored, Tier } from "./tier.js";

const INTERVAL_MS = 2000;
const OUTPUTS = /:2s_/;
const OFTEN = "interval: 2s, grace: 8s";
const KEPT = `- { name: kept, match: http_requests, ${OFTEN}, by: [service], outputs: [total, increase], first_sample: zero }\n`;
const OLD = `${KEPT}
- { name: edited, match: http_requests, ${OFTEN}, by: [service, pod], outputs: [increase], first_sample: zero }
- { name: narrowed, match: latency_ms, ${OFTEN}, by: [service], outputs: [sum_samples, max] }
- { name: removed, match: latency_ms, ${OFTEN}, without: [pod], outputs: [count_samples] }
`;
const NEW = `${KEPT}
- { name: edited, match: http_requests, ${OFTEN}, by: [pod], outputs: [increase], first_sample: zero }
- { name: narrowed, match: 'latency_ms{pod!="p1"}', interval: 2s, grace: 6s, by: [service], outputs: [sum_samples, max, min] }
- { name: added, match: latency_ms, ${OFTEN}, by: [pod], outputs: [count_samples, "quantiles(0.5)"] }
`;

const available = requireBinary("prometheus");
const maybe = available ? describe : describe.skip;
let tier: Tier;

beforeEach(async () => {
  if (available) tier = await Tier.start({ rules: OLD });
});

afterEach(async () => {
  if (available) await tier.end();
});

maybe("rule change on a cluster", () => {
  it("edited, removed and added under load, an aggregator replaced in between -> old rules before T, new ones from T on", async () => {
    const router = await tier.startRouter("r");
    const [first] = tier.aggregators;
    const load = new SteadyLoad([router, first ?? router], { services: 12, podsPerDoor: 2 });
    await delay(3000);
    const changeMs = Date.now() + 5000;
    const before = await tier.changeRules(NEW, changeMs);
    await until(
      async () => Date.now() >= changeMs,
      () => "time stands still",
      30_000,
    );
    // Who comes now learns of both versions; who leaves hands open windows of both on.
    const leaving = tier.aggregators[1];
    await tier.addAggregator();
    if (leaving !== undefined) await tier.stopAggregator(leaving);
    await delay(3000);
    await load.stop();
    const untilMs = Math.floor(load.lastMs / INTERVAL_MS) * INTERVAL_MS;
    const expected = await tier.referenceAcross(load.sent, untilMs, { before, fromMs: changeMs, intervalMs: INTERVAL_MS });
    for (const name of ["by_pod_service_increase", "by_pod_increase", "without_pod_count_samples", "by_pod_count_samples", "by_service_min"])
      expect([name, expected.some((row) => row.includes(name))]).toEqual([name, true]);
    await expectStored(tier, expected, { outputs: OUTPUTS, untilMs, intervalMs: INTERVAL_MS });
  }, 180_000);
});
