// An engine on a virtual clock, and its rows as text, for tests.
import { Engine, type EngineAction, type EngineOptions } from "#limpet/aggregate/engine.js";
import type { Rule } from "#limpet/aggregate/rule.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { ROOT_KEYS, ROOT_PREVIOUS } from "#limpet/kernel/layout.js";
import { tableClear } from "#limpet/kernel/table.js";
import { RowReader } from "#limpet/metric/rowBlock.js";
import { formatRow } from "#limpet/metric/rowText.js";

const outputs = await loadOutputs();
const open: Engine[] = [];

export function rulesOf(yaml: string): Rule[] {
  const { rules, problems } = readRules([{ name: "rules.yaml", text: yaml }], { outputs, env: {}, naming: "telegraf" });
  if (rules.length === 0) throw new Error(`no rules: ${problems.map(({ message }) => message).join("; ")}`);
  return rules;
}

/** An engine for rules of the dialect; disposeEngines() ends it. */
export function openEngine(yaml: string, options: Partial<EngineOptions> = {}): Engine {
  const engine = new Engine({
    rules: rulesOf(yaml),
    outputs,
    naming: "telegraf",
    startMs: 0,
    maxFutureMs: 60_000,
    memoryBytesMax: 2 ** 28,
    ...options,
  });
  open.push(engine);
  return engine;
}

export function disposeEngines(): void {
  for (const engine of open.splice(0)) engine.dispose();
}

/** Feeds lines whose last word is the time in ms (none: no timestamp). */
export function feedLines(engine: Engine, nowMs: number, ...lines: readonly string[]): EngineAction[] {
  const text = lines.map((line) => `${line.replace(/ (-?\d+)$/, (_, ms: string) => ` ${ms.padStart(13, "0")}000000`)}\n`).join("");
  return engine.feed(nowMs, Buffer.from(text));
}

/** Rows as `name{labels} value timestamp`, and `from START` for cumulative ones; sorted. */
export function rowTexts(actions: readonly EngineAction[]): string[] {
  const texts: string[] = [];
  for (const action of actions) {
    if (action.kind !== "rows") continue;
    const reader = new RowReader(action.block.bytes);
    while (reader.next()) texts.push(`${formatRow(reader.row(), "prom")}${reader.startMs === 0 ? "" : ` from ${String(reader.startMs)}`}`);
  }
  return texts.sort();
}

/** Ticks until nothing is left to do, and their rows. */
export function tick(engine: Engine, nowMs: number): string[] {
  const actions: EngineAction[] = [];
  do actions.push(...engine.step(nowMs, { kind: "tick" }));
  while (engine.busy);
  return rowTexts(actions);
}

export function finish(engine: Engine, nowMs: number): string[] {
  return rowTexts(engine.step(nowMs, { kind: "finish" }));
}

/** The conservation equations of a ledger (DESIGN, Invariant 6), as what is left over: zeroes. */
export function imbalance(engine: Engine): number[] {
  const total = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
  const ledger = engine.ledger();
  return [
    ledger.samplesReceived - ledger.samplesMatched - total(ledger.samplesIgnored),
    ...ledger.rules.map(
      ({ pairsMatched, pairsApplied, pairsDuplicate, pairsPending, pairsIgnored, pairsDropped }) =>
        pairsMatched - pairsApplied - pairsDuplicate - pairsPending - total(pairsIgnored) - total(pairsDropped),
    ),
  ];
}

/** Makes an engine forget all Keys, so that its next lines are admitted as if they were new. Their records leak until it is disposed. */
export function forgetKeys(engine: Engine): void {
  tableClear(engine.root + ROOT_KEYS);
  i32.store(engine.root + ROOT_PREVIOUS, 0);
}
