// The serving engine against the reference: windows that close by the clock, between them restarts with the state of a snapshot,
// and cuts of the key space.
// `replay` closes everything at the end, so that its snapshots hold no running total and no retired group; these do.
// LIMPET_RUNS and LIMPET_SEED as in engineReferenceSuite.ts.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Validity } from "#limpet/aggregate/rule.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import { anyOrder, counters, fromFirstMatch, mixed, type Scenario } from "../reference/arbitraries.js";
import { differences } from "../reference/compareRows.js";
import { lineText, telegrafLine } from "../reference/lineText.js";
import { timeMsOf } from "../reference/naming.js";
import type { Point } from "../reference/point.js";
import { dyadicValue } from "../reference/pointArbitraries.js";
import { referenceRows } from "../reference/reference.js";
import { rulesYaml } from "../reference/rulesYaml.js";
import { type Random, seededRandom } from "../reference/seededRandom.js";
import { type ServeStep, serveRows } from "./serveEngine.js";

const RUNS = Number(process.env["LIMPET_RUNS"] ?? 300);
const MS_PER_RUN_MAX = 200;
/** Lines come up to this much later than their time; the grace is 10 s. */
const DELAY_MS_MAX = 3000;
/** Past every grace, interval and staleness the rules may have. */
const END_MS = 600_000;

interface Arrival {
  readonly point: Point;
  readonly nowMs: number;
}

function arrivalsOf(scenario: Scenario, random: Random): Arrival[] {
  const all = scenario.points.map((point) => ({ point, nowMs: timeMsOf(point.timeNs) + Math.floor(random() * DELAY_MS_MAX) }));
  const ordered = all.sort((a, b) => a.nowMs - b.nowMs);
  const kept = fromFirstMatch(
    scenario.rules,
    ordered.map(({ point }) => point),
  );
  return ordered.slice(ordered.length - kept.length);
}

function stepsOf(arrivals: readonly Arrival[], random: Random): ServeStep[] {
  let nowMs = arrivals[0] === undefined ? 0 : timeMsOf(arrivals[0].point.timeNs);
  // The process starts at the first sample's own time, since when the reference takes its counters to be complete.
  const steps: ServeStep[] = [{ kind: "tick", nowMs }];
  const between = (untilMs: number): void => {
    while (random() < 0.5) {
      nowMs += Math.floor(random() * (untilMs - nowMs));
      if (random() < 0.2) steps.push({ kind: "cut", nowMs, key: Math.floor(random() * KEY_END) });
      if (random() < 0.1) steps.push({ kind: "drop", nowMs, key: Math.floor(random() * KEY_END) });
      const kind = random();
      if (kind < 0.5) for (let pieces = Math.floor(random() * 80); pieces > 0; pieces--) steps.push({ kind: "piece", nowMs });
      else steps.push({ kind: kind < 0.7 ? "restart" : "tick", nowMs });
    }
  };
  for (const { point, nowMs: arrival } of arrivals) {
    between(arrival);
    nowMs = arrival;
    // Lines end whole: what a restart does to half a line is the reader's matter (engineReferenceSuite.ts).
    steps.push({ kind: "lines", nowMs, text: random() < 0.7 ? telegrafLine(point) : lineText(point, random) });
  }
  between(nowMs + END_MS);
  steps.push({ kind: "tick", nowMs: nowMs + END_MS });
  return steps;
}

/** Bounds that fall among the lines: of rules that begin, that end, or both. */
function boundsOf(arrivals: readonly Arrival[], random: Random): Validity {
  const times = arrivals.map(({ point }) => timeMsOf(point.timeNs));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const [a, b] = [first + random() * (last - first), first + random() * (last - first)].map(Math.floor).sort((x, y) => x - y);
  const kind = random();
  return { fromMs: kind < 0.6 ? (a ?? 0) : Number.NEGATIVE_INFINITY, untilMs: kind > 0.3 ? (b ?? 0) : Number.POSITIVE_INFINITY };
}

async function agrees(scenario: Scenario, isBounded = false): Promise<void> {
  const random = seededRandom(scenario.seed);
  const arrivals = arrivalsOf(scenario, random);
  const steps = stepsOf(arrivals, random);
  const validity = isBounded && arrivals.length > 0 ? boundsOf(arrivals, random) : undefined;
  const actual = await serveRows(rulesYaml(scenario.rules), steps, validity);
  const rules = scenario.rules.map(({ rule }) => (validity === undefined ? rule : { ...rule, validity }));
  const points = arrivals.map(({ point }) => point);
  const found = differences(referenceRows(rules, points, "all retired"), actual);
  if (found.length === 0) return;
  const told = steps.map((step) => `${step.nowMs} ${step.kind === "lines" ? step.text.trimEnd() : step.kind}`);
  throw new Error(`${found.length} rows differ from the reference:\n${found.slice(0, 12).join("\n")}\n\nsteps:\n${told.join("\n")}`);
}

const properties: readonly (readonly [string, fc.Arbitrary<Scenario>])[] = [
  ["counters", counters(0.125)],
  ["counters of decimal fractions", counters(0.1)],
  ["samples", anyOrder(dyadicValue)],
  ["all outputs", mixed()],
];

describe("serving engine", () => {
  test("restart: total of 1e16 and 1, then -1e16 -> 1, exactly", async () => {
    const rule = "- {interval: 1s, outputs: [total], temporality: delta, by: [__name__]}\n";
    const rows = await serveRows(rule, [
      { kind: "lines", nowMs: 100_000, text: "m value=1e16 100000000000\nm value=1 100000000000\n" },
      { kind: "tick", nowMs: 111_000 },
      { kind: "restart", nowMs: 111_000 },
      { kind: "lines", nowMs: 111_000, text: "m value=-1e16 101000000000\n" },
      { kind: "tick", nowMs: 112_000 },
    ]);
    expect(rows.map(({ timestamp, value }) => [timestamp, value])).toEqual([
      [101_000, 1e16],
      [102_000, 1],
    ]);
  });

  test.each(properties)(
    "rules that begin and end among the lines: %s -> the reference's rows",
    async (_name, arbitrary) => {
      const seed = process.env["LIMPET_SEED"];
      const limits = { numRuns: Math.ceil(RUNS / 3), interruptAfterTimeLimit: RUNS * MS_PER_RUN_MAX, markInterruptAsFailure: true };
      const property = fc.asyncProperty(arbitrary, (scenario) => agrees(scenario, true));
      await fc.assert(property, { ...limits, ...(seed === undefined ? {} : { seed: Number(seed) }) });
    },
    RUNS * MS_PER_RUN_MAX * 2,
  );

  test.each(properties)(
    "ticks, cuts and restarts: %s -> the reference's rows",
    async (_name, arbitrary) => {
      const seed = process.env["LIMPET_SEED"];
      const limits = { numRuns: RUNS, interruptAfterTimeLimit: RUNS * MS_PER_RUN_MAX, markInterruptAsFailure: true };
      await fc.assert(
        fc.asyncProperty(arbitrary, (scenario) => agrees(scenario)),
        { ...limits, ...(seed === undefined ? {} : { seed: Number(seed) }) },
      );
    },
    RUNS * MS_PER_RUN_MAX * 2,
  );
});
