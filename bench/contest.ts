// One contest: a rule set and a mode, every side several times in turns, every run checked.
//
// A run is worth nothing unless the side aggregated all it was fed, and both sides the same: each run's sample count is held against
// the workload's own, and after each round of turns the sides' rows are compared (tally.ts). Any difference ends the comparison.
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { median } from "./bench.js";
import { stampTimes, type Workload } from "./data.js";
import type { Door } from "./doors.js";
import { type Receiver, startReceiver } from "./receiver.js";
import { type RuleSet, ruleFile } from "./rules.js";
import { type Batch, type RunInput, type RunOutput, runLimpet, runVmagent } from "./sides.js";
import { differences, samplesOf, type Tally, takeStringFields, tallyOf } from "./tally.js";

export const WINDOW_MS = 10_000;
export const PACED_ROUND_MS = 1000;

export type Mode = "flood" | "paced";
/** vmagent1: GOMAXPROCS=1. */
export type Setting = "limpet" | "vmagent1" | "vmagent";
export const SETTINGS: readonly Setting[] = ["limpet", "vmagent1", "vmagent"];

export interface Summary {
  readonly nsPerLine: number;
  readonly nsPerLineMin: number;
  readonly nsPerLineMax: number;
  readonly linesPerSecond: number;
  readonly rssMaxMegabytes: number;
  /** Samples its rows add up to, string fields left out; the same in every run, else the comparison has failed. */
  readonly samples: number;
  /** Rows written, in the last run. */
  readonly rows: number;
}

export interface Comparison {
  readonly rules: RuleSet;
  readonly mode: Mode;
  readonly door: Door;
  readonly lines: number;
  readonly sides: Readonly<Record<Setting, Summary>>;
  /** CPU per line of vmagent's better setting over Limpet's. */
  readonly ratio: number;
}

export interface Contest {
  readonly workload: Workload;
  readonly mode: Mode;
  readonly door: Door;
  readonly rules: RuleSet;
  readonly repeats: number;
  /** How Limpet is started, e.g. ["node", "dist/bin/limpet.js"]. */
  readonly limpet: readonly string[];
  /** Path of vmagent's binary. */
  readonly vmagent: string;
}

interface CheckedRun extends RunOutput {
  readonly tally: Tally;
}

/** Throws when a run fails or the sides disagree. */
export async function compare(contest: Contest): Promise<Comparison> {
  const runs: Record<Setting, CheckedRun[]> = { limpet: [], vmagent1: [], vmagent: [] };
  const receiver = await startReceiver();
  try {
    for (let round = 0; round < contest.repeats; round++) {
      for (const setting of SETTINGS) runs[setting].push(await patientRun(contest, setting, receiver));
      checkEqual(runs, contest);
      // The rows were compared; keeping a million of them per run would cost the next run its memory.
      for (const setting of SETTINGS) for (const run of runs[setting]) run.tally.others.clear();
    }
  } finally {
    await receiver.close();
  }
  const lines = contest.workload.lineEnds.length;
  const sides = { limpet: summary(runs.limpet, lines), vmagent1: summary(runs.vmagent1, lines), vmagent: summary(runs.vmagent, lines) };
  const ratio = Math.min(sides.vmagent1.nsPerLine, sides.vmagent.nsPerLine) / sides.limpet.nsPerLine;
  return { rules: contest.rules, mode: contest.mode, door: contest.door, lines, sides, ratio };
}

/**
 * On a machine that others keep busy, vmagent was seen to stop without having sent all rows of its last flush. Such a run measured
 * less work than it was given, so it is void and made again, up to twice, saying so. Limpet gets no second chance.
 */
async function patientRun(contest: Contest, setting: Setting, receiver: Receiver): Promise<CheckedRun> {
  for (let again = 2; ; again--) {
    try {
      return await checkedRun(contest, setting, receiver);
    } catch (error) {
      if (setting === "limpet" || again === 0 || !(error instanceof SamplesMissing)) throw error;
      process.stderr.write(`void, made again: ${error.message}\n`);
    }
  }
}

