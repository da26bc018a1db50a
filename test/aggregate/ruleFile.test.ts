import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Rule } from "#limpet/aggregate/rule.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { formatProblem } from "#limpet/aggregate/ruleFileProblem.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";

const outputs = await loadOutputs();
const root = new URL("../../", import.meta.url);

function read(...texts: string[]): { rules: Rule[]; said: string[] } {
  const files = texts.map((text, i) => ({ name: i === 0 ? "rules.yaml" : `rules${String(i + 1)}.yaml`, text }));
  const { rules, problems } = readRules(files, { outputs, env: { REGION: "eu", EVIL: "a\nb", EMPTY: "" }, naming: "telegraf" });
  return { rules, said: problems.map(formatProblem) };
}

/** The only rule of a text that has no errors. */
function one(text: string): Rule {
  const { rules, said } = read(text);
  const [rule] = rules;
  if (rule === undefined || rules.length !== 1) throw new Error(`${String(rules.length)} rules\n${said.join("\n")}`);
  return rule;
}

const rest = "  interval: 1m\n  outputs: [total]\n";

describe("rule file: good files", () => {
  const folders = ["configs/rules/", "test/fixtures/rules/good/"].map((folder) => new URL(folder, root));
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => new URL(name, folder)));
  test.each(files.map((url) => [url.pathname.slice(root.pathname.length), url] as const))("rule file: %s -> no errors or warnings", (_name, url) => {
    const { rules, said } = read(readFileSync(url, "utf8"));
    expect(said.filter((line) => !line.includes(": info: "))).toEqual([]);
    expect(rules.length).toBeGreaterThan(1);
  });

  test("rule file: a rule of three keys -> every default filled in", () => {
    const rule = one(`- match: 'm{a="1"}'\n${rest}`);
    expect({ ...rule, match: rule.match.map((selector) => selector.text) }).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      name: rule.id,
      place: "rules.yaml:1:3",
      match: ['m{a="1"}'],
      filter: undefined,
      dropInputLabels: [],
      inputRelabel: [],
      outputRelabel: [],
      interval: "1m",
      intervalMs: 60_000,
      dedupMs: 0,
      by: undefined,
      without: undefined,
      outputs: [{ name: "total", args: [] }],
      keepMetricNames: false,
      outputName: undefined,
      labels: [],
      graceMs: 10_000,
      late: "carry",
      time: "event",
      firstSample: "auto",
      seriesMemoryMs: 3_600_000,
      stalenessMs: 60_000,
      maxSeries: 1_000_000,
      maxGroups: 1_000_000,
      temporality: "cumulative",
      sketch: "exponential",
      matched: "drop",
      type: undefined,
      state: "active",
    });
  });

  test("rule file: every key -> its value", () => {
    const rule = one(`
- name: all
  match: m
  interval: 2m
  dedup_interval: 30s
  by: [z, __name__, b]
  outputs: [min, "quantiles( 0.5 , 1 )"]
  output_name: "{metric}:{output}"
  grace: 0s
  late: drop
  time: arrival
  first_sample: baseline
  series_memory: 2h
  staleness_interval: 1d
  max_series: 10
  max_groups: 20
  labels: {z2: "2", a1: "1"}
  type: gauge
  temporality: delta
  sketch: tdigest
  matched: keep
  state: shadow
`);
    expect(rule).toEqual({
      id: expect.any(String),
      place: "rules.yaml:2:3",
      match: [expect.objectContaining({ text: "m" })],
      name: "all",
      filter: undefined,
      dropInputLabels: [],
      inputRelabel: [],
      outputRelabel: [],
      interval: "2m",
      intervalMs: 120_000,
      dedupMs: 30_000,
      by: ["b", "z"],
      without: undefined,
      outputs: [
        { name: "min", args: [] },
        { name: "quantiles", args: [0.5, 1] },
      ],
      keepMetricNames: false,
      outputName: "{metric}:{output}",
      labels: [
        ["a1", "1"],
        ["z2", "2"],
      ],
      graceMs: 0,
      late: "drop",
      time: "arrival",
      firstSample: "baseline",
      seriesMemoryMs: 7_200_000,
      stalenessMs: 86_400_000,
      maxSeries: 10,
      maxGroups: 20,
      temporality: "delta",
      sketch: "tdigest",
      matched: "keep",
      type: "gauge",
      state: "shadow",
    });
  });

  test("rule file: by [__name__] -> one group per metric; by [] -> each series on its own", () => {
    expect(one(`- match: m\n  by: [__name__]\n${rest}`).by).toEqual([]);
    expect(one(`- match: m\n  by: []\n${rest}`).by).toBeUndefined();
    expect(one(`- match: m\n  without: []\n${rest}`).without).toBeUndefined();
  });

  test("rule file: vmagent's keys -> what they mean here", () => {
    expect(one(`- match: m\n  ignore_old_samples: true\n  ignore_first_sample_interval: 0s\n${rest}`)).toMatchObject({
      late: "drop",
      firstSample: "zero",
    });
    expect(one(`- match: m\n  ignore_old_samples: false\n  ignore_first_sample_interval: 5m\n${rest}`)).toMatchObject({
      late: "carry",
      firstSample: "auto",
    });
  });

  test("rule file: staleness -> the interval, at least a minute", () => {
    expect(one("- {match: m, interval: 10s, outputs: [min]}").stalenessMs).toBe(60_000);
    expect(one("- {match: m, interval: 5m, outputs: [min]}").stalenessMs).toBe(300_000);
  });
});

