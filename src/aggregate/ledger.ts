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

/** Reasons in the order of their indices in kernel/layout.ts. */
export const ignoreReasons = ["unmatched", "string", "name", "memory", "stale", "nan", "histogram"] as const;
export const dropReasons = ["late", "future", "series_cap", "identity", "memory"] as const;

export interface RuleLedger {
  readonly rule: string;
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

function reasonsAt(address: number, reasons: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [i, reason] of reasons.entries()) {
    const count = f64.load(address + i * 8);
    if (count > 0) counts[reason] = count;
  }
  return counts;
}

export function readRuleLedger(compiled: CompiledRule): RuleLedger {
  const { ledger, rule } = compiled;
  const superseded = f64.load(ledger + LEDGER_SUPERSEDED);
  const negative = f64.load(ledger + LEDGER_NEGATIVE);
  return {
    rule: rule.name,
    pairsMatched: f64.load(ledger + LEDGER_MATCHED),
    pairsApplied: f64.load(ledger + LEDGER_APPLIED),
    pairsDuplicate: f64.load(ledger + LEDGER_DUPLICATE),
    pairsIgnored: { ...(superseded > 0 ? { superseded } : {}), ...(negative > 0 ? { negative } : {}) },
    pairsDropped: reasonsAt(ledger + LEDGER_DROPPED, dropReasons),
    pairsPending: f64.load(ledger + LEDGER_PENDING),
    pairsCarried: f64.load(ledger + LEDGER_CARRIED),
    counterResets: f64.load(ledger + LEDGER_RESETS),
    groups: i32.load(ledger + LEDGER_GROUP_COUNT),
    series: i32.load(ledger + LEDGER_SERIES_COUNT),
    windowsFlushed: compiled.windowsFlushed,
    windowsPartial: compiled.windowsPartial,
  };
}

export function readLedger(root: number, rules: readonly CompiledRule[]): EngineLedger {
  return {
    samplesReceived: f64.load(root + ROOT_RECEIVED),
    samplesMatched: f64.load(root + ROOT_MATCHED),
    samplesIgnored: reasonsAt(root + ROOT_IGNORED, ignoreReasons),
    samplesInexact: f64.load(root + ROOT_INEXACT),
    samplesPassed: f64.load(root + ROOT_PASSED),
    keys: i32.load(root + ROOT_KEYS + TABLE_COUNT),
    series: i32.load(root + ROOT_SERIES),
    rules: rules.map(readRuleLedger),
  };
}
