// `npm run bench -- vmagent`: what a line costs, end to end, in Limpet and in the real vmagent. docs/benchmarks.md explains and reports.
//
// Two modes. Both count every CPU microsecond of the process from its start to its end:
//   flood   all lines as fast as the side takes them, all in one 10 s window of event time: the cost of ingesting.
//   paced   one round of all series per second into 1 s windows, on both sides: flushing as often per line as a fleet at
//           `interval: 10s` does in life. Flushing weighs about as much as ingesting here, and neither side can dodge it.
//
// Sides take turns (Limpet, vmagent with GOMAXPROCS=1, vmagent as it comes, Limpet, ...); the ratio compares medians with vmagent's
// better setting. Every run is checked: the counts, sums and maxima a side's rows add up to must be the workload's own and equal
// on both sides, else the comparison fails. --tiny is the same thing small, for the tests: its ratio says nothing.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { median } from "./bench.js";
import { makeWorkload, stampTimes, type Workload } from "./data.js";
import { startReceiver, type Receiver } from "./receiver.js";
import { ruleFile, type RuleSet } from "./rules.js";
import { runLimpet, runVmagent, type Batch, type RunInput, type RunOutput } from "./sides.js";
import { differences, samplesOf, takeStringFields, tallyOf, type Tally } from "./tally.js";
import { obtainVmagent, type Vmagent } from "./vmagent.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
const WINDOW_MS = 10_000;
const PACED_ROUND_MS = 1000;

type Mode = "flood" | "paced";
/** vmagent1: GOMAXPROCS=1. */
type Setting = "limpet" | "vmagent1" | "vmagent";
const SETTINGS: readonly Setting[] = ["limpet", "vmagent1", "vmagent"];

interface Options {
  readonly lines: number;
  readonly series: number;
  readonly seed: number;
  readonly fullPrecision: boolean;
  readonly shuffle: boolean;
  readonly repeats: number;
  readonly ruleSets: readonly RuleSet[];
  readonly modes: readonly Mode[];
  readonly limpet: readonly string[];
  readonly json: boolean;
}

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
  readonly sides: Readonly<Record<Setting, Summary>>;
  /** CPU per line of vmagent's better setting over Limpet's. */
  readonly ratio: number;
}

