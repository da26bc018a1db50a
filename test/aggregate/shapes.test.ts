// Plan: a series admitted as a copy of one like it must be exactly what it is when admitted by the book. One engine has Shapes,
// its twin has one more rule, which matches nothing but relabels its input, so that no two series count as alike there.
import { afterAll, expect, test } from "@jest/globals";
import type { Engine, EngineAction } from "#limpet/aggregate/engine.js";
import type { PassOptions } from "#limpet/aggregate/passed.js";
import { relevantTags } from "#limpet/aggregate/relevantTags.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { ROOT_KEYS, ROOT_SERIES, ROOT_SHAPES, TABLE_COUNT } from "#limpet/kernel/layout.js";
import { pick, type Random, seededRandom } from "../reference/seededRandom.js";
import { disposeEngines, feedLines, finish, imbalance, openEngine, tick } from "./openEngine.js";

const START = 1_700_000_000_000;
const NO_SHAPES = "\n- { match: no_such_metric, interval: 1m, outputs: [max], input_relabel_configs: [{ action: labeldrop, regex: x }] }";

afterAll(disposeEngines);

const outputs = await loadOutputs();

/** An engine and its twin without Shapes. */
function twins(rules: string, pass?: PassOptions): readonly [Engine, Engine] {
  return [openEngine(rules, { startMs: START, pass }), openEngine(rules + NO_SHAPES, { startMs: START, pass })];
}

const shapesOf = (engine: Engine): number => i32.load(engine.root + ROOT_SHAPES + TABLE_COUNT);
const keysOf = (engine: Engine): number => i32.load(engine.root + ROOT_KEYS + TABLE_COUNT);

/** What an engine says of the rules that matched something, which the twin's own does not. */
function booksOf(engine: Engine): unknown {
  const { rules, samplesMatched, samplesIgnored, linesRead, linesInvalid } = engine.ledger();
  const ours = rules.filter(({ pairsMatched }) => pairsMatched > 0);
  return { ours, samplesMatched, samplesIgnored, linesRead, linesInvalid, series: i32.load(engine.root + ROOT_SERIES) };
}

const MEASUREMENTS = ["cpu", "cpu", "net", String.raw`queue\ depth`, String.raw`a\,b`, "größe"];
const REGIONS = ["eu", "us", "us", "eu=1", String.raw`a\ b`, "süd"];

/** A line of random spelling: tags in any order, one twice, odd names and values, strings with escapes. */
function line(random: Random): string {
  const digit = (n: number): string => String(Math.floor(random() * n));
  const tags = [`host=h${digit(40)}`, `region=${pick(random, REGIONS)}`, `pod=p${digit(3)}`];
  if (random() < 0.1) tags.push(`region=${pick(random, REGIONS)}`);
  if (random() < 0.1) tags.push(`host.name=h${digit(3)}`);
  if (random() < 0.05) tags.push("__name__=x");
  if (random() < 0.5) tags.sort(() => random() - 0.5);
  const all = [`n=${digit(1000)}i`, `f=${digit(10)}.5`, `s="a, \\"b\\" c"`, `t="\\\\"`, `u="\\x"`, "b=t", `x${digit(4)}=1`];
  const odds = [0.9, 0.5, 0.2, 0.1, 0.05, 0.2, 0.3];
  const fields = all.filter((_field, i) => random() < (odds[i] ?? 0));
  return `${pick(random, MEASUREMENTS)},${tags.join(",")} ${fields.length === 0 ? "n=1i" : fields.join(",")} ${String(START + Math.floor(random() * 60_000))}`;
}

const RULE_SETS: Readonly<Record<string, string>> = {
  gauges: "- { interval: 10s, by: [region], outputs: [sum_samples, count_samples, max] }",
  counters: "- { interval: 10s, by: [region], outputs: [total, increase, count_series], first_sample: zero }",
  several: `
- { match: '{region!="us"}', interval: 10s, by: [region], outputs: [sum_samples] }
- { match: '{__name__=~".*_n"}', interval: 10s, by: [__name__], outputs: [increase], first_sample: zero }
- { interval: 20s, without: [host, pod], outputs: [min], tagdrop: { pod: [p1] } }
- { interval: 20s, by: [region], outputs: [max], namepass: [c*], fieldexclude: [x*] }`,
  capped:
    "- { interval: 10s, by: [region], outputs: [last], max_series: 50 }\n- { match: cpu_n, interval: 10s, by: [region], outputs: [total], max_series: 30 }",
  few: "- { interval: 10s, by: [region], outputs: [avg], max_groups: 9 }",
};

/** The bytes of what passed. */
function passedBytes(actions: readonly EngineAction[]): Buffer {
  return Buffer.concat(
    actions.map((action) => (action.kind === "lines" ? action.bytes : action.kind === "passed" ? action.block.bytes : Buffer.alloc(0))),
  );
}

