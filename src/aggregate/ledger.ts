// The ledger: where every sample and every (sample, rule) pair went. Read from the kernel's counters, never derived from each
// other, so that the conservation equations (DESIGN, Invariant 6) can fail.
//
//   samples:  received = matched + ignored{reason}
//   pairs:    matched  = applied + duplicate + ignored{reason} + rejected + dropped{reason} + pending
import {
  LEDGER_APPLIED,
  LEDGER_CARRIED,
  LEDGER_DROPPED,
  LEDGER_DUPLICATE,
  LEDGER_GROUP_COUNT,
  LEDGER_MATCHED,
  LEDGER_NEGATIVE,
  LEDGER_PENDING,
  LEDGER_RESETS,
  LEDGER_SERIES_COUNT,
  LEDGER_SUPERSEDED,
  ROOT_IGNORED,
  ROOT_INEXACT,
  ROOT_KEYS,
  ROOT_MATCHED,
  ROOT_PASSED,
  ROOT_RECEIVED,
  ROOT_SERIES,
  TABLE_COUNT,
} from "../kernel/layout.js";
import type { CompiledRule } from "./compile.js";
import type { Ledger, Part } from "./part.js";
import type { Parts } from "./parts.js";

/** Reasons in the order of their indices in kernel/layout.ts. */
export const ignoreReasons = ["unmatched", "string", "name", "memory", "stale", "nan", "histogram"] as const;
export const dropReasons = ["late", "future", "series_cap", "identity", "memory"] as const;

export interface RuleLedger {
  readonly rule: string;
  /** Only of a rule that ends: no Window that starts from then on is its own, ms. */
  readonly untilMs?: number;
  readonly pairsMatched: number;
  readonly pairsApplied: number;
  readonly pairsDuplicate: number;
  readonly pairsIgnored: Readonly<Record<string, number>>;
  readonly pairsDropped: Readonly<Record<string, number>>;
  /** Held until their Window closes. */
  readonly pairsPending: number;
  /** Of the applied: late ones that went into a running total. */
  readonly pairsCarried: number;
  readonly counterResets: number;
  readonly groups: number;
  readonly series: number;
  readonly windowsFlushed: number;
  readonly windowsPartial: number;
}

export interface EngineLedger {
  readonly samplesReceived: number;
  readonly samplesMatched: number;
  readonly samplesIgnored: Readonly<Record<string, number>>;
  /** Integers beyond 2^53 that became the nearest double. */
  readonly samplesInexact: number;
  /** Handed on as they came, whether matched (`matched: keep`) or ignored. */
  readonly samplesPassed: number;
  /** Distinct `measurement,tags` keys in the cache. */
  readonly keys: number;
  /** Input series some rule wants, now. */
  readonly series: number;
  readonly rules: readonly RuleLedger[];
}

function sumAt(ledgers: readonly Ledger[], offset: number): number {
  return ledgers.reduce((sum, { at }) => sum + f64.load(at + offset), 0);
}

function reasons(names: readonly string[], countOf: (index: number) => number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [i, name] of names.entries()) {
    const count = countOf(i);
    if (count > 0) counts[name] = count;
  }
  return counts;
}

/** What a rule did in some Parts. */
export function readRuleLedger(compiled: CompiledRule, parts: readonly Part[]): RuleLedger {
  const ledgers = parts.flatMap((part) => part.ledgers[compiled.index] ?? []);
  const superseded = sumAt(ledgers, LEDGER_SUPERSEDED);
  const negative = sumAt(ledgers, LEDGER_NEGATIVE);
  return {
    rule: compiled.rule.name,
    ...(Number.isFinite(compiled.validity.untilMs) ? { untilMs: compiled.validity.untilMs } : {}),
    pairsMatched: sumAt(ledgers, LEDGER_MATCHED),
    pairsApplied: sumAt(ledgers, LEDGER_APPLIED),
    pairsDuplicate: sumAt(ledgers, LEDGER_DUPLICATE),
    pairsIgnored: { ...(superseded > 0 ? { superseded } : {}), ...(negative > 0 ? { negative } : {}) },
    pairsDropped: reasons(dropReasons, (i) => sumAt(ledgers, LEDGER_DROPPED + i * 8)),
    pairsPending: sumAt(ledgers, LEDGER_PENDING),
    pairsCarried: sumAt(ledgers, LEDGER_CARRIED),
    counterResets: sumAt(ledgers, LEDGER_RESETS),
    groups: ledgers.reduce((sum, { at }) => sum + i32.load(at + LEDGER_GROUP_COUNT), 0),
    series: ledgers.reduce((sum, { at }) => sum + i32.load(at + LEDGER_SERIES_COUNT), 0),
    windowsFlushed: ledgers.reduce((sum, ledger) => sum + ledger.windowsFlushed, 0),
    windowsPartial: ledgers.reduce((sum, ledger) => sum + ledger.windowsPartial, 0),
  };
}

/** Of Parts that are copies, what they count is counted where they are served. */
export function readLedger(root: number, parts: Parts): EngineLedger {
  const held = parts.list.filter(({ mode }) => mode === "serving" || mode === "frozen");
  return {
    samplesReceived: f64.load(root + ROOT_RECEIVED),
    samplesMatched: f64.load(root + ROOT_MATCHED),
    samplesIgnored: reasons(ignoreReasons, (i) => f64.load(root + ROOT_IGNORED + i * 8)),
    samplesInexact: f64.load(root + ROOT_INEXACT),
    samplesPassed: f64.load(root + ROOT_PASSED),
    keys: i32.load(root + ROOT_KEYS + TABLE_COUNT),
    series: i32.load(root + ROOT_SERIES),
    rules: parts.rules.map((compiled) => readRuleLedger(compiled, held)),
  };
}
