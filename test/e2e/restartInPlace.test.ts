// Restart in place with real processes (PROTOCOL P8): SIGTERM with --stay, the same command again at the same address. No slice moves, and
// a real Prometheus holds what one process makes of the lines.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Assignment } from "#limpet/slice/assignment.js";
import { formatGeneration } from "#limpet/slice/generation.js";
import { requireBinary } from "../servers/server.js";
import { type Host, until } from "./host.js";
import { SteadyLoad, steadyRules } from "./steadyLoad.js";
import { expectStored, ready, Tier } from "./tier.js";

const INTERVAL_MS = 2000;

let tier: Tier;

const available = requireBinary("prometheus");
const maybe = available ? describe : describe.skip;

beforeEach(async () => {
  if (!available) return;
  tier = await Tier.start({ rules: steadyRules("2s", "4s"), aggregators: 0 });
}, 90_000);

afterEach(() => tier.end());

/** Three of them, ready. */
async function startAll(...more: string[]): Promise<void> {
  await Promise.all([1, 2, 3].map((n) => tier.startAggregator("--data", join(tier.folder, `data${String(n)}`), ...more)));
  await Promise.all(tier.aggregators.map(ready));
}

/** Who has which keys in which term, by address: what a restart in place must not change. */
function ownership({ slices, resources }: Assignment): string[] {
  const addresses = new Map(resources.map(({ id, address }) => [id, address]));
  return slices.map(
    ({ low, high, owner, term }) => `${String(low)}-${String(high)} ${addresses.get(owner ?? "") ?? "nobody"} ${formatGeneration(term)}`,
  );
}

/** Of all aggregators that ever were. */
function problems(hosts: readonly Host[]): string[] {
  return hosts.flatMap(({ stderr }) => stderr.split("\n").filter((line) => /^[EW]! /.test(line)));
}

maybe("restart in place", () => {
  it("one after the other, then all at once, under load -> nothing moves, every row as from one process", async () => {
    await startAll("--stay");
    const router = await tier.startRouter("r");
    const before = ownership(await tier.assignment());
    const load = new SteadyLoad([router, tier.aggregators[0] ?? router]);
    const all: Host[] = [router, ...tier.aggregators];
    await delay(2500);
    for (const old of [...tier.aggregators]) {
      const back = await tier.restartInPlace(old);
      all.push(back);
      // Whoever posts straight to it comes back to the same address.
      load.doors.forEach((door, i) => {
        if (door === old) load.doors[i] = back;
      });
    }
    const olds = [...tier.aggregators];
    const backs = await Promise.all(olds.map((old) => tier.restartInPlace(old)));
    all.push(...backs);
    load.doors.forEach((door, i) => {
      const at = olds.indexOf(door);
      load.doors[i] = backs[at] ?? door;
    });
    await delay(2000);
    await load.stop();
    expect(ownership(await tier.assignment())).toEqual(before);
    for (const reason of ["drain", "balance", "held", "lost"])
      expect([reason, await tier.assigner.metric("limpet_slice_moves_total", `reason="${reason}"`)]).toEqual([reason, 0]);
    const untilMs = Math.floor(load.lastMs / INTERVAL_MS) * INTERVAL_MS;
    const expected = await tier.reference(load.sent, untilMs);
    await expectStored(tier, expected, { outputs: /:2s_/, untilMs, intervalMs: INTERVAL_MS });
    expect(expected.length).toBeGreaterThan(load.services * 8);
    // A start timestamp that changed would be a second birth: a 0 before its first value.
    const births = (await tier.stored(/:2s_/, untilMs)).filter((row) => Number(row.split(" ").at(-2)) % INTERVAL_MS !== 0);
    expect(births.length).toBeLessThanOrEqual(load.services);
    expect(problems(all)).toEqual([]);
  }, 150_000);

  it("the assigner is away: a drain with --data ends soon, the next start waits for it, and goes on when it is back", async () => {
    await startAll();
    const load = new SteadyLoad([tier.aggregators[0] ?? (await tier.startRouter("r"))], { services: 10 });
    await delay(1500);
    await load.stop();
    const before = ownership(await tier.assignment());
    const olds = [...tier.aggregators];
    let backs: Host[] = [];
    await tier.restartAssigner(async () => {
      const ended = await Promise.all(
        olds.map(async (host) => {
          tier.aggregators = tier.aggregators.filter((other) => other !== host);
          return host.stop("SIGTERM");
        }),
      );
      expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
      // The drain deadline is 25 s.
      expect(Math.max(...ended.map(({ ms }) => ms))).toBeLessThan(15_000);
      backs = await Promise.all(olds.map((host) => tier.startAgain(host)));
      for (const back of backs) {
        await back.saying("waiting until the assigner grants them");
        expect((await back.page("/readyz")).status).toBe(503);
      }
    });
    for (const back of backs) await back.saying("back in place");
    await Promise.all(backs.map(ready));
    expect(ownership(await tier.assignment())).toEqual(before);
    const untilMs = Math.floor(load.lastMs / INTERVAL_MS) * INTERVAL_MS;
    await expectStored(tier, await tier.reference(load.sent, untilMs), { outputs: /:2s_/, untilMs, intervalMs: INTERVAL_MS });
  }, 150_000);

  it("killed while it stops, before anything is written -> back at once, from empty, and counted lost", async () => {
    await startAll("--stay");
    const [victim] = tier.aggregators;
    if (victim === undefined) throw new Error("nobody is there");
    // Half a second of staying, and nothing after it.
    const { slices, resources } = await tier.assignment();
    const own = resources.find(({ address }) => address === new URL(victim.url("")).origin);
    const report = { cluster: "limpet", id: own?.id, address: own?.address, incarnation: own?.incarnation, state: "staying" };
    const rest = { generation: "1.1", load: 0, serves: [], moved: [], aborted: [], offers: [] };
    await victim.stop("SIGKILL");
    await fetch(tier.assigner.url("api/v1/heartbeat"), { method: "POST", body: JSON.stringify({ ...report, ...rest }) });
    tier.aggregators = tier.aggregators.filter((other) => other !== victim);
    const back = await tier.startAgain(victim);
    await ready(back);
    const count = slices.filter(({ owner }) => owner === own?.id).length;
    await until(
      async () => (await tier.assigner.metric("limpet_slice_moves_total", 'reason="lost"')) === count,
      () => "never given away",
      10_000,
    );
    expect((await tier.assignment()).slices.every(({ owner }) => owner !== null && owner !== own?.id)).toBe(true);
  }, 90_000);
});
