// The real vmagent against Limpet: the same rule text, the same lines, equal rows for all 18 outputs it has. Sums, averages and
// deviations agree within 1e-12 (vmagent adds in arrival order), quantiles within half a sketch bucket, everything else exactly.
import { readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { replayRows } from "#limpet/bin/replayRows.js";
import type { Row } from "#limpet/metric/rowBlock.js";
import { obtainVmagent, type Vmagent } from "../../bench/vmagent.js";
import { differences } from "../reference/compareRows.js";
import { type ExpectedRow, estimated, exactly } from "../reference/expectedRow.js";
import { seededRandom } from "../reference/seededRandom.js";
import { runVmagent, type VmagentRows } from "./vmagentRun.js";
import { INTERVAL_MS, makeBatches, RULES, WINDOWS } from "./vmagentScenario.js";

const root = path.resolve(import.meta.dirname, "../..");
const ROUNDED = ["sum_samples", "avg", "stddev", "stdvar", "increase", "increase_prometheus", "total", "total_prometheus", "rate_sum", "rate_avg"];

/** Undefined where there is no Debian archive to take vmagent from; in CI that is a failure, elsewhere a loud gap. */
async function vmagentHere(): Promise<Vmagent | undefined> {
  try {
    return await obtainVmagent(path.join(root, ".cache", "vmagent"));
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    process.stderr.write(`\nNOT COMPARED WITH VMAGENT: ${String(error)}\n`);
    return undefined;
  }
}

/** vmagent's row as what Limpet's must come to. */
function asExpected(row: Row): ExpectedRow {
  const output = /:\w+?_(?:by_service_|without_host_)?(\w+)$/.exec(row.name)?.[1] ?? "";
  if (output === "quantiles") return { ...row, ...estimated(row.value) };
  if (ROUNDED.includes(output)) return { ...row, value: row.value, tolerance: { kind: "relative", error: 1e-12 } };
  return { ...row, ...exactly(row.value) };
}

/** The rule text as a map, with what vmagent's dialect cannot say. */
function forLimpet(rules: string, defaults: string): string {
  return `defaults: {${defaults}}\nrules:\n${rules.replace(/^(?=.)/gm, "  ")}`;
}

const vmagent = await vmagentHere();
const onlyWithVmagent = vmagent === undefined ? test.skip : test;

describe("vmagent differential", () => {
  let theirs: VmagentRows = { startMs: 0, lines: [], rows: [] };
  let ours: Row[] = [];
  const plain = (row: Row): boolean => !row.name.startsWith("edge_");

  beforeAll(async () => {
    if (vmagent === undefined) return;
    theirs = await runVmagent({ binary: vmagent.path, rules: RULES, intervalMs: INTERVAL_MS, batches: makeBatches(seededRandom(7)) });
    ours = await replayRows(forLimpet(RULES, "series_memory: 6s"), [Buffer.from(theirs.lines.join(""))], { naming: "vmagent" });
  }, 60_000);

  onlyWithVmagent("rows: same rules, same lines -> equal rows, and nobody has more", () => {
    expect(differences(theirs.rows.filter(plain).map(asExpected), ours.filter(plain))).toEqual([]);
    expect(theirs.rows.length).toBeGreaterThan(500);
    expect(new Set(theirs.rows.map(({ timestamp }) => timestamp)).size).toBe(WINDOWS);
  });

  onlyWithVmagent("outputs: all but sum_samples_total, which vmagent 1.145 does not have, were compared", async () => {
    const names = [...(await loadOutputs()).keys()].filter((name) => name !== "sum_samples_total");
    expect(names.filter((name) => !theirs.rows.some((row) => row.name.endsWith(`_${name}`)))).toEqual([]);
    expect(names).toHaveLength(18);
  });

  /** Values of a metric's rows in a window. */
  const valuesOf = (rows: readonly Row[], metric: string, window: number): string[] => {
    const timestamp = theirs.startMs + (window + 1) * INTERVAL_MS;
    const own = rows.filter((row) => row.name.startsWith(`${metric}:`) && row.timestamp === timestamp);
    return own.map(({ value }) => String(value));
  };

  // docs/vmagent-differences.md, row by row; its heading is the test's name.
  const intended: readonly (readonly [row: string, metric: string, window: number, vmagent: readonly string[], limpet: readonly string[]])[] = [
    ["equal times in last", "edge_tie", 0, ["3"], ["5"]],
    ["totals past 2^53", "edge_total", 0, ["9007199254740992"], ["9007199254740992"]],
    ["totals past 2^53", "edge_total", 1, ["8"], ["9007199254741000"]],
    ["sums", "edge_exact", 0, ["0"], ["1"]],
    ["text fields", "edge_text", 0, ["1"], []],
    ["late samples", "edge_late", 0, [], ["1"]],
    ["late samples", "edge_late", 1, ["1"], []],
  ];

  onlyWithVmagent.each(intended)("intended difference: %s, %s in window %d", (row, metric, window, vmagentHas, limpetHas) => {
    expect({ vmagent: valuesOf(theirs.rows, metric, window), limpet: valuesOf(ours, metric, window) }).toEqual({
      vmagent: vmagentHas,
      limpet: limpetHas,
    });
    expect(readFileSync(path.join(root, "docs/vmagent-differences.md"), "utf8")).toContain(`| ${row} |`);
  });
});
