// Plan: an engine that goes from one version of the rules to the next by event time yields, of each rule, the rows that the old version
// alone makes of Windows before T, and those that the new one alone makes of Windows from T on; whatever reloads and moves fall between.
// A rule that both have goes on. What is cumulative starts anew with a rule.
import { afterEach, describe, expect, test } from "@jest/globals";
import { receiveCopy, takeCopy } from "#limpet/aggregate/copy.js";
import type { Engine } from "#limpet/aggregate/engine.js";
import { parseRuleVersion, type RulesInForce, rulesInForce, type Versions } from "#limpet/aggregate/ruleVersions.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { KEY_END, WHOLE } from "#limpet/slice/keyRange.js";
import { ruleHash } from "#limpet/slice/ruleVersion.js";
import { drain, run } from "./fleet.js";
import { disposeEngines, feedLines, imbalance, openEngine, tick } from "./openEngine.js";

const outputs = await loadOutputs();
const START = { startMs: 100_000 };
const HOLD_MS = 5000;
const T = 133_000;

afterEach(disposeEngines);

/** Versions from texts, newest last; the first holds from the beginning. */
function versionsOf(...texts: readonly (readonly [activeFromMs: number, text: string])[]): Versions {
  const parsed = texts.map(([activeFromMs, text]) => {
    const files = [{ path: "rules.yaml", text }];
    const read = parseRuleVersion({ hash: ruleHash({ activeFromMs, files }), activeFromMs, files }, { outputs, naming: "telegraf" });
    if (typeof read === "string") throw new Error(read);
    return read;
  });
  const [newest, ...older] = parsed.reverse();
  if (newest === undefined) throw new Error("no versions");
  return [newest, ...older];
}

function openFor({ rules }: RulesInForce, startMs: number): Engine {
  return openEngine("- { interval: 1s, outputs: [last] }", { rules, startMs, maxFutureMs: 60_000 });
}

/** Goes on with other rules, as Aggregator.reload() does. */
function reload(engine: Engine, inForce: RulesInForce, nowMs: number): Engine {
  const fresh = openFor(inForce, nowMs);
  const { forgottenGroups, forgottenRules } = restoreSnapshot(fresh, takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 }));
  expect([forgottenGroups, forgottenRules]).toEqual([0, []]);
  fresh.succeed(engine);
  return fresh;
}

const startOf = (row: string): number => {
  const interval = Number(/:(\d+)s_/.exec(row)?.[1]) * 1000;
  return Number(/ (\d+)(?: from \d+)?$/.exec(row)?.[1]) - interval;
};

const BEFORE = `
- { name: sums, match: m_f, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, last, "quantiles(0.5)", count_series] }
- { name: counters, match: c_n, interval: 20s, grace: 5s, by: [s], outputs: [increase, rate_sum], first_sample: zero }
- { name: removed, match: m_f, interval: 10s, grace: 5s, by: [h], outputs: [max] }
- { name: dedup, match: m_f, interval: 20s, grace: 5s, dedup_interval: 4s, by: [s], outputs: [sum_samples, count_samples] }
- { name: kept, match: c_n, interval: 20s, grace: 5s, by: [s, h], outputs: [total] }`;
const AFTER = `
- { name: sums, match: 'm_f{h!="h2"}', interval: 10s, grace: 2s, by: [s], outputs: [sum_samples, last, "quantiles(0.5)", count_series] }
- { name: counters, match: c_n, interval: 20s, grace: 5s, by: [h], outputs: [increase, rate_sum], first_sample: zero }
- { name: dedup, match: m_f, interval: 20s, grace: 5s, dedup_interval: 4s, by: [s], outputs: [sum_samples, min] }
- { name: added, match: m_f, interval: 10s, grace: 5s, by: [pod], outputs: [avg] }
- { name: kept, match: c_n, interval: 20s, grace: 5s, by: [s, h], outputs: [total] }`;

/** What the versions make of the fleet's lines, each alone, of their own Windows. */
function expected(): string[] {
  const rows = (text: string): string[] => {
    const engine = openEngine(text, START);
    return [...run([engine], 0, 60), ...drain([engine])];
  };
  return [...rows(BEFORE).filter((row) => startOf(row) < T), ...rows(AFTER).filter((row) => startOf(row) >= T)].sort();
}

