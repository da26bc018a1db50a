// The conformance suite of an aggregation engine: on random rules and lines its rows are the reference's, whatever the order of
// the lines (each series' own order for counters), the edges of the chunks and the moments it is moved by snapshot.
//
//   LIMPET_RUNS=300   random scenarios per property
//   LIMPET_SEED=N     replays: a failure prints the seed, fast-check's shrunk scenario and the rows that differ
import { describe, test } from "@jest/globals";
import fc from "fast-check";
import type { Row } from "#limpet/metric/rowBlock.js";
import { anyOrder, counters, mixed, type Scenario, wovenTwice } from "../reference/arbitraries.js";
import { differences } from "../reference/compareRows.js";
import { chunksOf, linesText } from "../reference/lineText.js";
import type { Point } from "../reference/point.js";
import { dyadicValue, generalValue } from "../reference/pointArbitraries.js";
import { referenceRows } from "../reference/reference.js";
import { rulesYaml } from "../reference/rulesYaml.js";
import { type Random, seededRandom } from "../reference/seededRandom.js";

/**
 * What `limpet replay` would print, as rows in any order. Chunk edges may fall anywhere, within a character too. Before each
 * chunk whose index stands in `snapshotAt` the engine is snapshotted and a fresh one goes on from there.
 */
export type ReplayEngine = (
  rulesYaml: string,
  chunks: readonly Uint8Array[],
  options?: { readonly snapshotAt?: readonly number[] },
) => Promise<Row[]>;

const RUNS = Number(process.env["LIMPET_RUNS"] ?? 300);
const DIFFERENCES_SHOWN = 12;
const MS_PER_RUN_MAX = 200;

interface Trial {
  readonly scenario: Scenario;
  readonly arrival: readonly Point[];
  readonly snapshots: boolean;
}

function snapshotsAt(random: Random, chunkCount: number): number[] {
  return Array.from({ length: chunkCount }, (_, i) => i).filter(() => random() < 0.4);
}

async function agrees(engine: ReplayEngine, { scenario, arrival, snapshots }: Trial): Promise<void> {
  const random = seededRandom(scenario.seed);
  const text = linesText(arrival, random);
  const chunks = chunksOf(text, random);
  const options = snapshots ? { snapshotAt: snapshotsAt(random, chunks.length) } : {};
  const actual = await engine(rulesYaml(scenario.rules), chunks, options);
  const rules = scenario.rules.map(({ rule }) => rule);
  const found = differences(referenceRows(rules, scenario.points), actual);
  if (found.length === 0) return;
  const shown = found.slice(0, DIFFERENCES_SHOWN).join("\n");
  throw new Error(`${found.length} rows differ from the reference:\n${shown}\n\nlines as sent:\n${text}`);
}

async function check(arbitrary: fc.Arbitrary<Scenario>, engine: (scenario: Scenario) => Promise<void>): Promise<void> {
  const seed = process.env["LIMPET_SEED"];
  const property = fc.asyncProperty(arbitrary, engine);
  // Shrinking ends with the limit too; a machine too slow for the runs is a failure, not fewer runs.
  const limits = { numRuns: RUNS, interruptAfterTimeLimit: RUNS * MS_PER_RUN_MAX, markInterruptAsFailure: true };
  await fc.assert(property, { ...limits, ...(seed === undefined ? {} : { seed: Number(seed) }) });
}

const properties: readonly (readonly [string, fc.Arbitrary<Scenario>])[] = [
  ["samples in any order -> rows of the ordered ones", anyOrder(dyadicValue)],
  ["any doubles in any order -> rows within one ulp", anyOrder(generalValue)],
  ["counters as they arrive -> the reference's rows", counters(0.125)],
  ["counters of decimal fractions -> rows within one ulp", counters(0.1)],
  ["counters woven in two ways -> the same rows", wovenTwice(0.125)],
  ["all outputs, colliding names, several rules -> the reference's rows", mixed()],
];

/** Registers the suite's tests. */
export function describeEngineReference(name: string, engine: ReplayEngine): void {
  describe(name, () => {
    test.each(properties)(
      "rows: %s",
      async (_property, arbitrary) => {
        await check(arbitrary, (scenario) => agrees(engine, { scenario, arrival: scenario.reordered, snapshots: false }));
      },
      RUNS * MS_PER_RUN_MAX * 2,
    );

    test.each(properties)(
      "snapshot: restored at random points, %s",
      async (_property, arbitrary) => {
        await check(arbitrary, (scenario) => agrees(engine, { scenario, arrival: scenario.reordered, snapshots: true }));
      },
      RUNS * MS_PER_RUN_MAX * 2,
    );
  });
}
