// 1000 Resources of 50 Slices: an Assignment in 100 ms of CPU (the bench prints it). Here five times that, for machines that are busy
// and code that is not warm.
import { describe, expect, it } from "@jest/globals";
import { ASSIGNER_LIMITS } from "#limpet/assign/limits.js";
import { type Fleet, fleetOf } from "../../bench/assign.bench.js";

const BUDGET_MS = 500;

/** CPU of the call that yields a commit; that many Slices move or change hands by it. */
function decide(fleet: Fleet, silent: number): { readonly ms: number; readonly slices: number } {
  for (const until = fleet.nowMs + 60_000; fleet.nowMs < until; fleet.nowMs += 100) {
    const beats = fleet.nowMs % 10_000 === 0 ? fleet.reports.slice(silent) : [];
    for (const event of [...beats.map((report) => ({ kind: "report", report }) as const), { kind: "tick" } as const]) {
      const start = process.cpuUsage();
      const actions = fleet.assigner.handle(fleet.nowMs, event);
      const { user, system } = process.cpuUsage(start);
      const commit = actions.find(({ kind }) => kind === "commit");
      if (commit?.kind !== "commit") continue;
      const { generation, slices } = commit.assignment;
      const touched = slices.filter(({ term, move }) => term.number === generation.number || move !== null).length;
      return { ms: (user + system) / 1000, slices: touched };
    }
  }
  throw new Error("nothing was decided");
}

describe("assigner: 1000 resources x 50 slices", () => {
  it("a tenth of them dies -> given away in one Assignment within the budget", () => {
    const fleet = fleetOf(1000, 1, { leaseMs: 25_000, joinMs: Number.POSITIVE_INFINITY });
    const { ms, slices } = decide(fleet, 100);
    expect(slices).toBe(5000);
    expect(ms).toBeLessThan(BUDGET_MS);
  });

  it("half of them carry too much -> moves within the churn and the time budget", () => {
    const fleet = fleetOf(1000, 2, { leaseMs: 25_000, roundMs: 80_000 });
    const { ms, slices } = decide(fleet, 0);
    expect(slices).toBeGreaterThan(500);
    expect(slices).toBeLessThanOrEqual(1.5 * ASSIGNER_LIMITS.churnMax * 50_000);
    expect(ms).toBeLessThan(BUDGET_MS);
  });
});