/** Runs the comparison and prints it. Returns the exit code; throws when a run fails or the sides disagree. */
export async function versusVmagent(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const say = (text: string): void => void (options.json ? process.stderr : process.stdout).write(`${text}\n`);
  const vmagent = await obtainVmagent(path.join(ROOT, ".cache", "vmagent"));
  const { lines, series, seed, fullPrecision, shuffle } = options;
  const rounds = Math.ceil(lines / series);
  const comparisons: Comparison[] = [];
  say(`${os.cpus().length} x ${os.cpus()[0]?.model ?? "?"}, Node ${process.version}, vmagent ${vmagent.version}, load ${os.loadavg()[0]?.toFixed(2) ?? "?"}`);
  for (const mode of options.modes) {
    const roundMs = mode === "flood" ? Math.floor(WINDOW_MS / rounds) : PACED_ROUND_MS;
    const workload = makeWorkload({ lines, series, seed, fullPrecision, shuffle, roundMs });
    say(`${mode}: ${lines} lines, ${series} series, ${(workload.bytes.length / lines).toFixed(1)} B and ${((workload.numericFields + workload.stringFields) / lines).toFixed(2)} fields per line, ${rounds} rounds, ${options.repeats} runs each`);
    for (const rules of options.ruleSets) {
      const comparison = await compare({ options, vmagent, workload, mode, rules });
      comparisons.push(comparison);
      say(table(comparison));
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ node: process.version, vmagent: vmagent.version, lines, series, load: os.loadavg(), comparisons })}\n`);
  return 0;
}

interface Contest {
  readonly options: Options;
  readonly vmagent: Vmagent;
  readonly workload: Workload;
  readonly mode: Mode;
  readonly rules: RuleSet;
}

interface CheckedRun extends RunOutput {
  readonly tally: Tally;
}

async function compare(contest: Contest): Promise<Comparison> {
  const runs: Record<Setting, CheckedRun[]> = { limpet: [], vmagent1: [], vmagent: [] };
  const receiver = await startReceiver();
  try {
    for (let round = 0; round < contest.options.repeats; round++) {
      for (const setting of SETTINGS) runs[setting].push(await checkedRun(contest, setting, receiver));
      checkEqual(runs, contest);
      // The rows were compared; keeping a million of them per run would cost the next run its memory.
      for (const setting of SETTINGS) for (const run of runs[setting]) run.tally.others.clear();
    }
  } finally {
    await receiver.close();
  }
  const { lines } = contest.options;
  const sides = { limpet: summary(runs.limpet, lines), vmagent1: summary(runs.vmagent1, lines), vmagent: summary(runs.vmagent, lines) };
  const ratio = Math.min(sides.vmagent1.nsPerLine, sides.vmagent.nsPerLine) / sides.limpet.nsPerLine;
  return { rules: contest.rules, mode: contest.mode, sides, ratio };
}

/** One run, its rows added up and its sample count held against the workload's own. */
async function checkedRun(contest: Contest, setting: Setting, receiver: Receiver): Promise<CheckedRun> {
  const { workload, mode, rules, options } = contest;
  const dir = await mkdtemp(path.join(os.tmpdir(), "limpet-bench-"));
  const side = setting === "limpet" ? "limpet" : "vmagent";
  try {
    await mkdir(dir, { recursive: true });
    const text = mode === "flood" ? ruleFile(rules, side, "10s", "1m") : ruleFile(rules, side, "1s", "2s");
    const input: RunInput = { workload, batches: schedule(workload, mode), rules: text, receiver, dir };
    const output = setting === "limpet" ? await runLimpet(input, options.limpet) : await runVmagent(input, contest.vmagent.path, setting === "vmagent1" ? 1 : undefined);
    if (output.behindMs > PACED_ROUND_MS) throw new Error(`${setting}: the last round began ${output.behindMs} ms late; this machine is too slow or too busy for --mode paced`);
    const tally = tallyOf(output.bodies);
    const strings = side === "vmagent" ? takeStringFields(tally, "state") : workload.stringFields;
    const samples = samplesOf(tally);
    if (samples !== workload.numericFields || strings !== workload.stringFields) {
      throw new Error(`${setting} ${rules} ${mode}: aggregated ${samples} samples and ${strings} strings of ${workload.numericFields} and ${workload.stringFields} fed; nothing can be compared`);
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
  return workload.roundEnds.map((to, round) => ({ from: round === 0 ? 0 : (workload.roundEnds[round - 1] ?? 0), to, dueMs: startMs + (round + 1) * PACED_ROUND_MS }));
}

/** Compares the last run of each side, row by row. */
function checkEqual(runs: Readonly<Record<Setting, readonly CheckedRun[]>>, contest: Contest): void {
  const limpet = runs.limpet.at(-1);
  for (const setting of ["vmagent1", "vmagent"] as const) {
    const vmagent = runs[setting].at(-1);
    if (limpet === undefined || vmagent === undefined) throw new Error("checkEqual before any run");
    const found = differences(limpet.tally, vmagent.tally, 10);
    if (found.length > 0) throw new Error(`${contest.rules} ${contest.mode}: the two sides aggregated different things, so their costs cannot be compared:\n${found.join("\n")}`);
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

function table({ rules, mode, sides, ratio }: Comparison): string {
  const head = `${rules} ${mode}`.padEnd(10) + "   ns CPU/line (min .. max)     lines/s wall   peak RSS MB      rows";
  const rows = SETTINGS.map((setting) => {
    const { nsPerLine, nsPerLineMin, nsPerLineMax, linesPerSecond, rssMaxMegabytes, rows: written } = sides[setting];
    const spread = `${nsPerLine.toFixed(0)} (${nsPerLineMin.toFixed(0)} .. ${nsPerLineMax.toFixed(0)})`;
    return `${setting.padEnd(10)} ${spread.padStart(28)} ${Math.round(linesPerSecond).toLocaleString("en-US").padStart(16)} ${rssMaxMegabytes.toFixed(0).padStart(13)} ${String(written).padStart(9)}`;
  });
  return [head, ...rows, `${"ratio".padEnd(10)} ${ratio.toFixed(2)}x   load ${os.loadavg()[0]?.toFixed(2) ?? "?"}`].join("\n");
}

function parseOptions(args: string[]): Options {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args,
    options: { lines: text, series: text, seed: text, repeats: text, rules: text, mode: text, limpet: text, tiny: flag, json: flag, "full-precision": flag, shuffle: flag },
  });
  const size = values.tiny ? { lines: 40_000, series: 10_000, repeats: 1 } : { lines: 1_600_000, series: 100_000, repeats: 5 };
  const whole = (name: "lines" | "series" | "seed" | "repeats", fallback: number): number => {
    const number = Number(values[name] ?? fallback);
    if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${name} ${values[name] ?? ""}: a whole number from 1 on`);
    return number;
  };
  return {
    lines: whole("lines", size.lines),
    series: whole("series", size.series),
    seed: whole("seed", 1),
    repeats: whole("repeats", size.repeats),
    fullPrecision: values["full-precision"],
    shuffle: values.shuffle,
    ruleSets: choices("rules", values.rules ?? "R1,R7", ["R1", "R7"]),
    modes: choices("mode", values.mode ?? (values.tiny ? "flood" : "flood,paced"), ["flood", "paced"]),
    limpet: [process.execPath, path.resolve(ROOT, values.limpet ?? "dist/bin/limpet.js")],
    json: values.json,
  };
}

function choices<T extends string>(option: string, given: string, allowed: readonly T[]): T[] {
  return given.split(",").map((word) => {
    const choice = allowed.find((candidate) => candidate === word);
    if (choice === undefined) throw new Error(`--${option} ${word}: use ${allowed.join(" or ")}`);
    return choice;
  });
}
