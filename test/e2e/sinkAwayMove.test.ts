// A cluster of real processes whose Prometheus is away while an aggregator is drained and replaced: rows that nobody has answered for go with
// their slices, and what Prometheus holds in the end is what one process would have made of the lines.
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { requireBinary } from "../servers/server.js";
import { type Host, until } from "./host.js";
import { SteadyLoad, steadyRules } from "./steadyLoad.js";
import { expectStored, Tier } from "./tier.js";

const INTERVAL_MS = 1000;

let tier: Tier;

const available = requireBinary("prometheus");
const maybe = available ? describe : describe.skip;

beforeEach(async () => {
  if (available) tier = await Tier.start({ rules: steadyRules("1s", "2s") });
}, 90_000);

afterEach(() => tier.end());

interface Rows {
  readonly rows_sent: number;
  readonly rows_arrived: number;
  readonly rows_stored: number;
  readonly rows_moved: number;
  readonly rows_queued: number;
}

async function rows(host: Host): Promise<Rows> {
  return (JSON.parse((await host.page("/api/v1/status")).text) as { ledger: Rows }).ledger;
}

/** Waits until every aggregator has windows that Prometheus has not taken. */
async function queued(): Promise<void> {
  await until(
    async () => (await Promise.all(tier.aggregators.map(rows))).every(({ rows_queued }) => rows_queued > 200),
    () => "no rows wait",
    30_000,
  );
}

maybe("cluster", () => {
  it.each(["killed", "frozen"] as const)(
    "Prometheus %s while an aggregator is drained and replaced -> it leaves in time, its rows arrive, nothing is lost or doubled",
    async (how) => {
      const router = await tier.startRouter("r");
      const load = new SteadyLoad([router, router]);
      await delay(3000);
      await tier.prometheus.down(how);
      await queued();
      const [old] = tier.aggregators;
      if (old === undefined) throw new Error("no aggregator");
      await tier.addAggregator();
      // Past the drain's deadline it would say so, and end with 1.
      await tier.stopAggregator(old);
      expect(old.stdout + old.stderr).toContain("unsent 0");
      await tier.prometheus.up();
      await load.stop();
      const untilMs = Math.floor(load.lastMs / INTERVAL_MS) * INTERVAL_MS;
      const expected = await tier.reference(load.sent, untilMs);
      await expectStored(tier, expected, { outputs: /:1s_/, untilMs, intervalMs: INTERVAL_MS });
      expect(expected.length).toBeGreaterThan(load.services * 8 * 2);
      const all = await Promise.all(tier.aggregators.map(rows));
      for (const { rows_sent, rows_arrived, rows_stored, rows_moved, rows_queued } of all)
        expect(rows_sent + rows_arrived).toBe(rows_stored + rows_moved + rows_queued);
      expect(all.reduce((sum, { rows_arrived }) => sum + rows_arrived, 0)).toBeGreaterThan(20);
    },
    120_000,
  );
});
