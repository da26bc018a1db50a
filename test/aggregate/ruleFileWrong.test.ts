// Text in, text out: test/fixtures/rules/wrong.txt holds rule files and what is said about them, place by place.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { formatProblem } from "#limpet/aggregate/ruleFileProblem.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";

const path = new URL("../fixtures/rules/wrong.txt", import.meta.url);
const outputs = await loadOutputs();
const env = { BAD: "7x", INTERVAL: "1m" };

interface Case {
  readonly name: string;
  readonly yaml: string;
  readonly said: string;
}

function readCases(): { head: string; cases: Case[] } {
  const [head = "", ...blocks] = readFileSync(path, "utf8").split(/^## /m);
  const cases = blocks.map((block) => {
    const [, name = "", yaml = "", said = ""] = /^([^\n]*)\n(.*?)^-> problems\n(.*)$/ms.exec(block) ?? [];
    return { name, yaml, said: said.trimEnd() };
  });
  return { head, cases };
}

function say(yaml: string): string {
  const { problems } = readRules([{ name: "rules.yaml", text: yaml }], { outputs, env, naming: "telegraf" });
  return problems.map((problem) => `${formatProblem(problem)}\n${problem.excerpt}`).join("\n");
}

const { head, cases } = readCases();
if (process.env["UPDATE"] === "1") {
  writeFileSync(path, head + cases.map(({ name, yaml }) => `## ${name}\n${yaml}-> problems\n${say(yaml)}\n\n`).join(""));
}

test.each(readCases().cases)("rule file: $name -> said at its place", ({ yaml, said }) => {
  expect(say(yaml)).toBe(said);
});

test("rule file: the fixture -> at least 40 wrong files", () => {
  expect(cases.length).toBeGreaterThanOrEqual(40);
});
