// Scenarios: rules, and points in arrival order, that the engine and the reference must make the same rows of.
//
//   anyOrder      outputs of a window's samples; `shuffled` is the same points in another order: the rows must be the same
//   counters      series that reset, pause and return, woven together; `rewoven` keeps each series' order
//   mixed         everything at once: colliding names, labels missing, several rules and intervals, all outputs, any order
//
// The first point of a counter scenario is always matched by a rule, since `first_sample: auto` goes by that moment.
import fc from "fast-check";
import { samplesOf } from "./naming.js";
import type { FieldValue, Point } from "./point.js";
import { counterStreams, dyadicValue, samplePoints, weave } from "./pointArbitraries.js";
import { matches } from "./referenceRule.js";
import { allRules, counterRules, sampleRules } from "./ruleArbitraries.js";
import { rulesYaml, type WrittenRule } from "./rulesYaml.js";
import { seededRandom, shuffled } from "./seededRandom.js";

export interface Scenario {
  readonly rules: readonly WrittenRule[];
  /** In arrival order. */
  readonly points: readonly Point[];
  /** Another order that must give the same rows. */
  readonly reordered: readonly Point[];
  /** For choices that do not shrink: spelling, chunk edges, snapshots. */
  readonly seed: number;
  /** Printed by fast-check with a counterexample. */
  toString(): string;
}

function describeScenario(rules: readonly WrittenRule[], points: readonly Point[]): string {
  const lines = points.map((point) => {
    const values = point.fields.map(([key, { kind, value }]) => `${key}=${kind} ${String(value)}`);
    return `${point.measurement} ${JSON.stringify(point.tags)} ${values.join(", ")} @${point.timeNs}`;
  });
  return `\n${rulesYaml(rules)}\n${lines.join("\n")}\n`;
}

function scenario(rules: readonly WrittenRule[], points: readonly Point[], reordered: readonly Point[], seed: number): Scenario {
  return { rules, points, reordered, seed, toString: () => describeScenario(rules, points) };
}

/** The points from the first one that a rule matches on. */
export function fromFirstMatch(rules: readonly WrittenRule[], points: readonly Point[]): readonly Point[] {
  const first = points.findIndex((point) => samplesOf(point).some((sample) => rules.some(({ rule }) => matches(rule, sample))));
  return first < 0 ? [] : points.slice(first);
}

const seeds = fc.integer();

export function anyOrder(value: fc.Arbitrary<FieldValue>): fc.Arbitrary<Scenario> {
  return fc
    .tuple(sampleRules, samplePoints(value), seeds)
    .map(([rules, points, seed]) => scenario(rules, points, shuffled(seededRandom(seed), points), seed));
}

/** Durations of the rules at which counters behave differently. */
function edgesOf(rules: readonly WrittenRule[]): number[] {
  return rules.flatMap(({ rule }) => [rule.intervalMs, rule.stalenessMs, rule.seriesMemoryMs, 2 * rule.seriesMemoryMs]);
}

const ranks = fc.array(fc.nat(720), { minLength: 1, maxLength: 40 });

/** Any arrival order within a series too (superseded samples); `reordered` is the same as `points`. */
export function counters(unit: number): fc.Arbitrary<Scenario> {
  return counterRules.chain((rules) =>
    fc.tuple(counterStreams({ unit, edges: edgesOf(rules), back: true }), ranks, seeds).map(([streams, order, seed]) => {
      const points = fromFirstMatch(rules, weave(streams, order));
      return scenario(rules, points, points, seed);
    }),
  );
}

/** Two weavings of the same series. Without `auto`, whose evidence is the first arrival of all. */
export function wovenTwice(unit: number): fc.Arbitrary<Scenario> {
  const evident = counterRules.map((rules) =>
    rules.map((written) => ({
      ...written,
      rule: { ...written.rule, firstSample: written.rule.firstSample === "auto" ? ("zero" as const) : written.rule.firstSample },
    })),
  );
  return evident.chain((rules) =>
    fc
      .tuple(counterStreams({ unit, edges: edgesOf(rules), back: true }), ranks, ranks, seeds)
      .map(([streams, first, second, seed]) => scenario(rules, weave(streams, first), weave(streams, second), seed)),
  );
}

export function mixed(): fc.Arbitrary<Scenario> {
  return fc.tuple(allRules, samplePoints(dyadicValue), seeds).map(([rules, all, seed]) => {
    const points = fromFirstMatch(rules, all);
    return scenario(rules, points, points, seed);
  });
}
