// The rules of an aggregator in a cluster: from the assigner, with the versions before them while they matter, and from routers that
// have newer ones.
import { describe, expect, it } from "@jest/globals";
import type { Rule } from "#limpet/aggregate/rule.js";
import type { RulesInForce } from "#limpet/aggregate/ruleVersions.js";
import { createLog } from "#limpet/base/log.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { ShardedRules } from "#limpet/bin/shardedRules.js";
import type { Assignment } from "#limpet/slice/assignment.js";
import { NO_GENERATION } from "#limpet/slice/generation.js";
import { type RuleVersion, ruleHash } from "#limpet/slice/ruleVersion.js";

const HOLD_MS = 60_000;
const outputs = await loadOutputs();

function version(interval: string, activeFromMs: number, previous?: RuleVersion): RuleVersion {
  const files = [{ path: "rules.yaml", text: `- { match: cpu, interval: ${interval}, grace: 10s, outputs: [max] }\n` }];
  return { hash: ruleHash({ activeFromMs, files }), activeFromMs, files, previous: previous?.hash };
}

/** Interval and bounds of every rule, as text. */
function shown({ rules }: RulesInForce): string {
  return rules.map(({ interval, validity }) => `${interval} [${String(validity?.fromMs)}..${String(validity?.untilMs)})`).join(" ");
}

/** Rules that follow an assigner which serves `book`, newest first, and what came into force. */
async function following(...book: RuleVersion[]) {
  const taken: string[] = [];
  const asked: string[] = [];
  const world: { nowMs: number; away: boolean; hasClosed: (rule: Rule, ms: number) => boolean } = { nowMs: 0, away: false, hasClosed: () => true };
  const assigner = {
    connected: false,
    rules: (hash?: string) => {
      asked.push(hash ?? "newest");
      const found = hash === undefined ? book[0] : book.find((known) => known.hash === hash);
      if (found === undefined || world.away) return Promise.resolve({ ok: false as const, error: world.away ? "away" : "404" });
      return Promise.resolve({ ok: true as const, value: found });
    },
    assignment: () => Promise.resolve({ ok: false as const, error: "away" }),
  };
  const log = createLog({ mode: "serve", write: () => undefined, now: () => 0 });
  const rules = new ShardedRules({ assigner, outputs, naming: "telegraf", clock: { now: () => world.nowMs }, holdMs: HOLD_MS, log });
  const start = async (): Promise<void> => {
    await rules.first();
    rules.follow({
      onRules: (inForce) => {
        taken.push(shown(inForce));
      },
      onAssignment: () => undefined,
      hasClosed: (...of) => world.hasClosed(...of),
    });
  };
  return { rules, taken, asked, world, book, start };
}

