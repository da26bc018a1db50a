// Engines for the benches: rules as YAML, lines by number, all in one window.
import { Engine } from "#limpet/aggregate/engine.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { keptBySize } from "./frozenRows.js";

export const START_MS = 1_763_870_000_000;
const outputs = await loadOutputs();

/** Reading the rules is no part of what is measured. */
const rulesOf = keptBySize((yaml: string) => {
  const { rules, problems } = readRules([{ name: "bench.yaml", text: yaml }], { outputs, env: {}, naming: "telegraf" });
  const errors = problems.filter(({ severity }) => severity === "error");
  if (rules.length === 0 || errors.length > 0) throw new Error(`bench rules: ${errors.map(({ message }) => message).join("; ")}`);
  return rules;
});

/** An engine that serves since START_MS. Throws when the rules have errors. */
export function openEngine(yaml: string): Engine {
  const rules = rulesOf(yaml);
  return new Engine({ rules, outputs, naming: "telegraf", startMs: START_MS, maxFutureMs: 60_000, memoryBytesMax: 1 << 30 });
}

/** Lines 0 .. count-1 at START_MS + 1 s, each by `line` without its time. */
export function linesOf(count: number, line: (i: number) => string): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, i) => `${line(i)} ${String(START_MS + 1000)}000000\n`).join(""));
}

/** Feeds lines and throws unless all of them were read. */
export function feedAll(engine: Engine, lines: Buffer, count: number): void {
  const before = engine.ledger().linesRead;
  engine.feed(START_MS + 2000, lines);
  const read = engine.ledger().linesRead - before;
  if (read !== count) throw new Error(`${String(read)} lines read of ${String(count)}`);
}
