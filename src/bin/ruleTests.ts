// Unit tests of rules, as `limpet test` runs them: YAML with a rule file, lines and the rows that are to come out.
//
//   {rules: FILE, tests: [{name, input, expect: [{name, labels, timestamp, value}]}]}
//
// The rows must be exactly these, in any order; values exactly, or, with `within: 0.01` on a row, a test or the file, up to that part
// of the expected value (for quantiles, which are within 0.54 %). Tests go by event time, as replay does.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Engine, type EngineAction } from "../aggregate/engine.js";
import type { Output } from "../aggregate/output.js";
import type { Rule } from "../aggregate/rule.js";
import { type Row, rowsOf } from "../metric/rowBlock.js";
import { compareRows, formatRow } from "../metric/rowText.js";
import { loadRules } from "./loadRules.js";

const special: Readonly<Record<string, number>> = { NaN: Number.NaN, "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity };
const within = z.number().min(0).max(1).optional();
const expectedRow = z.strictObject({
  name: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  timestamp: z.int(),
  value: z.union([
    z.number(),
    z.nan(),
    z.literal([Infinity, -Infinity]),
    z.enum(["NaN", "+Inf", "Inf", "-Inf"]).transform((text) => special[text] ?? Number.NaN),
  ]),
  within,
});
const testFile = z.strictObject({
  rules: z.union([z.string(), z.array(z.string()).min(1)]),
  naming: z.enum(["telegraf", "vmagent"]).default("telegraf"),
  within,
  tests: z.array(z.strictObject({ name: z.string(), input: z.string(), expect: z.array(expectedRow), within })).min(1),
});
type TestFile = z.infer<typeof testFile>;
type ExpectedRow = z.infer<typeof expectedRow>;

export interface TestReport {
  /** Lines to print: one per failed test with its differences, and one sum. */
  readonly lines: readonly string[];
  /** 0 all passed, 1 some did not, 2 the file or its rules are wrong. */
  readonly exitCode: 0 | 1 | 2;
}

function readTestFile(text: string): TestFile | string {
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 1000 });
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
  const read = testFile.safeParse(document);
  if (read.success) return read.data;
  return read.error.issues.map((issue) => `${issue.path.join(".") || "file"}: ${issue.message}`).join("\n");
}

function runLines(
  rules: readonly Rule[],
  outputs: ReadonlyMap<string, Output>,
  naming: TestFile["naming"],
  input: string,
): { rows: Row[]; said: string[] } {
  const engine = new Engine({ rules, outputs, naming, startMs: Number.NEGATIVE_INFINITY, maxFutureMs: 0, memoryBytesMax: 2 ** 30 });
  try {
    const actions: EngineAction[] = [...engine.feed(0, Buffer.from(input), true), ...engine.step(0, { kind: "finish" })];
    const said = actions.flatMap((action) =>
      action.kind === "invalid" ? [`input line ${String(action.line)}, column ${String(action.column)}: ${action.message}`] : [],
    );
    for (const { rule, pairsDropped } of engine.ledger().rules) {
      for (const [reason, count] of Object.entries(pairsDropped)) said.push(`rule ${rule}: ${String(count)} samples dropped (${reason})`);
    }
    return { rows: actions.flatMap((action) => (action.kind === "rows" ? rowsOf(action.block) : [])).sort(compareRows), said };
  } finally {
    engine.dispose();
  }
}

function equal(expected: number, got: number, part: number): boolean {
  if (expected === got || (Number.isNaN(expected) && Number.isNaN(got))) return true;
  return part > 0 && Math.abs(got - expected) <= part * Math.abs(expected);
}

function rowOf({ name, labels, timestamp, value }: ExpectedRow): Row {
  return { name, labels, timestamp, value };
}

/** Expected and got, row by row where the identity or the value differs. */
export function differencesOf(expected: readonly ExpectedRow[], got: readonly Row[], part: number): string[] {
  const wanted = expected.map((row) => ({ row: rowOf(row), part: row.within ?? part })).sort((a, b) => compareRows(a.row, b.row));
  const differences: string[] = [];
  const say = (want: Row | undefined, have: Row | undefined): void => {
    differences.push(
      `  expected ${want === undefined ? "nothing" : formatRow(want, "json")}`,
      `  got      ${have === undefined ? "nothing" : formatRow(have, "json")}`,
    );
  };
  let i = 0;
  for (const want of wanted) {
    for (; i < got.length && compareRows(at(got, i), want.row) < 0; i++) say(undefined, at(got, i));
    if (i >= got.length || compareRows(at(got, i), want.row) > 0) say(want.row, undefined);
    else {
      if (!equal(want.row.value, at(got, i).value, want.part)) say(want.row, at(got, i));
      i++;
    }
  }
  for (; i < got.length; i++) say(undefined, at(got, i));
  return differences;
}

function at(rows: readonly Row[], index: number): Row {
  const row = rows[index];
  if (row === undefined) throw new RangeError(`no row ${String(index)}`);
  return row;
}

/** Runs one file. */
export async function runTestFile(path: string, outputs: ReadonlyMap<string, Output>): Promise<TestReport> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => cause);
  if (typeof text !== "string") return { lines: [`${path}: cannot be read: ${text instanceof Error ? text.message : ""}`], exitCode: 2 };
  const file = readTestFile(text);
  if (typeof file === "string") return { lines: file.split("\n").map((line) => `${path}: ${line}`), exitCode: 2 };
  const patterns = (typeof file.rules === "string" ? [file.rules] : file.rules).map((rules) => resolve(dirname(path), rules));
  const { rules, messages } = await loadRules(patterns, { outputs, naming: file.naming });
  const lines = messages.flatMap((message) => (message.severity === "error" ? [message.text] : []));
  if (rules === undefined) return { lines, exitCode: 2 };
  let failed = 0;
  for (const test of file.tests) {
    const { rows, said } = runLines(rules, outputs, file.naming, test.input);
    const differences = differencesOf(test.expect, rows, test.within ?? file.within ?? 0);
    if (differences.length === 0) continue;
    failed++;
    lines.push(`${path}: ${test.name}`, ...differences, ...said.map((line) => `  ${line}`));
  }
  const passed = file.tests.length - failed;
  lines.push(`${path}: ${String(passed)} passed${failed === 0 ? "" : `, ${String(failed)} failed`}`);
  return { lines, exitCode: failed === 0 ? 0 : 1 };
}
