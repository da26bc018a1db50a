// Every case of every output's testcases/: its input through its rules must give its rows, no others. A new case needs no code.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { replayRows } from "#limpet/bin/replayRows.js";
import type { Row } from "#limpet/metric/rowBlock.js";
import { compareRows } from "#limpet/metric/rowText.js";

const folder = new URL("../../../plugins/aggregators/", import.meta.url);
/** Half a bucket of a sketch at schema 6 (kernel/sketch.ts); every other output is exact. */
const SKETCH_ERROR = 0.005415;

interface Case {
  readonly name: string;
  readonly input: string;
  readonly expect: readonly Row[];
}

const cases = readdirSync(folder).flatMap((output) => {
  // The shape is CONTRACT's; a wrong one fails below.
  const file = parse(readFileSync(new URL(`${output}/testcases/cases.yaml`, folder), "utf8")) as {
    readonly rules: string;
    readonly tests: readonly Case[];
  };
  const rules = readFileSync(new URL(`${output}/testcases/${file.rules}`, folder), "utf8");
  return file.tests.map((one) => ({ output, rules, ...one }));
});

describe("testcases", () => {
  test("testcases: every output -> has some", () => {
    expect(new Set(cases.map(({ output }) => output))).toEqual(new Set(readdirSync(folder)));
  });

  test.each(cases)("$name", async ({ output, rules, input, expect: expected }) => {
    const rows = await replayRows(rules, [Buffer.from(input)]);
    const wanted = [...expected].sort(compareRows);
    expect(rows.map((row) => ({ ...row, value: 0 }))).toEqual(wanted.map((row) => ({ ...row, value: 0 })));
    for (const [i, { value }] of wanted.entries()) {
      const tolerance = output === "quantiles" ? Math.abs(value) * SKETCH_ERROR : 0;
      expect(Math.abs((rows[i]?.value ?? Number.NaN) - value)).toBeLessThanOrEqual(tolerance);
    }
  });
});
