// Versions of the rules, as the assigner hands them out, and what they come to while one follows the other. Each holds for Windows that
// start from its T on (event time), until the T of the next one. A rule that several versions in a row have is one run, and goes on
// untouched; a run that ends keeps what it needs until its last Window is closed.
//
//            V1 ───────── T2 ── V2 ── T3 ── V3 ──▶
//   a, c      a, c            b, c       a, c, d      runs: a [.. T2)   b [T2 .. T3)   a [T3 ..   c [..   d [T3 ..
//
// Pure: routers and owners come to the same from the same versions.
import type { RuleVersion } from "../slice/ruleVersion.js";
import { outputNameOf } from "./outputName.js";
import type { OutputCall, Rule } from "./rule.js";
import { readRules } from "./ruleFile.js";
import { formatProblem } from "./ruleFileProblem.js";
import type { RuleContext } from "./ruleFileRule.js";

/** A version and the rules its files hold. */
export interface ParsedVersion {
  readonly version: RuleVersion;
  readonly rules: readonly Rule[];
}

/** Reads the files of a version, about 1 ms of CPU per rule: once per version and process. The first error, when there is one. */
export function parseRuleVersion(version: RuleVersion, context: Omit<RuleContext, "env">): ParsedVersion | string {
  const files = version.files.map(({ path, text }) => ({ name: path, text }));
  const { rules, problems } = readRules(files, { ...context, env: {} });
  const error = problems.find(({ severity }) => severity === "error");
  return error === undefined ? { version, rules } : formatProblem(error);
}

export type Versions = readonly [newest: ParsedVersion, ...older: ParsedVersion[]];

export interface RulesInForce {
  /** All but the first only as long as something that changed after them is not closed. */
  readonly versions: Versions;
  /** Older runs first: of two that write one series the one before closes its Windows before. */
  readonly rules: readonly Rule[];
}

/** A version: since when it holds, and its rules by id. */
interface Period {
  readonly fromMs: number;
  readonly rules: ReadonlyMap<string, Rule>;
}

/** An output within a run. */
interface OutputRun {
  readonly call: OutputCall;
  readonly fromMs: number;
  untilMs: number;
}

interface Run {
  /** As the newest version of it says. */
  rule: Rule;
  readonly sinceMs: number;
  readonly fromMs: number;
  untilMs: number;
  outputs: readonly OutputRun[];
}

/**
 * What is in force of versions. A rule that ends is kept until the end of its last Window + grace + `holdMs`: for so long a declared
 * backlog may hold that Window. A version is kept until that is over for everything that changed with the next one.
 */
export function rulesInForce(versions: Versions, nowMs: number, holdMs: number): RulesInForce {
  const [newest, ...older] = withTime(versions);
  const isPast = ({ rule }: Run, ms: number): boolean => isOver(rule, ms, nowMs - holdMs);
  for (;;) {
    const periods = periodsOf([newest, ...older]);
    const runs = runsOf(periods);
    const changedMs = periods.at(-2)?.fromMs;
    if (changedMs === undefined || runs.some((run) => changesAt(run, changedMs) && !isPast(run, changedMs))) {
      const kept = runs.filter((run) => !isPast(run, run.untilMs));
      const ended = kept.filter(({ untilMs }) => Number.isFinite(untilMs)).map((run) => ({ ...run, name: nameForm(run.rule) }));
      return { versions: [newest, ...older], rules: kept.map((run) => ruleOf(run, ended)) };
    }
    older.pop();
  }
}

/** Whether end + grace of the last Window of a rule that starts before `ms` has come. */
function isOver({ intervalMs, graceMs }: Rule, ms: number, nowMs: number): boolean {
  return Math.ceil(ms / intervalMs) * intervalMs + graceMs <= nowMs;
}

/**
 * As of when what is over goes: now; `beforeMs`, as of when it went last, as long as a Window is open of a rule that would go. A slice that
 * was taken over or came back of late holds its Windows for longer. `hasClosed`: as due.ts has it.
 */
export function overAsOf(
  { rules }: Pick<RulesInForce, "rules">,
  { nowMs, beforeMs, holdMs }: { readonly nowMs: number; readonly beforeMs: number; readonly holdMs: number },
  hasClosed: (rule: Rule, beforeMs: number) => boolean,
): number {
  const isOpen = (rule: Rule, ms: number): boolean => isOver(rule, ms, nowMs - holdMs) && !hasClosed(rule, ms);
  return rules.some((rule) => boundsOf(rule).some((ms) => isOpen(rule, ms))) ? beforeMs : nowMs;
}

/**
 * The versions for state that was written at `stoppedMs`, and as of when they are in force. All that was in force there still is, back to
 * version `oldest`: it may have been kept for open Windows alone. If that is not among them, what was over at `stoppedMs` is over.
 */
