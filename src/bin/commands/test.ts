// `limpet test FILE...`: unit tests of rules; ruleTests.ts has the format.
import type { Command } from "commander";
import { loadOutputs } from "../loadOutputs.js";
import { runTestFile } from "../ruleTests.js";

export function registerTest(program: Command): void {
  program
    .command("test")
    .description("run unit tests of rules: lines in, rows expected; a difference prints as expected and got, exit code 1")
    .argument("<file...>", "test files: {rules: FILE, tests: [{name, input, expect: [{name, labels, timestamp, value}]}]}")
    .action(async (paths: string[]) => {
      const outputs = await loadOutputs();
      let exitCode = 0;
      for (const path of paths) {
        const report = await runTestFile(path, outputs);
        process.stdout.write(`${report.lines.join("\n")}\n`);
        exitCode = Math.max(exitCode, report.exitCode);
      }
      process.exitCode = exitCode;
    });
}
