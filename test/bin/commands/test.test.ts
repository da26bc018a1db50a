import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "@jest/globals";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { runTestFile, type TestReport } from "#limpet/bin/ruleTests.js";

const outputs = await loadOutputs();
const folder = mkdtempSync(join(tmpdir(), "limpet-test-"));
writeFileSync(join(folder, "rules.yaml"), "- {match: m, interval: 10s, by: [a], outputs: [max]}\n");
writeFileSync(join(folder, "bad.yaml"), "- {match: m, interval: 10, outputs: [max]}\n");
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function run(text: string): Promise<TestReport> {
  writeFileSync(join(folder, "cases.yaml"), text);
  const { lines, exitCode } = await runTestFile(join(folder, "cases.yaml"), outputs);
  return { lines: lines.map((line) => line.replaceAll(`${folder}/`, "")), exitCode };
}

const input = "m,a=1,host=x value=3 1000000000\\nm,a=2 value=4 1000000000\\n";
const row = (a: string, value: unknown, more = ""): string =>
  `{name: "m:10s_by_a_max", labels: {a: "${a}"}, timestamp: 10000, value: ${String(value)}${more}}`;
const file = (rows: readonly string[], more = ""): string =>
  `{rules: rules.yaml${more}, tests: [{name: one, input: "${input}", expect: [${rows.join(", ")}]}]}`;
const shown = (a: string, value: string): string => `{"name":"m:10s_by_a_max","labels":{"a":"${a}"},"timestamp":10000,"value":${value}}`;

describe("limpet test: outputs' own cases", () => {
  const plugins = new URL("../../../plugins/aggregators/", import.meta.url);
  test.each(readdirSync(plugins))("limpet test: %s/testcases -> passes", async (name) => {
    const report = await runTestFile(fileURLToPath(new URL(`${name}/testcases/cases.yaml`, plugins)), outputs);
    expect([report.exitCode, ...report.lines.slice(0, -1)]).toEqual([0]);
  });
});

describe("limpet test: what it says", () => {
  test("limpet test: equal rows in another order -> passed", async () => {
    expect(await run(file([row("2", 4), row("1", 3)]))).toEqual({ lines: ["cases.yaml: 1 passed"], exitCode: 0 });
  });

  test("limpet test: a value, a row too few and one too many -> expected and got", async () => {
    const report = await run(file([row("1", 3.5), row("3", 9)]));
    expect(report.exitCode).toBe(1);
    expect(report.lines).toEqual([
      "cases.yaml: one",
      `  expected ${shown("1", "3.5")}`,
      `  got      ${shown("1", "3")}`,
      "  expected nothing",
      `  got      ${shown("2", "4")}`,
      `  expected ${shown("3", "9")}`,
      "  got      nothing",
      "cases.yaml: 0 passed, 1 failed",
    ]);
  });

  test.each([
    ["on the row", file([row("1", 3.01, ", within: 0.01"), row("2", 4)]), 0],
    ["on the row alone", file([row("1", 3.01, ", within: 0.01"), row("2", 4.01)]), 1],
    ["on the file", file([row("1", 3.01), row("2", 4.01)], ", within: 0.01"), 0],
    ["too small", file([row("1", 3.01), row("2", 4)], ", within: 0.001"), 1],
    ["the row's goes before the file's", file([row("1", 3.01, ", within: 0"), row("2", 4)], ", within: 0.01"), 1],
  ])("limpet test: within %s -> relative to the expected value", async (_where, text, exitCode) => {
    expect((await run(text)).exitCode).toBe(exitCode);
  });

  test("limpet test: a bad line in the input -> said below the differences", async () => {
    const report = await run(file([row("1", 3)]).replace("m,a=2 value", "m,a=2 ,"));
    expect(report).toEqual({ lines: ["cases.yaml: 1 passed"], exitCode: 0 });
    const failing = await run(file([row("1", 5)]).replace("m,a=2 value", "m,a=2 ,"));
    expect(failing.lines).toContainEqual(expect.stringMatching(/^ {2}input line 2, column \d+: /));
  });

  test.each([
    ["{rules: rules.yaml, tests: []}", ["cases.yaml: tests: Too small: expected array to have >=1 items"]],
    [
      "{rules: rules.yaml, test: []}",
      ["cases.yaml: tests: Invalid input: expected array, received undefined", 'cases.yaml: file: Unrecognized key: "test"'],
    ],
    ["a: [", ["cases.yaml: "]],
    [file([]).replace("rules.yaml", "bad.yaml"), ["bad.yaml:1:24: rules[0].interval: 10 has no unit"]],
    [file([]).replace("rules.yaml", "none.yaml"), ["none.yaml: no such file"]],
  ])("limpet test: %s -> exit code 2 and why", async (text, said) => {
    const report = await run(text);
    expect(report.exitCode).toBe(2);
    for (const [i, line] of said.entries()) expect(report.lines[i]).toContain(line);
  });
});