describe("rule file: defaults, merges and variables", () => {
  test("defaults: a rule's own key, or its counterpart -> the default gives way", () => {
    const { rules, said } = read(readFileSync(new URL("test/fixtures/rules/good/anchors.yaml", root), "utf8"));
    expect(said).toEqual([]);
    expect(rules.map(({ name, interval, by, without }) => ({ name, interval, by, without }))).toEqual([
      { name: "requests", interval: "1m", by: ["region", "service"], without: undefined },
      { name: "errors", interval: "1m", by: ["region", "service"], without: undefined },
      { name: "hosts", interval: "10s", by: undefined, without: ["host"] },
      { name: "again", interval: "1m", by: ["region", "service"], without: undefined },
    ]);
  });

  test("rules of one id in two files -> one rule at the first's place, outputs united", () => {
    const { rules, said } = read(`- match: m\n${rest}`, "- match: ['{\"m\"}']\n  interval: 1m\n  outputs: [avg]\n");
    expect(said).toEqual([]);
    expect(rules.map(({ place, outputs: calls }) => [place, calls.map((call) => call.name)])).toEqual([["rules.yaml:1:3", ["total", "avg"]]]);
  });

  test("variables: set -> their value; in a comment -> left alone; a place behind one -> the place in the file", () => {
    const text = `# %{NOWHERE}\n- match: 'm{r="%{REGION}"}'\n  labels: {r: %{REGION}, x: 5}\n${rest}`;
    expect(read(text).said).toEqual(['rules.yaml:3:29: rules[0].labels.x: 5 is not text; quote it: "5"']);
    expect(one(text.replace("x: 5", 'x: "5"')).match[0]?.text).toBe('m{r="eu"}');
  });

  test("variables: with a line break or empty -> no wrong rule, places stay in the file", () => {
    expect(read(`- match: m\n  name: %{EVIL}\n${rest}`).said.length).toBeGreaterThan(0);
    expect(read(`- match: m%{EMPTY}\n${rest}`).said).toEqual([]);
  });

  test("by with __proto__ and constructor as keys -> unknown keys, not a crash", () => {
    expect(read(`- match: m\n  __proto__: 1\n  constructor: 2\n${rest}`).said).toEqual([
      "rules.yaml:2:3: rules[0]: unknown key __proto__; docs/rules.md lists the keys",
      "rules.yaml:3:3: rules[0]: unknown key constructor; docs/rules.md lists the keys",
    ]);
  });

  test("naming vmagent -> raw names are no warning", () => {
    const text = `- match: 'a.b{c.d="1"}'\n  by: [x.y]\n${rest}`;
    expect(readRules([{ name: "r", text }], { outputs, env: {}, naming: "vmagent" }).problems).toEqual([]);
    expect(read(text).said.length).toBe(3);
  });
});