/** What was asked of the assigner is answered, and taken over. */
const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("rules in a cluster", () => {
  it("offer: newer ones from a router while the assigner is away -> in force, those of before until their windows are closed", async () => {
    const old = version("10s", 0);
    const { rules, taken, start } = await following(old);
    await start();
    const newer = version("20s", 5000, old);
    expect(rules.has(newer.hash)).toBe(false);
    expect(rules.offer(newer)).toBeUndefined();
    expect(taken).toEqual(["10s [-Infinity..Infinity)", "10s [-Infinity..5000) 20s [5000..Infinity)"]);
    expect([rules.has(newer.hash), rules.has(old.hash)]).toEqual([true, true]);
  });

  it("offer: older ones from a router that lags -> its batches are understood, what is in force stays", async () => {
    const { rules, taken, start } = await following(version("20s", 5000));
    await start();
    const older = version("10s", 0);
    expect(rules.offer(older)).toBeUndefined();
    expect([taken.length, rules.has(older.hash)]).toEqual([1, true]);
  });

  it("offer: rules with an error -> said, nothing changes", async () => {
    const { rules, taken, start } = await following(version("10s", 0));
    await start();
    expect(rules.offer(version("soon", 5000))).toContain("rules.yaml");
    expect(taken.length).toBe(1);
  });

  it("offer: a version that does not follow the one here -> the assigner is asked for what lies between", async () => {
    const first = version("10s", 0);
    const { rules, taken, book, start } = await following(first);
    await start();
    const second = version("20s", 5000, first);
    const third = version("30s", 15_000, second);
    book.unshift(third, second);
    expect(rules.offer(third)).toBeUndefined();
    await rules.catchUp();
    await idle();
    expect(taken.at(-1)).toBe("10s [-Infinity..5000) 20s [5000..15000) 30s [15000..Infinity)");
  });

  it("a start while an older version is in force -> both; once its last window is closed -> the newest alone, and no more is asked for", async () => {
    const first = version("10s", 0);
    const second = version("20s", 45_000, first);
    const third = version("30s", 1_000_000, second);
    const late = await following(second, first);
    // The last window of 10 s ends at 50 s; + grace + hold. The first one of 20 s begins at 60 s.
    late.world.nowMs = 119_999;
    await late.start();
    expect(late.taken).toEqual(["10s [-Infinity..45000) 20s [45000..Infinity)"]);
    const later = await following(second, first);
    later.world.nowMs = 130_000;
    await later.start();
    expect(later.taken).toEqual(["20s [-Infinity..Infinity)"]);
    const chain = await following(third, second, first);
    chain.world.nowMs = 1_000_000;
    await chain.start();
    expect([chain.taken, chain.asked]).toEqual([["20s [-Infinity..1000000) 30s [1000000..Infinity)"], ["newest", second.hash, first.hash]]);
  });

  it("a start with state in --data that had windows open beyond their time -> their rules are in force still", async () => {
    const first = version("10s", 0);
    const between = version("15s", 30_000, first);
    const second = version("20s", 60_000, between);
    const third = version("30s", 1_000_000, second);
    const { rules, world } = await following(third, second, between, first);
    world.nowMs = 300_000;
    // By the clock they were over at 100 s and 130 s.
    expect(shown(await rules.first({ rules: [second, between, first], stoppedMs: 200_000 }))).toBe(
      "10s [-Infinity..30000) 15s [30000..60000) 20s [60000..1000000) 30s [1000000..Infinity)",
    );
  });

  it("a start when a change was taken back before its time -> the version before both is found", async () => {
    const first = version("10s", 0);
    const second = version("20s", 45_000, first);
    const third = version("30s", 40_000, second);
    const { taken, start } = await following(third, second, first);
    await start();
    expect(taken).toEqual(["10s [-Infinity..40000) 30s [40000..Infinity)"]);
  });

  it("a start when the version before is not understood by this program -> the newest alone", async () => {
    const broken = version("soon", 0);
    const { taken, start } = await following(version("20s", 45_000, broken), broken);
    await start();
    expect(taken).toEqual(["20s [-Infinity..Infinity)"]);
  });

  it("time passes -> the old rule goes when its windows are closed here, its version with what came after it", async () => {
    const first = version("10s", 0);
    const { rules, taken, world, start } = await following(version("20s", 45_000, first), first);
    await start();
    world.hasClosed = ({ interval }, ms) => {
      expect([interval, ms]).toEqual(["10s", 45_000]);
      return false;
    };
    world.nowMs = 119_999;
    rules.expire();
    world.nowMs = 120_000;
    rules.expire();
    expect(taken.length).toBe(1);
    world.hasClosed = () => true;
    rules.expire();
    expect(taken.slice(1)).toEqual(["20s [45000..Infinity)"]);
    world.nowMs = 130_000;
    rules.expire();
    rules.expire();
    expect(taken.slice(2)).toEqual(["20s [-Infinity..Infinity)"]);
  });

  it.each([
    ["offered by a router", (rules: ShardedRules, newest: RuleVersion) => rules.offer(newest)],
    [
      "read from the assigner",
      (rules: ShardedRules) => {
        rules.seemsIncomplete();
      },
    ],
  ])("newer rules %s while windows of the old rule are open here beyond their time -> they stay until those are closed", async (_how, learn) => {
    const first = version("10s", 0);
    const between = version("15s", 30_000, first);
    const second = version("20s", 60_000, between);
    const { rules, taken, world, book, start } = await following(second, between, first);
    await start();
    const third = version("30s", 1_000_000, second);
    book.unshift(third);
    // A slice came back of late: hold was over at 100 s.
    world.nowMs = 200_000;
    world.hasClosed = ({ interval }) => interval !== "10s";
    learn(rules, third);
    await idle();
    expect(taken.at(-1)).toBe("10s [-Infinity..30000) 15s [30000..60000) 20s [60000..1000000) 30s [1000000..Infinity)");
    world.hasClosed = () => true;
    rules.expire();
    expect(taken.at(-1)).toBe("20s [-Infinity..1000000) 30s [1000000..Infinity)");
  });

  it("catch up: a version before cannot be had -> nothing is taken over by halves", async () => {
    const first = version("10s", 0);
    const { rules, taken, book, start } = await following(first);
    await start();
    const second = version("20s", 45_000, first);
    const third = version("30s", 60_000, second);
    book.unshift(third);
    const named: Assignment = { generation: NO_GENERATION, rules: third.hash, slices: [], resources: [] };
    rules.assignment(named);
    await idle();
    expect(taken.length).toBe(1);
    book.splice(1, 0, second);
    await rules.catchUp();
    await idle();
    expect(taken.at(-1)).toBe("10s [-Infinity..45000) 20s [45000..60000) 30s [60000..Infinity)");
  });
});
