// Plan: what an operator is told without asking: caps with the labels to blame, two rules of one series by name, rules that match
// nothing; each once, with a pause, and not when there is nothing to say. And what is counted beside the books.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine } from "#limpet/aggregate/engine.js";
import { disposeEngines, feedLines, openEngine } from "./openEngine.js";

afterEach(disposeEngines);

function warnings(engine: Engine, nowMs: number): string[] {
  return engine.step(nowMs, { kind: "tick" }).flatMap((action) => (action.kind === "warning" ? [`${action.about}: ${action.message}`] : []));
}

describe("caps", () => {
  test("max_series: reached -> a warning that names the label with the most values, then a pause", () => {
    const engine = openEngine("- { name: web, interval: 10s, by: [s], outputs: [total], max_series: 2 }", { startMs: 0 });
    const lines = Array.from({ length: 300 }, (_, i) => `m,s=s${String(i % 3)},pod=p${String(i)} f=1 1000`);
    feedLines(engine, 1000, ...lines);
    expect(warnings(engine, 1000)).toEqual([
      "refused: rule web: max_series 2 is reached, 298 new series refused; values per label among the first 256 of them: " +
        'pod has 256 (such as "p2"), s has 3 (such as "s2"), the metric name has 1 (such as "m_f"); ' +
        "find the label that explodes and leave it out at the source, or raise max_series",
    ]);
    feedLines(engine, 2000, "m,s=a,pod=q f=1 2000");
    expect(warnings(engine, 2000)).toEqual([]);
    expect(warnings(engine, 61_000)).toEqual([expect.stringContaining("1 new series refused")]);
    expect(warnings(engine, 200_000)).toEqual([]);
  });

  test("max_groups: reached -> the labels of the groups, not those of the input", () => {
    const engine = openEngine("- { name: web, interval: 10s, by: [s], outputs: [max], max_groups: 1 }", { startMs: 0 });
    feedLines(engine, 1000, "m,s=a,pod=1 f=1 1000", "m,s=b,pod=2 f=1 1000", "m,s=b,pod=3 f=1 1000");
    expect(warnings(engine, 1000)).toEqual([
      expect.stringContaining(
        'max_groups 1 is reached, 2 new series refused; values per label among them: the metric name has 1 (such as "m_f"), s has 1 (such as "b");',
      ),
    ]);
  });
});

describe("identity", () => {
  const RULES = `
- { name: one, match: m_f, interval: 10s, output_name: "x", outputs: [max], by: [s] }
- { name: two, match: 'm_f{s="a"}', interval: 10s, output_name: "x", outputs: [max], by: [s], MORE }`;

  test.each([
    ["equal names", "max_groups: 9"],
    ["output relabelling", "output_relabel_configs: [{target_label: t, source_labels: [absent], regex: .+, replacement: t}]"],
  ])("identity: two rules write one series by %s -> both named, with the series", (_name, more) => {
    const engine = openEngine(RULES.replace("MORE", more), { startMs: 0 });
    feedLines(engine, 1000, "m,s=a,h=1 f=1 1000");
    expect(warnings(engine, 1000)).toEqual([
      expect.stringMatching(
        /^refused: rule two \(rules\.yaml:3:3\) would write the output series of rule one \(rules\.yaml:2:3\), and 1 series are refused, such as m_f\{h="1",s="a"\}; /,
      ),
    ]);
  });
});

describe("silence", () => {
  const RULES = `
- { name: right, match: m_f, interval: 10s, outputs: [max] }
- { name: wrong, match: mm_f, interval: 1m, outputs: [max] }
- { name: "off", match: mm_f, interval: 10s, outputs: [min], state: "off" }`;
  const beat = (engine: Engine, fromMs: number, toMs: number): string[] => {
    const said: string[] = [];
    for (let nowMs = fromMs; nowMs < toMs; nowMs += 10_000) {
      feedLines(engine, nowMs, `m f=1 ${String(nowMs)}`);
      said.push(...warnings(engine, nowMs));
    }
    return said;
  };

  test("silence: a rule that matches nothing for 10 intervals while samples come -> named, once", () => {
    const engine = openEngine(RULES, { startMs: 1_000_000 });
    expect(beat(engine, 1_000_000, 1_600_000)).toEqual([]);
    expect(beat(engine, 1_600_000, 3_000_000)).toEqual([
      "silent: rule wrong (rules.yaml:3:3) matched nothing for 10m, while 61 samples came: compare its match and filters with what " +
        "limpet explain says of the lines, or remove it",
    ]);
  });

  test("silence: nothing comes at all -> no rule is to blame", () => {
    const engine = openEngine(RULES, { startMs: 1_000_000 });
    beat(engine, 1_000_000, 1_010_000);
    expect(warnings(engine, 1_290_000)).toEqual([]);
    const quiet = openEngine(RULES, { startMs: 1_000_000 });
    expect(warnings(quiet, 9_000_000)).toEqual([]);
  });
});

describe("counted", () => {
  test("shadow: a rule that only measures -> its pairs, groups and windows are counted, no row leaves", () => {
    const engine = openEngine("- { interval: 10s, grace: 1s, by: [s], outputs: [total, max], state: shadow }", { startMs: 0 });
    feedLines(engine, 1000, "m,s=a f=1 1000", "m,s=b f=1 2000");
    expect(engine.step(11_000, { kind: "tick" })).toEqual([]);
    expect(engine.ledger()).toMatchObject({
      samplesMatched: 2,
      rules: [{ pairsMatched: 2, pairsApplied: 2, groups: 2, series: 2, windowsFlushed: 1 }],
    });
  });

  test("ledger: a rounded integer, labels that become one, bytes that are not UTF-8, resets, late samples in totals -> each counted", () => {
    const engine = openEngine("- { interval: 10s, grace: 1s, by: [s], outputs: [total], first_sample: zero }", { startMs: 0 });
    feedLines(engine, 1000, "m,a-b=1,a.b=2,s=a f=9007199254740993i 1000", "m,s=a f=9007199254740992i 2000");
    engine.feed(1000, Buffer.from("m,s=\xff f=1 3000000000\n", "latin1"));
    feedLines(engine, 1000, "m,s=r f=5 1000", "m,s=r f=3 2000");
    engine.step(11_000, { kind: "tick" });
    feedLines(engine, 11_000, "m,s=r f=4 9000");
    expect(engine.ledger()).toMatchObject({ samplesInexact: 1, labelsLost: 1, badUtf8: 1, rules: [{ counterResets: 1, pairsCarried: 1 }] });
  });
});
