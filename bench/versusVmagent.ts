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
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { type Comparison, compare, type Mode, PACED_ROUND_MS, SETTINGS, WINDOW_MS } from "./contest.js";
import { makeWorkload } from "./data.js";
import { DOORS, type Door } from "./doors.js";
import { RULE_SETS, type RuleSet } from "./rules.js";
import { obtainVmagent } from "./vmagent.js";

/** Below it the aim is not held against a run: docs/benchmarks.md says why. */
const GATED_LINES = 4_800_000;
const RATIO_MIN = 3;

const ROOT = path.resolve(import.meta.dirname, "../..");

interface Options {
  /** One report each. */
  readonly lines: readonly number[];
  readonly series: number;
  readonly seed: number;
  readonly fullPrecision: boolean;
  readonly shuffle: boolean;
  readonly repeats: number;
  readonly ruleSets: readonly RuleSet[];
  readonly modes: readonly Mode[];
  readonly doors: readonly Door[];
  readonly limpet: readonly string[];
  readonly json: boolean;
}

/** Runs the comparison and prints it. Returns the exit code; throws when a run fails or the sides disagree. */
export async function versusVmagent(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const say = (text: string): void => void (options.json ? process.stderr : process.stdout).write(`${text}\n`);
  const vmagent = await obtainVmagent(path.join(ROOT, ".cache", "vmagent"));
  const comparisons: Comparison[] = [];
  say(
    `${os.cpus().length} x ${os.cpus()[0]?.model ?? "?"}, Node ${process.version}, vmagent ${vmagent.version}, load ${os.loadavg()[0]?.toFixed(2) ?? "?"}`,
  );
  for (const mode of options.modes) {
    // A paced run takes a second per round: the first length says enough.
    for (const lines of mode === "paced" ? options.lines.slice(0, 1) : options.lines)
      comparisons.push(...(await compareAt({ options, mode, lines, vmagent: vmagent.path, say })));
  }
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ node: process.version, vmagent: vmagent.version, series: options.series, load: os.loadavg(), comparisons })}\n`,
    );
  const missed = comparisons.filter(misses);
  for (const { rules, lines, ratio } of missed)
    say(`MISSED: ${rules} ${ratio.toFixed(2)}x at ${lines} lines; the aim is ${RATIO_MIN}x from ${GATED_LINES} lines on`);
  return missed.length > 0 ? 1 : 0;
}

/** The aim of plain JavaScript, start-up included, where a run is long enough for start-up not to be most of it. */
function misses({ mode, door, rules, lines, ratio }: Comparison): boolean {
  return mode === "flood" && door === "pipe" && (rules === "R1" || rules === "R7") && lines >= GATED_LINES && ratio < RATIO_MIN;
}

interface Part {
  readonly options: Options;
  readonly mode: Mode;
  readonly lines: number;
  /** Path of its binary. */
  readonly vmagent: string;
  readonly say: (text: string) => void;
}

/** All doors and rule sets over one workload. */
async function compareAt({ options, mode, lines, vmagent, say }: Part): Promise<Comparison[]> {
  const { series, seed, fullPrecision, shuffle, repeats, limpet } = options;
  const rounds = Math.ceil(lines / series);
  const roundMs = mode === "flood" ? Math.floor(WINDOW_MS / rounds) : PACED_ROUND_MS;
  const workload = makeWorkload({ lines, series, seed, fullPrecision, shuffle, roundMs });
  const perLine = { bytes: workload.bytes.length / lines, fields: (workload.numericFields + workload.stringFields) / lines };
  say(
    `${mode}: ${lines} lines, ${series} series, ${perLine.bytes.toFixed(1)} B and ${perLine.fields.toFixed(2)} fields per line, ${rounds} rounds, ${repeats} runs each`,
  );
  const comparisons: Comparison[] = [];
  for (const door of options.doors) {
    for (const rules of options.ruleSets) {
      const comparison = await compare({ workload, mode, door, rules, repeats, limpet, vmagent });
      comparisons.push(comparison);
      say(table(comparison));
    }
  }
  return comparisons;
}

function table({ rules, mode, door, sides, ratio }: Comparison): string {
  const head = `${rules} ${mode} ${door}`.padEnd(18) + "   ns CPU/line (min .. max)     lines/s wall   peak RSS MB      rows";
  const rows = SETTINGS.map((setting) => {
    const { nsPerLine, nsPerLineMin, nsPerLineMax, linesPerSecond, rssMaxMegabytes, rows: written } = sides[setting];
    const spread = `${nsPerLine.toFixed(0)} (${nsPerLineMin.toFixed(0)} .. ${nsPerLineMax.toFixed(0)})`;
    return `${setting.padEnd(18)} ${spread.padStart(28)} ${Math.round(linesPerSecond).toLocaleString("en-US").padStart(16)} ${rssMaxMegabytes.toFixed(0).padStart(13)} ${String(written).padStart(9)}`;
  });
  return [head, ...rows, `${"ratio".padEnd(18)} ${ratio.toFixed(2)}x   load ${os.loadavg()[0]?.toFixed(2) ?? "?"}`].join("\n");
}

function parseOptions(args: string[]): Options {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args,
    options: {
      lines: text,
      series: text,
      seed: text,
      repeats: text,
      rules: text,
      mode: text,
      door: text,
      limpet: text,
      tiny: flag,
      json: flag,
      "full-precision": flag,
      shuffle: flag,
    },
  });
  const size = values.tiny ? { lines: "40000", series: 10_000, repeats: 1 } : { lines: `1600000,${GATED_LINES}`, series: 100_000, repeats: 5 };
  const wholeOf = (name: string, text: string): number => {
    const number = Number(text);
    if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${name} ${text}: a whole number from 1 on`);
    return number;
  };
  const whole = (name: "series" | "seed" | "repeats", fallback: number): number => wholeOf(name, values[name] ?? String(fallback));
  return {
    lines: (values.lines ?? size.lines).split(",").map((text) => wholeOf("lines", text)),
    series: whole("series", size.series),
    seed: whole("seed", 1),
    repeats: whole("repeats", size.repeats),
    fullPrecision: values["full-precision"],
    shuffle: values.shuffle,
    ruleSets: choices("rules", values.rules ?? "R1,R7", RULE_SETS),
    modes: choices("mode", values.mode ?? (values.tiny ? "flood" : "flood,paced"), ["flood", "paced"]),
    doors: choices("door", values.door ?? "pipe", DOORS),
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
