// Up to which end the Windows of a Part may close. The wall clock decides, but a router that says it has older samples still to
// deliver holds them back, and so does one that has not spoken since end + grace (PROTOCOL, Time and lateness).
//
//   held by a router:  oldestMs < end, or statedMs < end + grace; not when it said oldest = none, nor `hold` after its last word
//   never longer than  max(end + grace, take-over) + hold
//
// A Part that was away for a while (in --data) has heard nobody meanwhile: see comeBack.
import { LEDGER_CLOSED } from "../kernel/layout.js";
import type { CompiledRule } from "./compile.js";
import type { Part } from "./part.js";
import type { Parts } from "./parts.js";
import type { Rule } from "./rule.js";

/** What the routers of a Part hold back, at one moment. */
export interface Backlog {
  /** ms; Infinity: nothing is held. */
  readonly oldestMs: number;
  readonly statedMs: number;
  /** What was due by then, ms, is held no longer. */
  readonly patienceMs: number;
}

export function backlogOf({ cursors, takenOverMs }: Pick<Part, "cursors" | "takenOverMs">, nowMs: number, holdMs: number): Backlog {
  let oldest = Number.POSITIVE_INFINITY;
  let stated = Number.POSITIVE_INFINITY;
  for (const { oldestMs, statedMs, heardMs } of cursors.values()) {
    if (oldestMs === undefined || nowMs - heardMs > holdMs) continue;
    oldest = Math.min(oldest, oldestMs);
    stated = Math.min(stated, statedMs);
  }
  const patienceMs = nowMs - holdMs >= takenOverMs ? nowMs - holdMs : Number.NEGATIVE_INFINITY;
  return { oldestMs: oldest, statedMs: stated, patienceMs };
}

/** Name of no router: it stands for all whom a Part may not know, because they began, or began again, while it was away. */
const UNKNOWN = "(unknown)";
/** Within it every router that has something asks whoever has come back (the longest backoff). */
const RETURN_MS = 5000;

/**
 * A Part serves again that was stopped at `awaySinceMs`. What its routers said before holds its Windows from now on, as if they had
 * only just said it; and for a moment those who were not heard hold what they might have fed since.
 */
export function comeBack(part: Part, nowMs: number, { awaySinceMs, holdMs }: { readonly awaySinceMs: number; readonly holdMs: number }): void {
  part.takenOverMs = nowMs;
  for (const [router, cursor] of part.cursors) part.cursors.set(router, { ...cursor, heardMs: nowMs });
  part.cursors.set(UNKNOWN, { applied: 0, oldestMs: awaySinceMs, statedMs: awaySinceMs, heardMs: nowMs - holdMs + RETURN_MS });
}

/** The latest Window end (ms) of a rule that may be closed now; a multiple of its interval. */
export function dueEnd(nowMs: number, { intervalMs, graceMs }: Rule, { oldestMs, statedMs, patienceMs }: Backlog): number {
  const aligned = (ms: number): number => Math.floor(ms / intervalMs) * intervalMs;
  const due = aligned(nowMs - graceMs);
  const free = aligned(Math.min(oldestMs, statedMs - graceMs));
  return free >= due ? due : Math.max(free, aligned(patienceMs - graceMs));
}

/** Whether no Part of an engine has a Window of a rule open that starts before `ms`, nor would still take samples for one. */
export function hasClosed({ rules, parts }: { readonly rules: readonly CompiledRule[]; readonly parts: Parts }, rule: Rule, ms: number): boolean {
  const compiled = rules.find((known) => known.rule === rule);
  return compiled === undefined || parts.list.every(({ ledgers }) => f64.load((ledgers[compiled.index]?.at ?? 0) + LEDGER_CLOSED) >= ms);
}

/** Whether by the clock alone some Window end has come that is not closed yet. */
export function isDue(nowMs: number, { ledgers }: Pick<Part, "ledgers">): boolean {
  return ledgers.some(({ at, compiled }) => {
    const { intervalMs, graceMs } = compiled.rule;
    return Math.floor((nowMs - graceMs) / intervalMs) * intervalMs > f64.load(at + LEDGER_CLOSED);
  });
}