describe("rule change", () => {
  test.each([5, 20, 28])("rules edited, removed, added, learned of at second %d -> each version's own rows of its own windows", (learned) => {
    const versions = versionsOf([0, BEFORE], [T, AFTER]);
    const rows: string[] = [];
    let inForce = rulesInForce([versions[1] ?? versions[0]], 100_000, HOLD_MS);
    let engine = openFor(inForce, 100_000);
    const sizes = new Set<number>();
    for (let i = 0; i < 60; i++) {
      const nowMs = 101_000 + i * 1000;
      const next = i < learned ? inForce : rulesInForce(versions, nowMs, HOLD_MS);
      if (next.rules.length !== inForce.rules.length || i % 7 === 3) engine = reload(engine, next, nowMs);
      inForce = next;
      sizes.add(inForce.rules.length);
      rows.push(...run([engine], i, i + 1));
      expect(imbalance(engine)).toEqual([0, ...inForce.rules.map(() => 0)]);
    }
    rows.push(...drain([engine]));
    expect(rows.sort()).toEqual(expected());
    // Of five and five rules two are the same; three go when their windows are closed.
    expect([...sizes]).toEqual([5, 8]);
    expect(inForce.rules.map(({ name }) => name)).toEqual(["sums", "counters", "dedup", "added", "kept"]);
    expect(inForce.versions.length).toBe(1);
  });

  test("a slice moves between owners while both versions are in force -> the same rows", () => {
    const versions = versionsOf([0, BEFORE], [T, AFTER]);
    const both = rulesInForce(versions, 110_000, HOLD_MS);
    const [from, to] = [openFor(both, 100_000), openFor(both, 100_000)];
    to.parts.drop(WHOLE);
    const rows: string[] = [];
    let mark = 0;
    const copy = (number: number, range = WHOLE): void => {
      const taken = takeCopy(from, range, { term: "1.1", number }, number === 1 ? {} : { since: mark });
      mark = taken?.mark ?? 0;
      const received = receiveCopy(to, taken?.bytes ?? new Uint8Array(0), 130_000);
      expect(received).toMatchObject({ kind: "taken", restored: { forgottenGroups: 0 } });
    };
    for (let i = 0; i < 60; i++) {
      // A copy before T, increments while old windows close, and the rest when only old ones of 20 s are open.
      if (i === 25 || i === 38 || i === 45) copy(i === 25 ? 1 : i === 38 ? 2 : 3);
      if (i === 45) {
        from.parts.drop(WHOLE);
        for (const part of to.parts.list) to.parts.setMode(part, "serving");
      }
      rows.push(...run([from, to], i, i + 1));
    }
    expect([...rows, ...drain([from, to])].sort()).toEqual(expected());
  });

  test("an edited rule writes the same series -> its total starts anew at its first window, with a zero and no end of the old one", () => {
    const total = (match: string): string => `- { match: '${match}', interval: 10s, grace: 5s, by: [s], outputs: [total], first_sample: zero }`;
    const versions = versionsOf([0, total("c_n")], [T, total('c_n{h="a"}')]);
    const engine = openEngine("- { interval: 1s, outputs: [last] }", {
      rules: rulesInForce(versions, 110_000, HOLD_MS).rules,
      startMs: 110_000,
      marks: new Set(["stale", "zero"] as const),
    });
    const rows: string[] = [];
    for (let nowMs = 120_000; nowMs < 170_000; nowMs += 1000)
      rows.push(...feedAndTick(engine, nowMs, `c,s=1,h=a n=${String(nowMs / 1000)} ${String(nowMs)}`, `c,s=1,h=b n=1000 ${String(nowMs)}`));
    // Nothing of a before 140 s counts again: 139 is what 140 is subtracted from.
    expect(rows.filter((row) => !row.includes("NaN"))).toEqual([
      expect.stringMatching(/total\{s="1"\} 0 120001 from 120000$/),
      expect.stringMatching(/total\{s="1"\} 1129 130000 from 120000$/),
      expect.stringMatching(/total\{s="1"\} 1139 140000 from 120000$/),
      expect.stringMatching(/total\{s="1"\} 0 140001 from 140000$/),
      expect.stringMatching(/total\{s="1"\} 10 150000 from 140000$/),
      expect.stringMatching(/total\{s="1"\} 20 160000 from 140000$/),
    ]);
    expect(rows.length).toBe(6);
  });

  test("a sample comes after the last window of a rule that ended -> dropped as late, since no total follows that could take it", () => {
    const rule = (match: string): string => `- { match: ${match}, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples_total] }`;
    const both = rulesInForce(versionsOf([0, rule("m_f")], [T, rule("'m_f{s!=\"\"}'")]), 110_000, HOLD_MS);
    const engine = openFor(both, 110_000);
    feedAndTick(engine, 120_000, "m,s=1 f=1 120000");
    tick(engine, 136_000);
    feedLines(engine, 136_000, "m,s=1 f=1 121000");
    tick(engine, 146_000);
    feedLines(engine, 146_000, "m,s=1 f=1 131000");
    expect(engine.ledger().rules.map(({ pairsMatched, pairsCarried, pairsDropped }) => [pairsMatched, pairsCarried, pairsDropped])).toEqual([
      [3, 1, { late: 1 }],
      [0, 0, {}],
    ]);
    expect(imbalance(engine)).toEqual([0, 0, 0]);
  });

  test("relabelled outputs of two versions are one series -> both write it, each in its own windows; of one version the second is refused", () => {
    const rule = (match: string, label: string): string =>
      `- { match: ${match}, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples], output_relabel_configs: [{ target_label: v, replacement: ${label} }] }\n`;
    const both = rulesInForce(versionsOf([0, rule("m_f", "x")], [T, rule("'m_f{s!=\"\"}'", "x")]), 110_000, HOLD_MS);
    const engine = openEngine("- { interval: 1s, outputs: [last] }", { rules: both.rules, startMs: 110_000 });
    const rows: string[] = [];
    for (let nowMs = 120_000; nowMs < 166_000; nowMs += 1000) rows.push(...feedAndTick(engine, nowMs, `m,s=1 f=1 ${String(nowMs)}`));
    expect(rows.map((row) => / (\d+ \d+)$/.exec(row)?.[1])).toEqual(["10 130000", "10 140000", "10 150000", "10 160000"]);
    const same = openEngine(rule("m_f", "x") + rule("'m_f{s!=\"\"}'", "x"), { startMs: 110_000 });
    feedAndTick(same, 120_000, "m,s=1 f=1 120000");
    expect(same.ledger().rules.map(({ pairsDropped }) => pairsDropped)).toEqual([{}, { identity: 1 }]);
  });

  test("back to the rules of before while both are in force -> the old run ends, the new one is another", () => {
    const rule = (match: string): string => `- { match: '${match}', interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, total] }`;
    const versions = versionsOf([0, rule("c_n")], [T, rule('c_n{h="a"}')], [153_000, rule("c_n")]);
    let inForce = rulesInForce([versions[2] ?? versions[0]], 110_000, HOLD_MS);
    let engine = openFor(inForce, 110_000);
    const rows: string[] = [];
    for (let nowMs = 120_000; nowMs < 186_000; nowMs += 1000) {
      const known = versions.slice(nowMs >= 145_000 ? 0 : nowMs >= 125_000 ? 1 : 2);
      const next = rulesInForce([known[0] ?? versions[0], ...known.slice(1)], nowMs, HOLD_MS);
      if (next.rules.length !== inForce.rules.length || nowMs % 9000 === 0) engine = reload(engine, next, nowMs);
      inForce = next;
      rows.push(...feedAndTick(engine, nowMs, `c,s=1,h=a n=${String(nowMs / 1000)} ${String(nowMs)}`, `c,s=1,h=b n=0 ${String(nowMs)}`));
    }
    const totals = rows.filter((row) => row.includes("_total")).map((row) => / (\d+ \d+ from \d+)$/.exec(row)?.[1]);
    expect(totals).toEqual([
      "9 130000 from 120000",
      "19 140000 from 120000",
      "10 150000 from 140000",
      "20 160000 from 140000",
      "10 170000 from 160000",
      "20 180000 from 160000",
    ]);
    expect(inForce.rules.length).toBe(1);
  });

  test("an edited rule with a shorter grace -> no row of a series before those of the old rule", () => {
    const rule = (match: string, grace: string): string => `- { match: '${match}', interval: 10s, grace: ${grace}, by: [s], outputs: [sum_samples] }`;
    const both = rulesInForce(versionsOf([0, rule("m_f", "40s")], [T, rule('m_f{s!=""}', "1s")]), 110_000, HOLD_MS);
    const engine = openFor(both, 110_000);
    const rows: string[] = [];
    for (let nowMs = 120_000; nowMs < 220_000; nowMs += 1000) rows.push(...feedAndTick(engine, nowMs, `m,s=1 f=1 ${String(nowMs)}`));
    const stamps = rows.map((row) => Number(/ (\d+)$/.exec(row)?.[1]));
    expect(stamps).toEqual([130, 140, 150, 160, 170].map((seconds) => seconds * 1000));
  });

  test("a rule that came back moves to where its first run is still in force -> it goes on as the second run", () => {
    const rule = (match: string): string => `- { match: '${match}', interval: 10s, grace: 5s, by: [s], outputs: [sum_samples] }`;
    const versions = versionsOf([0, rule("m_f")], [T, rule('m_f{s="x"}')], [153_000, rule("m_f")]);
    const [from, to] = [openFor(rulesInForce([versions[0]], 165_000, HOLD_MS), 100_000), openFor(rulesInForce(versions, 149_000, HOLD_MS), 100_000)];
    to.parts.drop(WHOLE);
    feedLines(from, 165_000, "m,s=1 f=3 165000");
    expect(receiveCopy(to, takeCopy(from, WHOLE, { term: "1.1", number: 1 })?.bytes ?? new Uint8Array(0), 166_000).kind).toBe("taken");
    for (const part of to.parts.list) to.parts.setMode(part, "serving");
    expect(feedAndTick(to, 176_000, "m,s=1 f=4 166000").map((row) => / (\d+ \d+)$/.exec(row)?.[1])).toEqual(["7 170000"]);
  });

  test("a copy with state of a rule that is not in force here -> told; without its windows there is nothing to tell", () => {
    const versions = versionsOf([0, BEFORE], [T, AFTER]);
    const [from, to] = [openFor(rulesInForce(versions, 110_000, HOLD_MS), 100_000), openFor(rulesInForce([versions[0]], 110_000, HOLD_MS), 100_000)];
    const copied = (number: number): unknown => {
      to.parts.drop(WHOLE);
      const { bytes } = takeCopy(from, WHOLE, { term: "1.1", number }) ?? { bytes: new Uint8Array(0) };
      const received = receiveCopy(to, bytes, 130_000);
      return received.kind === "taken" ? received.restored.forgottenRules : received.kind;
    };
    run([from], 0, 40);
    expect(copied(1)).toEqual(["sums", "counters", "removed"]);
    run([from], 40, 55);
    expect(copied(2)).toEqual([]);
  });

  test("outputs of more than one part: cut, joined and split anew while versions change -> the same rows", () => {
    const versions = versionsOf([0, BEFORE], [T, AFTER]);
    const engine = openFor(rulesInForce(versions, 110_000, HOLD_MS), 100_000);
    const rows: string[] = [];
    for (let i = 0; i < 60; i++) {
      if (i % 5 === 4) engine.parts.merge();
      else engine.parts.split(Math.floor(((i * 0.37) % 1) * KEY_END));
      rows.push(...run([engine], i, i + 1));
    }
    expect([...rows, ...drain([engine])].sort()).toEqual(expected());
  });
});

function feedAndTick(engine: Engine, nowMs: number, ...lines: readonly string[]): string[] {
  feedLines(engine, nowMs, ...lines);
  return tick(engine, nowMs + 500);
}
