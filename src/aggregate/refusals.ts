// What admission refuses, for people: which cap was reached and which labels are to blame, and which two rules write one series.
// Of each rule the first refusals since the last message are looked at, which bounds it; the numbers in the ledger are exact.
import { DROPPED_IDENTITY, DROPPED_SERIES_CAP, LEDGER_GROUP_COUNT, RULE_SERIES } from "../kernel/layout.js";
import type { Series } from "../metric/series.js";
import type { CompiledRule } from "./compile.js";
import { outputLabelsOf } from "./grouping.js";
import type { Parts } from "./parts.js";

type Cap = "max_series" | "max_groups";

/** Between two messages about one rule and one reason. */
const PAUSE_MS = 60_000;
const SEEN_MAX = 256;
/** Rules and reasons that are looked at between two messages. */
const RULES_MAX = 100;
const OFFENDERS_SHOWN = 3;
const VALUE_SHOWN = 40;

interface Refused {
  readonly compiled: CompiledRule;
  readonly cap: Cap | undefined;
  readonly rival: CompiledRule | undefined;
  readonly seen: Series[];
  count: number;
}

export class Refusals {
  readonly #refused = new Map<string, Refused>();
  readonly #saidMs = new Map<string, number>();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * A series, as the rule groups it, that is not admitted for a reason DROPPED_*. `rival`: with DROPPED_IDENTITY the rule that writes its
   * output already; undefined when that is another group of the same rule.
   */
  note(compiled: CompiledRule, series: Series, reason: number, rival: CompiledRule | undefined): void {
    const { rule } = compiled;
    if (reason === DROPPED_IDENTITY) this.#note("identity", { compiled, cap: undefined, rival }, series);
    if (reason !== DROPPED_SERIES_CAP) return;
    if (this.#parts.sum(compiled, LEDGER_GROUP_COUNT) >= rule.maxGroups) {
      this.#note("max_groups", { compiled, cap: "max_groups", rival: undefined }, { name: series.name, labels: outputLabelsOf(rule, series) });
    } else if (i32.load(compiled.record + RULE_SERIES) >= rule.maxSeries) {
      this.#note("max_series", { compiled, cap: "max_series", rival: undefined }, series);
    }
  }

  /** Messages that are due. */
  take(nowMs: number): string[] {
    const messages: string[] = [];
    for (const [key, refused] of this.#refused) {
      if (nowMs - (this.#saidMs.get(key) ?? Number.NEGATIVE_INFINITY) < PAUSE_MS) continue;
      this.#saidMs.set(key, nowMs);
      this.#refused.delete(key);
      messages.push(refused.cap === undefined ? collisionText(refused) : capText(refused, refused.cap));
    }
    return messages;
  }

  #note(reason: string, what: Pick<Refused, "compiled" | "cap" | "rival">, series: Series): void {
    const key = `${String(what.compiled.index)} ${reason}`;
    let refused = this.#refused.get(key);
    if (refused === undefined) {
      if (this.#refused.size >= RULES_MAX) return;
      refused = { ...what, seen: [], count: 0 };
      this.#refused.set(key, refused);
    }
    refused.count++;
    if (refused.seen.length < SEEN_MAX) refused.seen.push(series);
  }
}

/** The labels with the most different values, most first. */
function offenders(seen: readonly Series[]): string {
  const values = new Map<string, Set<string>>([["the metric name", new Set(seen.map(({ name }) => name))]]);
  for (const { labels } of seen) {
    for (const [label, value] of labels) {
      const known = values.get(label) ?? new Set();
      values.set(label, known.add(value));
    }
  }
  const most = [...values].sort(([, a], [, b]) => b.size - a.size).slice(0, OFFENDERS_SHOWN);
  return most.map(([label, known]) => `${label} has ${String(known.size)} (such as ${shown([...known][0] ?? "")})`).join(", ");
}

function shown(value: string): string {
  return JSON.stringify(value.length > VALUE_SHOWN ? `${value.slice(0, VALUE_SHOWN)}...` : value);
}

function capText({ compiled: { rule }, seen, count }: Refused, cap: Cap): string {
  const limit = cap === "max_series" ? rule.maxSeries : rule.maxGroups;
  const of = seen.length < count ? `the first ${String(seen.length)} of them` : "them";
  const cure = cap === "max_series" ? "leave it out at the source" : "leave it out with by or without";
  return `rule ${rule.name}: ${cap} ${String(limit)} is reached, ${String(count)} new series refused; values per label among ${of}: ${offenders(seen)}; find the label that explodes and ${cure}, or raise ${cap}`;
}

function collisionText({ compiled: { rule }, rival, seen, count }: Refused): string {
  const what = rival === undefined ? "one of its own groups" : `rule ${rival.rule.name} (${rival.rule.place})`;
  const labels = (seen[0]?.labels ?? []).map(([label, value]) => `${label}=${shown(value)}`).join(",");
  return `rule ${rule.name} (${rule.place}) would write the output series of ${what}, and ${String(count)} series are refused, such as ${seen[0]?.name ?? ""}{${labels}}; set output_name or labels in one of the rules, or look at its output relabelling`;
}
