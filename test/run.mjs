// `npm test`: jest with the flag that ES modules need, and one summary line that people and machines read last:
//
//   12 passed, 0 failed
//
// Arguments go to jest (`npm test -- test/base -t rate`). A skipped test is listed, because a test that does not run is easily
// forgotten; under CI=true it counts as failed. A jest that dies, or a file that does not load, counts as failed too.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "limpet-test-"));
const LIMIT_MINUTES = 14;
const outputFile = join(folder, "jest.json");

const jest = spawn(
  process.execPath,
  [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    "node_modules/jest/bin/jest.js",
    "--json",
    `--outputFile=${outputFile}`,
    ...process.argv.slice(2),
  ],
  // --json sends the report to stdout as well; what people read comes on stderr.
  { cwd: root, stdio: ["ignore", "ignore", "inherit"] },
);

// Tests that hang must not hang the machine: it gives 15 minutes for everything.
const guard = setTimeout(() => {
  console.log(`jest was stopped after ${LIMIT_MINUTES} minutes`);
  jest.kill("SIGKILL");
}, LIMIT_MINUTES * 60_000);

jest.on("error", (error) => {
  finish([`jest did not start: ${error.message}`]);
});
jest.on("close", (code, signal) => {
  finish(code === 0 ? [] : [`jest ended with ${signal ?? `exit code ${code}`}`]);
});

/** Prints the summary and sets the exit code. `problems`: what went wrong outside the tests. */
function finish(problems) {
  clearTimeout(guard);
  const report = readReport();
  rmSync(folder, { recursive: true, force: true });
  const { passed, failed, skipped } = count(report);
  const strict = process.env.CI === "true";
  if (skipped.length > 0) {
    console.log(`\nSKIPPED, not tested${strict ? ", counted as failed because CI=true" : ""}:`);
    for (const name of skipped) console.log(`  ${name}`);
  }
  let failures = failed + (strict ? skipped.length : 0);
  if (failures === 0 && report === undefined) problems.push("jest left no report");
  // Jest's own exit code covers what the counts cannot: coverage thresholds, no tests found, a crash after the last test.
  if (failures === 0 && problems.length > 0) {
    for (const problem of problems) console.log(problem);
    failures = 1;
  }
  process.exitCode = failures === 0 ? 0 : 1;
  console.log(`${passed} passed, ${failures} failed`);
}

function readReport() {
  try {
    return JSON.parse(readFileSync(outputFile, "utf8"));
  } catch {
    return undefined;
  }
}

function count(report) {
  let passed = 0;
  let failed = 0;
  const skipped = [];
  for (const file of report?.testResults ?? []) {
    // A file that did not load has no tests to blame.
    if (file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")) failed++;
    for (const test of file.assertionResults) {
      if (test.status === "passed") passed++;
      else if (test.status === "failed") failed++;
      else skipped.push(`${relative(root, file.name)}: ${test.fullName} (${test.status})`);
    }
  }
  return { passed, failed, skipped };
}
