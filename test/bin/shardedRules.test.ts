// The rules of an aggregator in a cluster: from the assigner, and from routers that have newer ones.
import { describe, expect, it } from "@jest/globals";
import { createLog } from "#limpet/base/log.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { ShardedRules } from "#limpet/bin/shardedRules.js";
import { type RuleVersion, ruleHash } from "#limpet/slice/ruleVersion.js";

function version(interval: string, activeFromMs: number): RuleVersion {
  const files = [{ path: "rules.yaml", text: `- { match: cpu, interval: ${interval}, outputs: [max] }\n` }];
  return { hash: ruleHash(files), activeFromMs, files };
}

/** Rules that follow `first`, and the intervals that came into force. */
async function following(first: RuleVersion): Promise<{ readonly rules: ShardedRules; readonly taken: string[] }> {
  const taken: string[] = [];
  const assigner = {
    connected: false,
    rules: () => Promise.resolve({ ok: true as const, value: first }),
    assignment: () => Promise.resolve({ ok: false as const, error: "away" }),
  };
  const log = createLog({ mode: "serve", write: () => undefined, now: () => 0 });
  const rules = new ShardedRules({ assigner, outputs: await loadOutputs(), naming: "telegraf", log });
  await rules.first();
  rules.follow({
    onRules: ({ rules: parsed }) => {
      taken.push(...parsed.map(({ interval }) => interval));
    },
    onAssignment: () => undefined,
  });
  return { rules, taken };
}

describe("rules in a cluster", () => {
  it("offer: newer ones from a router while the assigner is away -> in force", async () => {
    const { rules, taken } = await following(version("10s", 0));
    const newer = version("20s", 5000);
    expect(rules.has(newer.hash)).toBe(false);
    expect(rules.offer(newer)).toBeUndefined();
    expect([taken, rules.has(newer.hash)]).toEqual([["10s", "20s"], true]);
  });

  it("offer: older ones from a router that lags -> its batches are understood, what is in force stays", async () => {
    const { rules, taken } = await following(version("20s", 5000));
    const older = version("10s", 0);
    expect(rules.offer(older)).toBeUndefined();
    expect([taken, rules.has(older.hash)]).toEqual([["20s"], true]);
  });

  it("offer: rules with an error -> said, nothing changes", async () => {
    const { rules, taken } = await following(version("10s", 0));
    expect(rules.offer(version("soon", 5000))).toContain("rules.yaml");
    expect(taken).toEqual(["10s"]);
  });
});