describe("rule file: hostile files", () => {
  test("nesting without end -> one error", () => {
    for (const text of ["[".repeat(100_000), "- ".repeat(5_000), "{a: ".repeat(2_000), `- match: ${"[".repeat(40)}${"]".repeat(40)}\n${rest}`]) {
      const { rules, said } = read(text);
      expect(rules).toEqual([]);
      expect(said.length).toBeGreaterThan(0);
    }
  });

  test("aliases that multiply -> refused", () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) =>
        `- &l${String(i + 1)} [${Array(9)
          .fill(`*l${String(i)}`)
          .join(", ")}]`,
    );
    const { said } = read(`- &l0 [x, x, x, x, x, x, x, x, x]\n${levels.join("\n")}\n`);
    expect(said.filter((line) => line.includes("aliases add more than 100000 values"))).toHaveLength(1);
  });

  test("a file of more than 16 MiB -> refused unread", () => {
    expect(read("#".repeat(17 * 1024 * 1024)).said).toEqual(["rules.yaml:1:1: the file has 17825792 characters, more than 16777216; split it"]);
  });

  test("Windows line ends and a byte order mark -> read as ever", () => {
    expect(one(`\ufeff- match: m\n${rest}`.replaceAll("\n", "\r\n")).interval).toBe("1m");
  });

  test("any text -> an answer with places inside the file", () => {
    const good = readFileSync(new URL("test/fixtures/rules/good/anchors.yaml", root), "utf8");
    const pieces = fc.constantFrom(
      "- ",
      "match: m\n",
      "  interval: 1m\n",
      "  outputs: [total]\n",
      "[",
      "]",
      "{",
      "}",
      ": ",
      "&a ",
      "*a",
      "<<: *a\n",
      "%{REGION}",
      "%{X}",
      "'",
      '"',
      "\n",
      "\t",
      "!x ",
      "\u0000",
      "\ud800",
      "|",
      "#",
      "? ",
      "---\n",
      "rules:\n",
      "defaults: ",
    );
    const edited = fc
      .tuple(fc.nat(good.length), fc.nat(8), fc.array(pieces, { maxLength: 3 }))
      .map(([at, cut, parts]) => good.slice(0, at) + parts.join("") + good.slice(at + cut));
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces, { maxLength: 15 }).map((parts) => parts.join("")),
      edited,
    );
    fc.assert(
      fc.property(anything, (text) => {
        const { problems } = readRules([{ name: "f", text }], { outputs, env: { REGION: "eu" }, naming: "telegraf" });
        const lines = text.split("\n");
        for (const { line, column } of problems) expect(column - 1).toBeLessThanOrEqual(lines[line - 1]?.length ?? -1);
      }),
      { numRuns: 400 },
    );
  });
});

describe("unmatched: pass", () => {
  const said = (rule: string, unmatched: "drop" | "pass"): string[] =>
    readRules([{ name: "r.yaml", text: `- {interval: 1m, outputs: [last], keep_metric_names: true, ${rule}}` }], {
      outputs,
      env: {},
      naming: "telegraf",
      unmatched,
    })
      .problems.filter(({ severity }) => severity === "error")
      .map(({ message }) => message);

  test.each<[string, string | undefined]>([
    ["match: m, without: [host]", undefined],
    ["match: 'm{env=\"a\"}', by: [env]", undefined],
    ["match: 'm{env=\"a\"}'", undefined],
    ["match: 'm{env=\"a\"}', by: [host]", "by the label env"],
    ["match: 'm{env=\"a\"}', without: [env]", "by the label env"],
    ["match: m, tagpass: {env: [a]}", "by its filters or relabelling"],
    ["match: m, drop_input_labels: [host]", "by its filters or relabelling"],
    ["match: 'm{env=\"a\"}', by: [host], state: shadow", undefined],
  ])("rule file: kept name, %s -> refused only where a raw series could be the output", (rule, why) => {
    const errors = said(rule, "pass");
    expect(errors).toEqual(why === undefined ? [] : [expect.stringContaining(why)]);
    expect(said(rule, "drop")).toEqual([]);
  });
});
