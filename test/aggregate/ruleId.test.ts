import { expect, test } from "@jest/globals";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";

const outputs = await loadOutputs();

function idOf(keys: string): string {
  const { rules, problems } = readRules([{ name: "r", text: `- {${keys}}` }], { outputs, env: {}, naming: "telegraf" });
  const [rule] = rules;
  if (rule === undefined) throw new Error(JSON.stringify(problems));
  return rule.id;
}

const base = 'match: \'m{a="1",b="2"}\', interval: 1m, by: [x, y], outputs: [min]';

test("rule id: fixed -> a change of the canonical form would orphan all stored state", () => {
  expect(idOf(base)).toBe("a5009950e5b9f617");
});

test.each([
  ["name", `name: n, ${base}`],
  ["outputs", base.replace("[min]", "[max, avg]")],
  [
    "grace, late, caps, memory",
    `${base}, grace: 1m, late: drop, max_series: 5, max_groups: 5, series_memory: 2h, staleness_interval: 1h, time: arrival, state: off, first_sample: zero`,
  ],
  ["order of by", base.replace("[x, y]", "[y, x, __name__]")],
  ["spelling of match", base.replace('\'m{a="1",b="2"}\'', "['{b=`2`, a=`1`, __name__=`m`}']")],
  ["spelling of interval", base.replace("1m", "60s")],
])("rule id: another %s -> the same id", (_what, keys) => {
  expect(idOf(keys)).toBe(idOf(base));
});

test.each([
  ["match", base.replace('a="1"', 'a!="1"')],
  ["interval", base.replace("1m", "2m")],
  ["by", base.replace("[x, y]", "[x]")],
  ["without for by", base.replace("by:", "without:")],
  ["by for nothing", base.replace("by: [x, y],", "")],
  ["by [__name__] for nothing", base.replace("[x, y]", "[__name__]")],
  ["keep_metric_names", `${base}, keep_metric_names: true`],
  ["output_name", `${base}, output_name: n`],
  ["labels", `${base}, labels: {l: v}`],
  ["sketch", `${base}, sketch: tdigest`],
  ["dedup_interval", `${base}, dedup_interval: 30s`],
  ["temporality", `${base}, temporality: delta`],
  ["filter", `${base}, namepass: [a]`],
  ["drop_input_labels", `${base}, drop_input_labels: [a]`],
  ["input_relabel_configs", `${base}, input_relabel_configs: [{action: labeldrop, regex: a}]`],
  ["output_relabel_configs", `${base}, output_relabel_configs: [{target_label: a, replacement: b}]`],
])("rule id: another %s -> another id", (_what, keys) => {
  expect(idOf(keys)).not.toBe(idOf(base));
});

test("rule id: other labels in without, or none -> other ids", () => {
  const ids = ["without: [x],", "without: [y],", "without: [x, y],", ""].map((without) => idOf(base.replace("by: [x, y],", without)));
  expect(new Set(ids).size).toBe(4);
});

test.each([
  ["order of patterns", "namepass: [a*, b], tagpass: {x: [c, d]}", "tagpass: {x: [d, c, d]}, namepass: [b, a*]"],
  ["old name of a filter", "fieldinclude: [a]", "fieldpass: [a]"],
  [
    "relabelling defaults written out",
    "input_relabel_configs: [{source_labels: [a], target_label: b, if: 'm{a=\"1\"}'}]",
    "input_relabel_configs: [{action: replace, source_labels: [a], target_label: b, separator: ;, regex: (.*), replacement: $1, if: '{a=`1`, __name__=`m`}'}]",
  ],
])("rule id: another %s -> the same id", (_what, one, other) => {
  expect(idOf(`${base}, ${one}`)).toBe(idOf(`${base}, ${other}`));
});

test("rule id: other steps, filters or dropped labels -> other ids", () => {
  const keys = [
    "namepass: [a]",
    "namedrop: [a]",
    "namepass: [b]",
    "tagpass: {a: [b]}",
    "tagdrop: {a: [b]}",
    "fieldinclude: [a]",
    "drop_input_labels: [a]",
    "drop_input_labels: [b]",
    "input_relabel_configs: [{action: labeldrop, regex: a}]",
    "input_relabel_configs: [{action: labeldrop, regex: b}]",
    "output_relabel_configs: [{target_label: a, replacement: b}]",
  ];
  expect(new Set(keys.map((key) => idOf(`${base}, ${key}`))).size).toBe(keys.length);
});
