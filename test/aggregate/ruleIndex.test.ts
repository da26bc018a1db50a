import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Rule } from "#limpet/aggregate/rule.js";
import { buildRuleIndex, matchingRules } from "#limpet/aggregate/ruleIndex.js";
import { parseSelector } from "#limpet/metric/selectorParse.js";
import { labelOf, type Series } from "#limpet/metric/series.js";

function rule(selectors: readonly string[], state: Rule["state"] = "active"): Rule {
  const match = selectors.map((text) => {
    const parsed = parseSelector(text);
    if (!parsed.ok) throw new Error(`${text}: ${parsed.error.message}`);
    return parsed.selector;
  });
  // The index reads these two fields of a Rule only.
  return { match, state } as unknown as Rule;
}

/** The naive loop, written from the meaning of the operators and not from the index's or the matchers' code. */
function naive(rules: readonly Rule[], series: Series): number[] {
  const holds = (op: string, want: string, got: string): boolean => {
    if (op === "=") return got === want;
    if (op === "!=") return got !== want;
    return new RegExp(`^(?:${want})$`, "s").test(got) === (op === "=~");
  };
  return [...rules.keys()].filter((i) => {
    const { match = [], state } = rules[i] ?? {};
    if (state === "off") return false;
    return match.length === 0 || match.some((s) => s.alternatives.some((all) => all.every((m) => holds(m.op, m.value, labelOf(series, m.label)))));
  });
}

const names = ["m", "n", "http_requests", "http_errors", "http", "cpu"];
const values = ["", "a", "b", "ab", "abc", "prod-eu-west-1", "prod-eu-west-2", "prod"];
const labels = ["env", "zone", "host"];
const patterns = [
  "a|b",
  "(a|ab)",
  "a.*",
  "prod-eu-.*",
  "prod-eu-west-1|b",
  "",
  ".*",
  ".+",
  "a?",
  "[ab]+",
  "http_.+",
  "m|n",
  "a|",
  "prod.*|a",
  "abc*",
  ".*requests",
  ".*_(requests|errors)",
  "(?:http|cpu)_.+",
  ".*eu-west-[12]",
  "(.*prod.*|.*requests.*)",
  "[a-z]+-eu.*",
  "p?rod.*west.*",
  "(prod-eu-west-){1}1",
];

const matcher = fc.oneof(
  fc.tuple(fc.constantFrom(...labels, "__name__"), fc.constantFrom("=", "!="), fc.constantFrom(...values, ...names)),
  fc.tuple(fc.constantFrom(...labels, "__name__"), fc.constantFrom("=~", "!~"), fc.constantFrom(...patterns)),
);
const conjunction = fc
  .array(
    matcher.map(([label, op, value]) => `${label}${op}"${value}"`),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) => all.join(","));
const selector = fc.oneof(
  fc.constantFrom(...names, "{}"),
  fc.tuple(fc.constantFrom("", ...names), fc.array(conjunction, { minLength: 1, maxLength: 3 })).map(([name, any]) => `${name}{${any.join(" or ")}}`),
);
const anyRule = fc.tuple(fc.array(selector, { maxLength: 3 }), fc.constantFrom<Rule["state"][]>("active", "active", "shadow", "off"));
const anySeries: fc.Arbitrary<Series> = fc.record({
  name: fc.constantFrom(...names),
  labels: fc
    .tuple(...labels.map((label) => fc.constantFrom(...values).map((value) => [label, value] as const)))
    .map((all) => all.filter(([, value]) => value !== "").sort(([a], [b]) => (a < b ? -1 : 1))),
});

test("rule index: random rules and series -> the answer of the naive loop", () => {
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 12 }), fc.array(anySeries, { minLength: 1, maxLength: 8 }), (parts, tried) => {
      const rules = parts.map(([selectors, state]) => rule(selectors, state));
      const index = buildRuleIndex(rules);
      for (const series of tried) expect(matchingRules(index, series)).toEqual(naive(rules, series));
    }),
    { numRuns: 1500 },
  );
});

test("rule index: 5000 rules of one metric each -> a look-up tries a handful", () => {
  let tried = 0;
  const rules = Array.from({ length: 5000 }, (_, i) => {
    const made = rule([`metric_${String(i)}{env="prod",zone=~"a|b"}`]);
    const match = made.match.map((s) => ({
      ...s,
      alternatives: s.alternatives.map((all) => all.map((m) => ({ ...m, accepts: (got: string) => ++tried > 0 && m.accepts(got) }))),
    }));
    return { ...made, match };
  });
  const index = buildRuleIndex(rules);
  tried = 0;
  expect(
    matchingRules(index, {
      name: "metric_77",
      labels: [
        ["env", "prod"],
        ["zone", "b"],
      ],
    }),
  ).toEqual([77]);
  expect(tried).toBeLessThan(10);
});

test("rule index: 5000 rules of expressions alone -> a look-up of a new name tries few, of a known one none", () => {
  let tried = 0;
  const shapes = [".*_total_NUMBERx", "(?:a|b)_NUMBERx.*", "[a-z]+_NUMBERx_(?:sum|count)", ".+(NUMBERxa|NUMBERxb)", "(x[0-9]|y)_NUMBERx?y?"];
  const rules = Array.from({ length: 5000 }, (_, i) => {
    const made = rule([`{__name__=~"${(shapes[i % shapes.length] ?? "").replaceAll("NUMBER", String(10_000 + i))}",env!="dev"}`]);
    const match = made.match.map((s) => ({
      ...s,
      alternatives: s.alternatives.map((all) =>
        all.map((m) => (m.label === "__name__" ? { ...m, accepts: (got: string) => ++tried > 0 && m.accepts(got) } : m)),
      ),
    }));
    return { ...made, match };
  });
  const index = buildRuleIndex(rules);
  tried = 0;
  expect(matchingRules(index, { name: "m_total_10005x", labels: [] })).toEqual([5]);
  expect(matchingRules(index, { name: "b_10006xyz", labels: [] })).toEqual([6]);
  expect(tried).toBeLessThan(300);
  tried = 0;
  expect(matchingRules(index, { name: "b_10006xyz", labels: [["pod", "new"]] })).toEqual([6]);
  expect(tried).toBe(0);
});

test("rule index: 1000 rules that differ in a prefix or a label of the value -> a look-up tries few", () => {
  let tried = 0;
  const rules = Array.from({ length: 1000 }, (_, i) => {
    const made = rule([i % 2 === 0 ? `{__name__=~"p${String(i)}_.*",env="prod"}` : `{env="prod",host="h${String(i)}"}`]);
    const match = made.match.map((s) => ({
      ...s,
      alternatives: s.alternatives.map((all) => all.map((m) => ({ ...m, accepts: (got: string) => ++tried > 0 && m.accepts(got) }))),
    }));
    return { ...made, match };
  });
  const index = buildRuleIndex(rules);
  tried = 0;
  expect(
    matchingRules(index, {
      name: "p10_x",
      labels: [
        ["env", "prod"],
        ["host", "h7"],
      ],
    }),
  ).toEqual([7, 10]);
  expect(tried).toBeLessThan(10);
});