test.each(["lines", "rows"] as const)("shapes: samples pass as %s -> the same ones as without", (as) => {
  const random = seededRandom(3);
  const rules = `
- { match: '{__name__=~".*_n"}', interval: 10s, by: [region], outputs: [max], matched: keep }
- { match: '{__name__=~".*_f"}', interval: 10s, by: [region], outputs: [max] }`;
  const [engine, twin] = twins(rules, { as, unmatched: "pass" });
  const lines = Array.from({ length: 1000 }, () => line(random));
  const [ours, theirs] = [engine, twin].map((side) =>
    passedBytes([...feedLines(side, START + 60_000, ...lines), ...side.step(START + 60_000, { kind: "tick" })]),
  );
  expect(shapesOf(engine)).toBeGreaterThan(5);
  expect(ours?.length).toBeGreaterThan(30_000);
  expect(ours).toEqual(theirs);
});

test.each(Object.keys(RULE_SETS))("shapes: %s, lines of any spelling -> rows and books as without", (set) => {
  for (const seed of [1, 2]) {
    const random = seededRandom(seed);
    const [engine, twin] = twins(RULE_SETS[set] ?? "");
    for (let batch = 0; batch < 6; batch++) {
      const lines = Array.from({ length: 300 }, () => line(random));
      for (const side of [engine, twin]) feedLines(side, START + 60_000, ...lines);
    }
    expect(shapesOf(engine)).toBeGreaterThan(5);
    expect(shapesOf(twin)).toBe(0);
    expect(booksOf(engine)).toEqual(booksOf(twin));
    expect(imbalance(engine).every((left) => left === 0)).toBe(true);
    expect(finish(engine, START + 120_000)).toEqual(finish(twin, START + 120_000));
  }
});

test("shapes: many hosts of one region -> one shape, and every series counted", () => {
  const engine = openEngine("- { interval: 10s, by: [region], outputs: [sum_samples] }", { startMs: START });
  feedLines(engine, START, ...Array.from({ length: 100 }, (_, i) => `m,host=h${String(i)},region=eu a=1,b=2 ${String(START)}`));
  expect([shapesOf(engine), keysOf(engine), i32.load(engine.root + ROOT_SERIES)]).toEqual([1, 100, 200]);
  expect(finish(engine, START + 10_000)).toEqual([
    `m_a:10s_by_region_sum_samples{region="eu"} 100 ${String(START + 10_000)}`,
    `m_b:10s_by_region_sum_samples{region="eu"} 200 ${String(START + 10_000)}`,
  ]);
});

test("shapes: a group has gone and comes back -> new series go to the new group", () => {
  const engine = openEngine("- { interval: 10s, by: [region], outputs: [count_samples], staleness_interval: 1m }", { startMs: START });
  let now = START;
  feedLines(engine, now, `m,host=a,region=eu v=1 ${String(now)}`);
  for (let i = 0; i < 20; i++) {
    now += 60_000;
    tick(engine, now);
  }
  expect(shapesOf(engine)).toBe(0);
  feedLines(engine, now, `m,host=b,region=eu v=1 ${String(now)}`, `m,host=c,region=eu v=1 ${String(now)}`, `m,host=a,region=eu v=1 ${String(now)}`);
  expect(finish(engine, now + 10_000)).toEqual([`m_v:10s_by_region_count_samples{region="eu"} 3 ${String(now + 10_000)}`]);
});

test.each([
  ["by: [region]", "region"],
  ["by: [__name__]", ""],
  ['by: [region], match: \'{zone="a",__name__=~"c.*"}\'', "region zone"],
  ["by: [region], tagpass: { pod: [a] }", "pod region"],
  ["without: [host, pod]", "region zone"],
  ["by: [region], output_relabel_configs: [{ target_label: x, replacement: y }]", "region"],
  ["without: [nothing]", "host pod region zone"],
  ["interval: 20s", "any"],
  ["by: [region], drop_input_labels: [pod]", "any"],
  ["by: [region], input_relabel_configs: [{ target_label: x, replacement: y }]", "any"],
])("relevant tags: %s -> %s", (keys, expected) => {
  const text = `- { ${keys.includes("interval") ? "" : "interval: 10s, "}${keys}, outputs: [max] }`;
  const { rules } = readRules([{ name: "rules.yaml", text }], { outputs, env: {}, naming: "telegraf" });
  expect(rules).toHaveLength(1);
  const relevance = relevantTags(rules);
  const relevant = relevance === undefined ? "any" : ["host", "pod", "region", "zone"].filter((tag) => relevance(tag, tag)).join(" ");
  expect(relevant).toBe(expected);
});
