// The summary line is what machines believe: it must not say "0 failed" for anything but success.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly lastLine: string;
}

/** Runs `npm test`'s script over one test file with this text. */
function run(text: string, ci: boolean): Ended {
  const folder = mkdtempSync(join(tmpdir(), "limpet-run-"));
  writeFileSync(join(folder, "package.json"), "{}");
  writeFileSync(join(folder, "a.test.js"), text);
  const config = JSON.stringify({ testEnvironment: "node", transform: {} });
  const result = spawnSync(process.execPath, ["test/run.mjs", `--rootDir=${folder}`, `--config=${config}`, "--runInBand"], {
    encoding: "utf8",
    env: { ...process.env, CI: ci ? "true" : "" },
  });
  rmSync(folder, { recursive: true });
  return { status: result.status, stdout: result.stdout, lastLine: result.stdout.trimEnd().split("\n").at(-1) ?? "" };
}

const PASS = "test('good', () => {});";
const SKIP = "test.skip('left out', () => {});";

describe("npm test", () => {
  test.each([
    ["all pass", PASS, false, 0, "1 passed, 0 failed"],
    ["one fails", `${PASS} test('bad', () => { throw new Error('x'); });`, false, 1, "1 passed, 1 failed"],
    ["one is skipped, at home", PASS + SKIP, false, 0, "1 passed, 0 failed"],
    ["one is skipped, under CI", PASS + SKIP, true, 1, "1 passed, 1 failed"],
    ["one is still to be written, under CI", `${PASS} test.todo('later');`, true, 1, "1 passed, 1 failed"],
    ["the file does not load", "throw new Error('x');", false, 1, "0 passed, 1 failed"],
    ["the file has no test", "", false, 1, "0 passed, 1 failed"],
    ["jest is killed", "test('x', () => { process.kill(process.pid, 'SIGKILL'); });", false, 1, "0 passed, 1 failed"],
  ] as const)("summary: %s -> exit code and last line say so", (_name, text, ci, status, lastLine) => {
    const ended = run(text, ci);
    expect([ended.status, ended.lastLine]).toEqual([status, lastLine]);
  });

  test("skipped -> listed by name", () => {
    expect(run(PASS + SKIP, false).stdout).toMatch(/SKIPPED, not tested:\n.*a\.test\.js: left out \(pending\)/);
  });
});