export function versionsOfKept(
  versions: Versions,
  { stoppedMs, oldest }: { readonly stoppedMs: number; readonly oldest: string | undefined },
): { readonly versions: Versions; readonly asOfMs: number } {
  const [newest, ...older] = versions;
  const at = versions.findIndex(({ version }) => version.hash === oldest);
  return at < 0 ? { versions, asOfMs: stoppedMs } : { versions: [newest, ...older.slice(0, at)], asOfMs: Number.NEGATIVE_INFINITY };
}

/** Times at which a rule, or outputs of it, begin or end. */
function boundsOf({ validity, outputs }: Rule): number[] {
  return [validity, ...outputs.map((output) => output.validity)]
    .flatMap((bounds) => (bounds === undefined ? [] : [bounds.fromMs, bounds.untilMs]))
    .filter((ms) => Number.isFinite(ms));
}

function changesAt({ fromMs, untilMs, outputs }: Run, ms: number): boolean {
  return fromMs === ms || untilMs === ms || outputs.some((output) => output.fromMs === ms || output.untilMs === ms);
}

/** Without versions that would begin no earlier than a newer one: they have no time at all. */
function withTime([newest, ...older]: Versions): Versions {
  let nextMs = newest.version.activeFromMs;
  const timed = older.filter(({ version: { activeFromMs } }) => {
    const hasTime = activeFromMs < nextMs;
    nextMs = Math.min(nextMs, activeFromMs);
    return hasTime;
  });
  return [newest, ...timed];
}

/** Newest first. */
function periodsOf(versions: Versions): Period[] {
  return versions.map(({ version, rules }) => {
    const running = rules.filter(({ state }) => state !== "off");
    return { fromMs: version.activeFromMs, rules: new Map(running.map((rule) => [rule.id, rule])) };
  });
}

/** Oldest first. Nobody knows what was before the oldest period: its rules count from the beginning. */
function runsOf(periods: readonly Period[]): Run[] {
  const runs: Run[] = [];
  let going = new Map<string, Run>();
  for (const [i, { fromMs, rules }] of [...periods.entries()].reverse()) {
    for (const [id, run] of going) if (!rules.has(id)) run.untilMs = fromMs;
    const next = new Map<string, Run>();
    for (const [id, rule] of rules) {
      const before = going.get(id);
      const begins = i === periods.length - 1 ? Number.NEGATIVE_INFINITY : fromMs;
      const run = before ?? { rule, sinceMs: fromMs, fromMs: begins, untilMs: Number.POSITIVE_INFINITY, outputs: [] };
      if (before === undefined) runs.push(run);
      run.rule = rule;
      run.outputs = outputsOf(rule, run.outputs, before === undefined ? Number.NEGATIVE_INFINITY : fromMs);
      next.set(id, run);
    }
    going = next;
  }
  return runs;
}

/** The outputs of a rule from `fromMs` on, and what is left of those before: in the order of the newest version. */
function outputsOf({ outputs }: Rule, before: readonly OutputRun[], fromMs: number): OutputRun[] {
  const goingOn = new Map(before.filter(({ untilMs }) => untilMs === Number.POSITIVE_INFINITY).map((run) => [textOf(run.call), run]));
  const now = outputs.map((call) => goingOn.get(textOf(call)) ?? { call, fromMs, untilMs: Number.POSITIVE_INFINITY });
  const ended = before.filter((run) => !now.includes(run));
  for (const run of ended) run.untilMs = Math.min(run.untilMs, fromMs);
  return [...now, ...ended];
}

function textOf({ name, args }: OutputCall): string {
  return JSON.stringify([name, args]);
}

/** A run as the engine has it: with its bounds, and closing no Window of a series before the run that wrote it before. */
function ruleOf({ rule, sinceMs, fromMs, untilMs, outputs }: Run, ended: readonly (Run & { readonly name: string | undefined })[]): Rule {
  const name = nameForm(rule);
  const before = ended.filter((other) => other.untilMs <= fromMs && (name === undefined || other.name === undefined || name === other.name));
  return {
    ...rule,
    graceMs: before.reduce((longest, other) => Math.max(longest, other.rule.graceMs), rule.graceMs),
    validity: { sinceMs, fromMs, untilMs },
    outputs: outputs.map((output) => {
      const always = output.fromMs === Number.NEGATIVE_INFINITY && output.untilMs === Number.POSITIVE_INFINITY;
      return always ? output.call : { ...output.call, validity: { fromMs: output.fromMs, untilMs: output.untilMs } };
    }),
  };
}

/** Rules write one series only if this is equal; relabelled outputs (undefined) may have any name. */
function nameForm(rule: Rule): string | undefined {
  return rule.outputRelabel.length > 0 ? undefined : outputNameOf(rule, "m", "o");
}
