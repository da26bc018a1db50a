// The comparison with the real vmagent, small: both sides must have aggregated every sample, and the same. Its times say nothing (start-up
// and a cold JIT are most of them), so none is asserted; docs/benchmarks.md has the real ones.
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import type { Comparison } from "../../bench/contest.js";
import { obtainVmagent } from "../../bench/vmagent.js";

const root = path.resolve(import.meta.dirname, "../..");

/** False where there is no Debian archive to take vmagent from; in CI that is a failure, elsewhere a loud gap. */
async function haveVmagent(): Promise<boolean> {
  try {
    await obtainVmagent(path.join(root, ".cache", "vmagent"));
    return true;
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    process.stderr.write(`\nNOT COMPARED WITH VMAGENT: ${String(error)}\n`);
    return false;
  }
}

function expectFair({ sides, ratio }: Comparison, samplesMin: number): void {
  expect(sides.limpet.samples).toBeGreaterThan(samplesMin);
  expect(sides.limpet.samples).toBe(sides.vmagent.samples);
  expect(sides.limpet.samples).toBe(sides.vmagent1.samples);
  expect(sides.limpet.rows).toBeGreaterThan(samplesMin / 15);
  expect(ratio).toBeGreaterThan(0);
}

describe("vmagent", () => {
  test("comparison: tiny workload, R1 and R7 -> both sides aggregated every sample, into the same rows", async () => {
    if (!(await haveVmagent())) return;
    const { stdout } = await execa("node", [path.join(root, "build/bench/run.js"), "vmagent", "--tiny", "--json"], { timeout: 120_000 });
    const report = JSON.parse(stdout) as { comparisons: Comparison[] }; // what run.ts has just printed
    expect(report.comparisons.map(({ rules, mode }) => `${rules} ${mode}`)).toEqual(["R1 flood", "R7 flood"]);
    for (const comparison of report.comparisons) expectFair(comparison, 150_000);
  }, 300_000);

  test("comparison: 10 rules, every door of HTTP -> both sides aggregated every sample, into the same rows", async () => {
    if (!(await haveVmagent())) return;
    const size = ["--tiny", "--lines", "4000", "--series", "2000", "--rules", "N10", "--door", "gzip,fleet,remote"];
    const { stdout } = await execa("node", [path.join(root, "build/bench/run.js"), "vmagent", ...size, "--json"], { timeout: 240_000 });
    const report = JSON.parse(stdout) as { comparisons: Comparison[] }; // as above
    expect(report.comparisons.map(({ door }) => door)).toEqual(["gzip", "fleet", "remote"]);
    for (const comparison of report.comparisons) expectFair(comparison, 15_000);
  }, 300_000);
});
