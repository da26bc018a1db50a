// Filters and relabelling through the whole engine: rules and lines in, rows out.
import { describe, expect, test } from "@jest/globals";
import { Engine } from "#limpet/aggregate/engine.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { replayRows } from "#limpet/bin/replayRows.js";
import { rowsOf } from "#limpet/metric/rowBlock.js";

const bytes = (text: string): Uint8Array => Buffer.from(text);

function lineText(row: { name: string; labels: readonly (readonly [string, string])[] | Readonly<Record<string, string>>; value: number }): string {
  const pairs = Array.isArray(row.labels) ? (row.labels as [string, string][]) : Object.entries(row.labels); // rows carry either form
  const labels = pairs.filter(([name]) => name !== "__name__").map(([name, value]) => `${name}=${value}`);
  return `${row.name}{${labels.join(",")}} ${row.value}`;
}

async function rows(rules: string, lines: string): Promise<string[]> {
  return (await replayRows(rules, [bytes(lines)])).map(lineText).sort();
}

const lines = `cpu,host=a,dc=EU usage=1,idle=10 1000000000
cpu,host=b,dc=eu usage=2,idle=20 2000000000
mem,host=a,dc=EU usage=4,idle=40 3000000000
`;
const rule = (keys: string): string => `- {interval: 10s, outputs: [sum_samples], ${keys}}`;

describe("filters", () => {
  test.each([
    ["namepass: ['c*']", ["cpu_idle:10s_sum_samples{} 30", "cpu_usage:10s_sum_samples{} 3"]],
    ["namedrop: [cpu]", ["mem_idle:10s_sum_samples{} 40", "mem_usage:10s_sum_samples{} 4"]],
    ["tagpass: {host: [b, c*], dc: [x]}, fieldinclude: [usage]", ["cpu_usage:10s_sum_samples{} 2"]],
    ["tagdrop: {dc: ['E*']}, fieldexclude: ['u*']", ["cpu_idle:10s_sum_samples{} 20"]],
    ["fieldpass: [idle], fielddrop: [usage], namepass: [mem]", ["mem_idle:10s_sum_samples{} 40"]],
    ["match: cpu_usage, tagpass: {dc: [EU]}", ["cpu_usage:10s_sum_samples{} 1"]],
  ])("filters: %s -> on the line as it came in", async (keys, expected) => {
    expect(await rows(rule(`by: [__name__], ${keys}`), lines)).toEqual(expected);
  });

  test("filters: a series no rule takes -> ignored as unmatched", async () => {
    const outputs = await loadOutputs();
    const { rules } = readRules([{ name: "r", text: rule("namepass: [cpu]") }], { outputs, env: {}, naming: "telegraf" });
    const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: -Infinity, maxFutureMs: 0, memoryBytesMax: 2 ** 28 });
    engine.feed(0, bytes(lines), true);
    const { samplesMatched, samplesIgnored } = engine.ledger();
    engine.dispose();
    expect([samplesMatched, samplesIgnored]).toEqual([4, { unmatched: 2 }]);
  });
});

