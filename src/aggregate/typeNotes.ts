// What a metric's own type (remote write 2.0 metadata) says against what rules make of it. Rules do what they say either way; a
// note is for the person who wrote them.
import {
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  FLAG_DELTA,
  GROUP_LEDGER,
  KIND_COUNTER,
  LEDGER_RULE,
  TARGET_BYTES,
  TARGET_GROUP,
} from "../kernel/layout.js";
import { TYPE_COUNTER, TYPE_GAUGE } from "../metric/seriesReader.js";
import type { CompiledRule } from "./compile.js";

const SUMS = ["sum_samples", "sum_samples_total"];

/** Rule name -> note, for the rules that want the Field. `metric`: asked for its name only when there is one. */
export function* notesOf(field: number, rules: readonly CompiledRule[], metric: () => string, type: number): Generator<readonly [string, string]> {
  const count = i32.load(field + FIELD_TARGET_COUNT);
  for (let i = 0; i < count; i++) {
    const group = i32.load(i32.load(field + FIELD_TARGETS) + i * TARGET_BYTES + TARGET_GROUP);
    const record = group === 0 ? 0 : i32.load(i32.load(group + GROUP_LEDGER) + LEDGER_RULE);
    const compiled = rules.find((rule) => rule.record === record);
    const note = compiled === undefined ? undefined : noteOf(compiled, metric, type);
    if (compiled !== undefined && note !== undefined) yield [compiled.rule.name, note];
  }
}

function noteOf({ rule, flags, outputs }: CompiledRule, metric: () => string, type: number): string | undefined {
  if ((flags & FLAG_DELTA) !== 0) return undefined;
  const names = outputs.map(({ output }) => output.name);
  if (type === TYPE_GAUGE && (flags & KIND_COUNTER) !== 0)
    return `rule ${rule.name} counts the increases of ${metric()}, which its sender calls a gauge: every fall will look like a reset; use avg, min, max or last for it`;
  const sum = names.find((name) => SUMS.includes(name));
  if (type === TYPE_COUNTER && sum !== undefined)
    return `rule ${rule.name} makes ${sum} of ${metric()}, which its sender calls a counter: running totals are added up; use total, increase or rate_sum for it`;
  return undefined;
}
