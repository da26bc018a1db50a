// Random rules that a rule file may hold: they load without errors, and no two of them write one series. Selectors, labels and
// names come from the small pools the points are made of (pointArbitraries.ts), so that rules and lines meet often.
import fc from "fast-check";
import { LABELS, METRICS } from "./pools.js";
import type { LabelTest, ReferenceRule } from "./referenceRule.js";
import type { WrittenRule } from "./rulesYaml.js";

type Outputs = ReferenceRule["outputs"];

const INTERVALS: readonly (readonly [string, number])[] = [
  ["1s", 1000],
  ["1500ms", 1500],
  ["2s", 2000],
  ["2000ms", 2000],
  ["10s", 10_000],
  ["1m", 60_000],
];

const labelTest: fc.Arbitrary<LabelTest> = fc.oneof(
  fc.record({
    label: fc.constantFrom(...LABELS, "absent"),
    op: fc.constantFrom("=" as const, "!=" as const),
    value: fc.constantFrom("a", "b", "eu", "us east", ""),
  }),
  fc.record({
    label: fc.constantFrom(...LABELS, "absent"),
    op: fc.constantFrom("=~" as const, "!~" as const),
    value: fc.constantFrom("a|b", "e.*", ".+", "", "[a-c]", "us (east|west)", ".*"),
  }),
);

const nameTest: fc.Arbitrary<LabelTest> = fc.oneof(
  fc.record({
    label: fc.constant("__name__"),
    op: fc.constantFrom("=" as const, "!=" as const),
    value: fc.constantFrom(...METRICS),
  }),
  fc.record({
    label: fc.constant("__name__"),
    op: fc.constantFrom("=~" as const, "!~" as const),
    value: fc.constantFrom("m.*", "m(_x)?_f", "(?:cpu|http)_.*", ".+", "x|bad_name_f", "[^m].*"),
  }),
);

const conjunction = fc
  .tuple(fc.option(nameTest, { nil: undefined, freq: 3 }), fc.array(labelTest, { minLength: 1, maxLength: 2 }))
  .map(([name, labels]) => (name === undefined ? labels : [name, ...labels.slice(1)]));

const match = fc.oneof(
  { weight: 4, arbitrary: fc.constant<LabelTest[][]>([]) },
  { weight: 6, arbitrary: fc.array(conjunction, { minLength: 1, maxLength: 3 }) },
);

const grouping: fc.Arbitrary<Pick<ReferenceRule, "by" | "without">> = fc.oneof(
  fc.constant({ by: undefined, without: undefined }),
  fc.subarray([...LABELS, "absent", "__name__"]).map((by) => ({ by, without: undefined })),
  fc.subarray([...LABELS, "absent"], { minLength: 1 }).map((without) => ({ by: undefined, without })),
);

const quantiles = fc.subarray([0, 0.25, 0.5, 0.9, 0.99, 1], { minLength: 1 }).map((args) => ({ name: "quantiles", args }));

const SAMPLE_OUTPUTS = [
  "sum_samples",
  "sum_samples_total",
  "count_samples",
  "count_series",
  "unique_samples",
  "histogram_bucket",
  "min",
  "max",
  "avg",
  "last",
  "stddev",
  "stdvar",
] as const;

const sampleOutputs: fc.Arbitrary<Outputs> = fc
  .tuple(fc.subarray([...SAMPLE_OUTPUTS], { minLength: 1 }), fc.option(quantiles, { nil: undefined }))
  .map(([names, ranks]) => [...names.map((name) => ({ name, args: [] })), ...(ranks === undefined ? [] : [ranks])]);

const counterOutputs: fc.Arbitrary<Outputs> = fc
  .subarray(["increase", "increase_prometheus", "total", "total_prometheus", "rate_sum", "rate_avg"], { minLength: 1 })
  .map((names) => names.map((name) => ({ name, args: [] })));

const memory = fc.constantFrom(60_000, 90_000, 3_600_000);
const shortMemory = fc.constantFrom(2000, 5000, 20_000, 61_000);

/** How a rule's outputs differ from those of the others: by name, by a constant label, or, for the first one, not at all. */
type Apart = "no" | "label" | "name" | "constant name";

function told(rule: ReferenceRule, apart: Apart, index: number): ReferenceRule {
  const prefix = `r${index}`;
  const way = apart === "no" && index > 0 ? "label" : apart;
  switch (way) {
    case "no":
      return rule;
    case "label":
      return { ...rule, labels: [["src", prefix]] };
    case "name":
      return { ...rule, keepMetricNames: false, outputName: `${prefix}:{metric}:{interval}_by_{by}_without_{without}_{output}` };
    case "constant name":
      return {
        ...rule,
        keepMetricNames: false,
        outputName: `${prefix}_all_{output}`,
        labels: [
          ["a0", "x"],
          ["zone", "y z"],
        ],
      };
  }
}

const shape = fc.record({
  match,
  grouping,
  interval: fc.constantFrom(...INTERVALS),
  /** Dedup intervals per interval. */
  dedup: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: fc.constantFrom(1, 2, 4, 5) }),
  keep: fc.boolean(),
  firstSample: fc.constantFrom("auto" as const, "zero" as const, "baseline" as const),
  memory: fc.oneof(memory, shortMemory),
  staleness: fc.option(fc.constantFrom(3000, 10_000, 45_000, 120_000), { nil: undefined }),
  temporality: fc.oneof({ weight: 4, arbitrary: fc.constant("cumulative" as const) }, fc.constant("delta" as const)),
  apart: fc.constantFrom<Apart>("no", "label", "name", "constant name"),
  joined: fc.boolean(),
});

type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

function ruleOf(from: Shape, allOutputs: Outputs): ReferenceRule {
  const [interval, intervalMs] = from.interval;
  const kept = from.temporality === "delta" ? allOutputs.filter(({ name }) => !name.startsWith("rate_")) : allOutputs;
  const outputs = kept.length > 0 ? kept : [{ name: "increase", args: [] }];
  return {
    match: from.match,
    interval,
    intervalMs,
    dedupMs: from.dedup === undefined ? 0 : intervalMs / from.dedup,
    ...from.grouping,
    outputs,
    keepMetricNames: from.keep && outputs.length === 1 && !["quantiles", "histogram_bucket"].includes(outputs[0]?.name ?? ""),
    outputName: undefined,
    labels: [],
    firstSample: from.firstSample,
    // A series cannot expire within a window: what rate_sum means then is not decided.
    seriesMemoryMs: Math.max(from.memory, intervalMs),
    stalenessMs: Math.max(from.staleness ?? 60_000, intervalMs),
    temporality: from.temporality,
  };
}

function rulesWith(outputs: fc.Arbitrary<Outputs>): fc.Arbitrary<WrittenRule[]> {
  return fc
    .array(fc.tuple(shape, outputs), { minLength: 1, maxLength: 4 })
    .map((all) => all.map(([from, calls], i) => ({ rule: told(ruleOf(from, calls), from.apart, i), joined: from.joined && from.match.length > 1 })));
}

/** Outputs that depend on the samples of a window alone. */
export const sampleRules: fc.Arbitrary<WrittenRule[]> = rulesWith(sampleOutputs);
export const counterRules: fc.Arbitrary<WrittenRule[]> = rulesWith(counterOutputs);
export const allRules: fc.Arbitrary<WrittenRule[]> = rulesWith(
  fc.tuple(sampleOutputs, counterOutputs).map(([samples, counters]) => [...samples, ...counters]),
);