describe("input relabelling", () => {
  test.each([
    ["drop_input_labels: [host]", ["cpu_usage:10s_sum_samples{dc=EU} 1", "cpu_usage:10s_sum_samples{dc=eu} 2"]],
    ["input_relabel_configs: [{action: lowercase, source_labels: [dc], target_label: dc}], by: [dc]", ["cpu_usage:10s_by_dc_sum_samples{dc=eu} 3"]],
    // The name is relabelled too, and names the output.
    [
      "input_relabel_configs: [{source_labels: [__name__, host], separator: _, target_label: __name__}], by: [dc]",
      ["cpu_usage_a:10s_by_dc_sum_samples{dc=EU} 1", "cpu_usage_b:10s_by_dc_sum_samples{dc=eu} 2"],
    ],
    ["input_relabel_configs: [{action: keep, if: '{host=\"b\"}'}], by: [host]", ["cpu_usage:10s_by_host_sum_samples{host=b} 2"]],
    ["input_relabel_configs: [{action: labeldrop, regex: __name__}]", []],
    // Dropping comes before relabelling: nothing is left to copy.
    ["drop_input_labels: [dc], input_relabel_configs: [{source_labels: [dc], target_label: x}], by: [x]", ["cpu_usage:10s_by_x_sum_samples{} 3"]],
    ["input_relabel_configs: [{target_label: a.b, replacement: c}], by: [a_b]", ["cpu_usage:10s_by_a_b_sum_samples{a_b=c} 3"]],
  ])("input: %s", async (keys, expected) => {
    expect(await rows(rule(`match: cpu_usage, ${keys}`), lines)).toEqual(expected);
  });

  test("input: fields of one line get other names and labels -> grouped apart", async () => {
    const steps = "[{if: cpu_usage, target_label: kind, replacement: busy}, {if: cpu_idle, target_label: __name__, replacement: cpu_usage}]";
    expect(await rows(rule(`by: [kind], namepass: [cpu], input_relabel_configs: ${steps}`), lines)).toEqual([
      "cpu_usage:10s_by_kind_sum_samples{kind=busy} 3",
      "cpu_usage:10s_by_kind_sum_samples{} 30",
    ]);
  });

  test("input: two rules, one relabelled -> each its own groups", async () => {
    const two = `${rule("match: cpu_usage, by: [host]")}\n${rule("match: cpu_usage, by: [host], drop_input_labels: [host], output_name: all")}`;
    expect(await rows(two, lines)).toEqual(["all{} 3", "cpu_usage:10s_by_host_sum_samples{host=a} 1", "cpu_usage:10s_by_host_sum_samples{host=b} 2"]);
  });

  test("input: counters made one by dropping a label -> one counter, as in vmagent", async () => {
    const counters = "c,i=1 value=5 1000000000\nc,i=2 value=7 2000000000\nc,i=1 value=8 3000000000\n";
    const text = "- {interval: 10s, first_sample: baseline, drop_input_labels: [i], outputs: [total]}";
    // 5 -> 7 -> 8 of one series grows by 3; two series would have grown by 3 and 0.
    expect(await rows(text, counters.replace("value=8", "value=6"))).toEqual(["c:10s_total{} 8"]);
    expect(await rows(text, counters)).toEqual(["c:10s_total{} 3"]);
  });
});