class SamplesMissing extends Error {}

/** One run, its rows added up and its sample count held against the workload's own. */
async function checkedRun(contest: Contest, setting: Setting, receiver: Receiver): Promise<CheckedRun> {
  const { workload, mode, door, rules } = contest;
  const dir = await mkdtemp(path.join(os.tmpdir(), "limpet-bench-"));
  const side = setting === "limpet" ? "limpet" : "vmagent";
  try {
    const text = mode === "flood" ? ruleFile(rules, side, "10s", "1m") : ruleFile(rules, side, "1s", "2s");
    const input: RunInput = { workload, batches: schedule(workload, mode), rules: text, receiver, dir };
    const output =
      setting === "limpet"
        ? await runLimpet(input, contest.limpet, door)
        : await runVmagent(input, { binary: contest.vmagent, maxProcs: setting === "vmagent1" ? 1 : undefined, door });
    if (output.behindMs > PACED_ROUND_MS)
      throw new Error(`${setting}: the last round began ${output.behindMs} ms late; this machine is too slow or too busy for --mode paced`);
    const tally = tallyOf(output.bodies);
    // Remote write has no strings.
    const strings = side === "vmagent" && door !== "remote" ? takeStringFields(tally, "state") : workload.stringFields;
    const samples = samplesOf(tally);
    if (samples !== workload.numericFields || strings !== workload.stringFields) {
      throw new SamplesMissing(
        `${setting} ${rules} ${mode}: aggregated ${samples} samples and ${strings} strings of ${workload.numericFields} and ${workload.stringFields} fed; nothing can be compared`,
      );
    }
    return { ...output, bodies: [], tally };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Stamps the workload's times for a run that starts now, and says when to send what. */
function schedule(workload: Workload, mode: Mode): Batch[] {
  const lines = workload.lineEnds.length;
  if (mode === "flood") {
    // The window before the current one: nothing is in the future, and a grace of 1 m keeps it open for the run.
    stampTimes(workload, (Math.floor(Date.now() / WINDOW_MS) - 1) * WINDOW_MS);
    return [{ from: 0, to: lines, dueMs: 0 }];
  }
  // A round is sent when its second is over, as a collector sends what it gathered.
  const startMs = (Math.floor(Date.now() / PACED_ROUND_MS) + 1) * PACED_ROUND_MS;
  stampTimes(workload, startMs);
  return workload.roundEnds.map((to, round) => ({
    from: round === 0 ? 0 : (workload.roundEnds[round - 1] ?? 0),
    to,
    dueMs: startMs + (round + 1) * PACED_ROUND_MS,
  }));
}

/** Compares the last run of each side, row by row. */
function checkEqual(runs: Readonly<Record<Setting, readonly CheckedRun[]>>, contest: Contest): void {
  const limpet = runs.limpet.at(-1);
  for (const setting of ["vmagent1", "vmagent"] as const) {
    const vmagent = runs[setting].at(-1);
    if (limpet === undefined || vmagent === undefined) throw new Error("checkEqual before any run");
    const found = differences(limpet.tally, vmagent.tally, 10);
    if (found.length > 0)
      throw new Error(
        `${contest.rules} ${contest.mode}: the two sides aggregated different things, so their costs cannot be compared:\n${found.join("\n")}`,
      );
  }
}

function summary(runs: readonly CheckedRun[], lines: number): Summary {
  const nsPerLine = runs.map(({ cpuSeconds }) => (cpuSeconds * 1e9) / lines);
  const last = runs.at(-1);
  return {
    nsPerLine: median(nsPerLine),
    nsPerLineMin: Math.min(...nsPerLine),
    nsPerLineMax: Math.max(...nsPerLine),
    linesPerSecond: lines / median(runs.map(({ feedSeconds }) => feedSeconds)),
    rssMaxMegabytes: Math.max(...runs.map(({ rssMaxMegabytes }) => rssMaxMegabytes)),
    samples: last === undefined ? 0 : samplesOf(last.tally),
    rows: last?.tally.rows ?? 0,
  };
}
