// A Part: a range of SliceKeys that this engine holds, with what was done there and how far it has heard every router. A
// standalone engine has one, the whole key space.
//
//   Part [low, high) ─▶ Ledger per Rule ─▶ Groups ─▶ Cells, Lasts
//                            ▲
//   target ─▶ Group ─────────┘      the hot loop comes from this side and knows nothing of Parts
//
//   copy ──last increment──▶ installed ──go──▶ serving ──freeze──▶ frozen ──go──▶ dropped        (PROTOCOL P6)
//                                                 ▲──────abort───────┘
import { allocate, release } from "../kernel/alloc.js";
import {
  GROUP_LEDGER,
  GROUP_STATE,
  LEDGER_ACCEPTS,
  LEDGER_BYTES,
  LEDGER_CLOSED,
  LEDGER_COMPLETE,
  LEDGER_GONE,
  LEDGER_RULE,
} from "../kernel/layout.js";
import type { KeyRange } from "../slice/keyRange.js";
import type { CompiledRule } from "./compile.js";
import { HeavyKeys } from "./heavyKeys.js";
import type { SnapshotId } from "./snapshotHeader.js";

/** What one Rule did in one Part. The numbers of the hot loop lie in kernel memory. */
export interface Ledger {
  readonly compiled: CompiledRule;
  /** -> kernel Ledger */
  readonly at: number;
  /** When its state began, empty, here or where it came from, ms; what was before is not known. -Infinity: a replay. */
  beganMs: number;
  /** Windows flushed, and those flushed before their end. */
  windowsFlushed: number;
  windowsPartial: number;
  /** Per output of the rule: Windows that start before it (ms) yield no rows, because their state is not whole. */
  readonly cleanFromMs: number[];
}

/** How far a router's batches have come (PROTOCOL P1). */
export interface Cursor {
  /** Highest batch applied. */
  readonly applied: number;
  /** Oldest event time, ms, that the router says it has not yet delivered; undefined: none. */
  readonly oldestMs: number | undefined;
  /** When it said that, ms by its own clock (BatchHead.statedMs). */
  readonly statedMs: number;
  /** When it was heard last, ms by the clock of whoever held the Part then. */
  readonly heardMs: number;
}

/**
 * copy: somebody else's state, kept up to date. installed: a whole copy that waits for go. serving: applies and closes.
 * frozen: neither, until go or abort.
 */
export type PartMode = "copy" | "installed" | "serving" | "frozen";

export interface Part extends KeyRange {
  /** In which it is held, `INCARNATION.NUMBER` (PROTOCOL P3). */
  term: string;
  /** Written by Parts.setMode alone. */
  mode: PartMode;
  /** Since when this engine serves it, ms; -Infinity: a replay. */
  takenOverMs: number;
  /** Of a copy: the newest that was taken in; all Parts of it share this very object. */
  copied: SnapshotId | undefined;
  /** By router. */
  readonly cursors: Map<string, Cursor>;
  /** By CompiledRule.index. */
  readonly ledgers: readonly Ledger[];
  /** Which of its keys take most of the load. */
  heavy: HeavyKeys;
}

/** How a Part begins. */
export interface PartStart {
  readonly term: string;
  /** Windows whose end + grace lies before it (ms) count as closed. -Infinity: none does. */
  readonly startMs: number;
  /** Nothing the Part should hold has been lost or unseen since (ms); NaN: not known yet. */
  readonly completeMs: number;
}

/** A Part without state, serving; undefined when there is no memory. */
export function openPart(root: number, rules: readonly CompiledRule[], { low, high }: KeyRange, start: PartStart): Part | undefined {
  const ledgers: Ledger[] = [];
  for (const compiled of rules) {
    const ledger = openLedger(root, compiled, start);
    if (ledger === undefined) {
      releaseLedgers(root, ledgers);
      return undefined;
    }
    ledgers.push(ledger);
  }
  const heavy = new HeavyKeys();
  return { low, high, term: start.term, mode: "serving", takenOverMs: start.startMs, copied: undefined, cursors: new Map(), ledgers, heavy };
}

function openLedger(root: number, compiled: CompiledRule, { startMs, completeMs }: PartStart): Ledger | undefined {
  const { rule, record, validity } = compiled;
  const at = allocate(root, LEDGER_BYTES);
  if (at === 0) return undefined;
  i32.store(at + LEDGER_RULE, record);
  i32.store(at + LEDGER_ACCEPTS, 1);
  f64.store(at + LEDGER_CLOSED, Math.floor((startMs - rule.graceMs) / rule.intervalMs) * rule.intervalMs);
  // What the rule was not there for is unseen.
  f64.store(at + LEDGER_COMPLETE, Math.max(completeMs, validity.fromMs));
  const cleanFromMs = compiled.outputs.map(() => Number.NEGATIVE_INFINITY);
  return { compiled, at, beganMs: startMs, windowsFlushed: 0, windowsPartial: 0, cleanFromMs };
}

/** Whether a Group awaits the sweep: by itself, or with its dropped Part, whose Groups nobody goes through while a move waits for that. */
export function isDead(group: number): boolean {
  return i32.load(group + GROUP_STATE) === -1 || i32.load(i32.load(group + GROUP_LEDGER) + LEDGER_GONE) !== 0;
}

/** Gives the records of Ledgers back; their Groups must have gone before. */
export function releaseLedgers(root: number, ledgers: readonly Ledger[]): void {
  for (const { at } of ledgers) release(root, at, LEDGER_BYTES);
}