describe("output relabelling", () => {
  test.each([
    ["[{target_label: cluster, replacement: c1}]", ["cpu_usage:10s_by_host_{cluster=c1,host=a} 1", "cpu_usage:10s_by_host_{cluster=c1,host=b} 2"]],
    ["[{source_labels: [__name__], regex: '([^:]+):.*', target_label: __name__}]", ["cpu_usage{host=a} 1", "cpu_usage{host=b} 2"]],
    ["[{action: drop, if: '{host=\"a\"}'}]", ["cpu_usage:10s_by_host_{host=b} 2"]],
    ["[{action: uppercase, source_labels: [host], target_label: host}]", ["cpu_usage:10s_by_host_{host=A} 1", "cpu_usage:10s_by_host_{host=B} 2"]],
  ])("output: %s", async (steps, expected) => {
    const found = await rows(rule(`match: cpu_usage, by: [host], output_relabel_configs: ${steps}`), lines);
    expect(found.map((row) => row.replace("_sum_samples", "_"))).toEqual(expected);
  });

  test("output: steps see the outputs' own names and labels -> row by row", async () => {
    const text =
      "- {match: cpu_usage, interval: 10s, by: [dc], outputs: [min, 'quantiles(0, 1)'], output_relabel_configs: [{action: drop, if: '{quantile=\"0\"}'}, {if: '{__name__=~\".*_min\"}', target_label: kind, replacement: min}]}";
    expect((await rows(text, lines)).map((row) => row.replace(/ .*/, ""))).toEqual([
      "cpu_usage:10s_by_dc_min{dc=EU,kind=min}",
      "cpu_usage:10s_by_dc_min{dc=eu,kind=min}",
      "cpu_usage:10s_by_dc_quantiles{dc=EU,quantile=1}",
      "cpu_usage:10s_by_dc_quantiles{dc=eu,quantile=1}",
    ]);
  });

  const merging = rule("match: cpu_usage, by: [dc], output_relabel_configs: [{action: lowercase, source_labels: [dc], target_label: dc}]");

  async function dropped(text: string): Promise<[string[], unknown[]]> {
    const outputs = await loadOutputs();
    const { rules, problems } = readRules([{ name: "r", text }], { outputs, env: {}, naming: "telegraf" });
    expect(problems.filter((problem) => problem.severity === "error")).toEqual([]);
    const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: -Infinity, maxFutureMs: 0, memoryBytesMax: 2 ** 28 });
    const actions = [...engine.feed(0, bytes(lines), true), ...engine.step(0, { kind: "finish" })];
    const found = actions.flatMap((action) => (action.kind === "rows" ? rowsOf(action.block).map(lineText) : []));
    const reasons = engine.ledger().rules.map((ledger) => ledger.pairsDropped);
    engine.dispose();
    return [found.sort(), reasons];
  }

  test("output: two groups become one series -> the second is dropped as identity", async () => {
    expect(await dropped(merging)).toEqual([["cpu_usage:10s_by_dc_sum_samples{dc=eu} 1"], [{ identity: 1 }]]);
  });

  test("output: another rule writes the series already -> dropped as identity", async () => {
    const other = rule("match: '{__name__=~\"cpu_usage|mem_usage\"}', by: [dc], output_relabel_configs: [{target_label: x, replacement: ''}]");
    const plain = rule("match: cpu_usage, by: [dc]");
    expect(await dropped(`${plain}\n${other}`)).toEqual([
      ["cpu_usage:10s_by_dc_sum_samples{dc=EU} 1", "cpu_usage:10s_by_dc_sum_samples{dc=eu} 2", "mem_usage:10s_by_dc_sum_samples{dc=EU} 4"],
      [{}, { identity: 2 }],
    ]);
  });

  test("output: another rule's steps drop or rename the row -> the series is free", async () => {
    const drops = rule("match: cpu_usage, by: [dc], output_relabel_configs: [{action: drop, if: '{__name__=~\".*_max\"}'}]");
    const two = drops.replace("[sum_samples]", "[sum_samples, max]");
    const plain = rule("match: '{__name__=~\"cpu_usage|mem_usage\"}', by: [dc]").replace("sum_samples", "max");
    const [found, reasons] = await dropped(`${two}\n${plain}`);
    expect(reasons).toEqual([{}, {}]);
    expect(found).toContain("cpu_usage:10s_by_dc_max{dc=EU} 1");
    const renames = two.replace("action: drop, if", "target_label: __name__, replacement: other, if");
    expect((await dropped(`${renames}\n${plain}`))[1]).toEqual([{}, {}]);
  });

  test("output: moved by a snapshot between the lines -> the same rows", async () => {
    const text = rule("match: cpu_usage, by: [host], drop_input_labels: [dc], output_relabel_configs: [{target_label: c, replacement: '{{host}}'}]");
    const chunks = lines.split(/(?<=\n)/).map(bytes);
    const whole = await replayRows(text, chunks);
    expect(whole.length).toBe(2);
    expect(await replayRows(text, chunks, { snapshotAt: [1, 2] })).toEqual(whole);
  });

  test("output: groups go stale and come back for hours -> every window's row, names given back", async () => {
    const outputs = await loadOutputs();
    const text = rule("match: cpu_usage, by: [host], grace: 0s, output_relabel_configs: [{target_label: c, replacement: '{{host}}'}]");
    const { rules } = readRules([{ name: "r", text }], { outputs, env: {}, naming: "telegraf" });
    const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: 0, maxFutureMs: 60_000, memoryBytesMax: 2 ** 28 });
    const found: string[] = [];
    for (let hour = 0; hour < 50; hour++) {
      const nowMs = hour * 3_600_000 + 1;
      engine.feed(nowMs, bytes(`cpu,host=h${hour % 3} usage=${hour} ${nowMs}000000\n`));
      for (const at of [20_000, 200_000, 400_000]) {
        for (const action of engine.step(nowMs + at, { kind: "tick" })) if (action.kind === "rows") found.push(...rowsOf(action.block).map(lineText));
      }
    }
    const counted = found.filter((row) => !row.endsWith(" 0"));
    expect(counted).toEqual(
      Array.from({ length: 49 }, (_, i) => `cpu_usage:10s_by_host_sum_samples{c=h${(i + 1) % 3},host=h${(i + 1) % 3}} ${i + 1}`),
    );
    // One place for names serves all Groups that came one after the other.
    expect(() => engine.admission.names(3)).toThrow();
    expect(engine.ledger().rules[0]?.groups).toBe(0);
    engine.dispose();
  });

  test("output: the names of 300 000 groups given back at once -> taken", async () => {
    const outputs = await loadOutputs();
    const { rules } = readRules([{ name: "r", text: merging }], { outputs, env: {}, naming: "telegraf" });
    const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: 0, maxFutureMs: 60_000, memoryBytesMax: 2 ** 28 });
    expect(() => {
      engine.admission.forgetGroups(Array.from({ length: 300_000 }, (_, i) => i));
    }).not.toThrow();
    engine.dispose();
  });
});
