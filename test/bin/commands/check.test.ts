import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Command } from "commander";
import { checkRuleFiles, registerCheck } from "#limpet/bin/commands/check.js";
import { readRuleFiles } from "#limpet/bin/readRuleFiles.js";

const folder = mkdtempSync(join(tmpdir(), "limpet-check-"));
const good = "- {match: m, interval: 1m, outputs: [total]}\n";
const bad = "- match: n\n  interval: 7x\n  outputs: [total]\n";

beforeAll(() => {
  for (const [path, text] of Object.entries({
    "a.yaml": good,
    "b.yml": good.replace("m,", "b,"),
    "bad.yaml.off": bad,
    "deep/c.yaml": good,
    "deep/er/d.yaml": good,
    ".hidden.yaml": bad,
    "empty/x.txt": "",
  })) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function names(...patterns: string[]): Promise<string[]> {
  const { files, failures } = await readRuleFiles(patterns.map((pattern) => join(folder, pattern)));
  return [...files.map((file) => file.name), ...failures].map((text) => text.replaceAll(`${folder}/`, ""));
}

describe("rule files: arguments", () => {
  test.each([
    ["a file", ["bad.yaml.off"], ["bad.yaml.off"]],
    ["a folder", [""], ["a.yaml", "b.yml"]],
    ["a glob", ["*.yaml"], ["a.yaml"]],
    ["a glob with ?", ["?.y*ml"], ["a.yaml", "b.yml"]],
    ["a glob over folders", ["*/*.yaml"], ["deep/c.yaml"]],
    ["a glob of any depth", ["**/*.yaml"], ["a.yaml", "deep/c.yaml", "deep/er/d.yaml"]],
    ["a glob in the middle", ["d*p/er/d.yaml"], ["deep/er/d.yaml"]],
    ["a file twice", ["a.yaml", "*.yaml"], ["a.yaml"]],
    ["nothing there", ["no.yaml"], ["no.yaml: no such file or folder"]],
    ["a glob without a match", ["no*.yaml"], ["no*.yaml: no file matches; is no*.yaml right?"]],
    ["a folder without rules", ["empty"], ["empty: the folder has no *.yaml or *.yml files"]],
  ])("rule files: %s -> %j", async (_what, patterns, expected) => {
    expect(await names(...patterns)).toEqual(expected);
  });
});

describe("check: what is printed", () => {
  test("check: good files -> ok, exit 0", async () => {
    const { text, exitCode } = await checkRuleFiles([join(folder, "a.yaml"), join(folder, "b.yml")], "telegraf", {});
    expect([text, exitCode]).toEqual(["2 files, 2 rules: ok", 0]);
  });

  test("check: warnings -> printed, exit 0", async () => {
    writeFileSync(join(folder, "warn.off"), "- {interval: 1m, by: [], outputs: [total]}\n");
    const { text, exitCode } = await checkRuleFiles([join(folder, "warn.off")], "telegraf", {});
    expect(text.split("\n").at(-1)).toBe("1 file, 1 rule: ok, 1 warning, 1 info");
    expect(exitCode).toBe(0);
  });

  test("check: a wrong and a missing file -> both said with the caret, exit 2", async () => {
    const { text, exitCode } = await checkRuleFiles([join(folder, "bad.yaml.off"), join(folder, "no.yaml"), join(folder, "a.yaml")], "telegraf", {});
    expect(text.replaceAll(`${folder}/`, "")).toBe(
      [
        "no.yaml: no such file or folder",
        "bad.yaml.off:2:13: rules[0].interval: 7x is not a duration; use 10s or 1m",
        "    2 |   interval: 7x",
        "      |             ^",
        "2 files, 1 good rule: 2 errors",
      ].join("\n"),
    );
    expect(exitCode).toBe(2);
  });

  test("check: the command -> takes files and --naming, needs at least one file", () => {
    const program = new Command();
    registerCheck(program);
    const [command] = program.commands;
    expect(command?.helpInformation()).toMatch(/check \[options\] <file\.\.\.>[\s\S]*--naming/);
  });
});
