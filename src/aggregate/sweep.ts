// Gives back what has expired, in steps between which lines are read, Windows closed, Parts cut and copies taken.
//
//   1 mark   Lasts older than twice series_memory (after that a Series counts as never seen), Groups that are retired and hold
//            nothing, all of dropped Parts. What is marked is in no table or list any more, but stays where it is
//   2 keys   Keys that were idle or point at a marked record (or at a refusal, when there is room again) lose their Fields
//   3 links  Keys forget that one of those comes next
//   4 free   only now is anything reused
//
// Invariant: between two steps nothing reachable is freed. Every Key is stale after a step that marked something (ROOT_STALE), so it
// is looked at before it is used, and it comes to point at no marked record any more: tables, caches and Shapes have none. So after
// 2 no Key points at one, also if it was added or admitted anew meanwhile. A Key that is used between 2 and 4 lives on.
// Dropping a Key is always safe: its next line is admitted anew. bench: sweep.
import { release } from "../kernel/alloc.js";
import { releaseCell } from "../kernel/cell.js";
import { releaseHeld } from "../kernel/held.js";
import { releaseHistogram } from "../kernel/histogram.js";
import {
  FIELD_BYTES,
  FLAG_DEDUP,
  GROUP_BYTES,
  GROUP_HASH,
  GROUP_HISTOGRAM,
  GROUP_IDENTITY,
  GROUP_IDENTITY_BYTES,
  GROUP_LASTS,
  GROUP_NAMES,
  GROUP_NEWEST,
  GROUP_NEXT,
  GROUP_OLDEST,
  GROUP_SERIES,
  GROUP_STATE,
  KEY_BYTES,
  KEY_EPOCH,
  KEY_FIELD_COUNT,
  KEY_FIELD_MAX,
  KEY_FIELDS,
  KEY_HASH,
  KEY_LENGTH,
  KEY_NEXT,
  KEY_SWEPT,
  LAST_GROUP,
  LAST_HASH_LOW,
  LAST_HELD,
  LAST_NEXT,
  LAST_TIME,
  LEDGER_CLOSED,
  LEDGER_GROUP_COUNT,
  LEDGER_GROUPS,
  ROOT_CHANGED,
  ROOT_EPOCH,
  ROOT_GROUPS,
  ROOT_KEYS,
  ROOT_LASTS,
  ROOT_PREVIOUS,
  ROOT_STALE,
  TABLE_MASK,
} from "../kernel/layout.js";
import { countSeries } from "../kernel/shape.js";
import { tableAt, tableRemove } from "../kernel/table.js";
import type { Admission } from "./admission.js";
import type { CompiledRule } from "./compile.js";
import { forgetFields, isObsolete } from "./keyTargets.js";
import { lastBytesOf } from "./lastShape.js";
import { type Ledger, releaseLedgers } from "./part.js";
import type { Parts } from "./parts.js";

/** The engine that is swept. */
export interface SweepTarget {
  readonly root: number;
  readonly parts: Parts;
  readonly admission: Admission;
}

/** How much went. */
export interface Swept {
  readonly keys: number;
  readonly groups: number;
  readonly lasts: number;
}

/** Records of one step, give or take what hangs on one of them. */
const STEP = 1000;

/** What is to be freed. */
interface Dead {
  readonly keys: number[];
  readonly groups: number[];
  /** GROUP_NAMES of dead Groups whose names are their own (output relabelling). */
  readonly names: number[];
  /** Address, then bytes, of each. */
  readonly lasts: number[];
}

/** A sweep that is under way. */
interface Run extends SweepTarget {
  readonly dead: Dead;
  /** Records of one step. */
  readonly step: number;
}

/** Frees, in one go, what has expired, and what dropped Parts left behind; a Key survives that was used since ROOT_EPOCH was `oldestEpoch`. */
export function sweep(target: SweepTarget, oldestEpoch: number): Swept {
  const pieces = sweepSteps(target, oldestEpoch);
  for (;;) {
    const { value, done } = pieces.next();
    if (done === true) return value;
  }
}

/**
 * As sweep, in steps: after each it yields the number of records that it went through, about `step`. To be run to its end, one sweep
 * of an engine at a time.
 */
export function* sweepSteps(target: SweepTarget, oldestEpoch: number, step = STEP): Generator<number, Swept> {
  const { root, parts, admission } = target;
  const dead: Dead = { keys: [], groups: [], names: [], lasts: [] };
  const run: Run = { root, parts, admission, dead, step };
  const dropped = parts.takeDropped();
  for (const ledger of dropped) yield* markDropped(run, ledger);
  yield* markExpired(run);
  const freed = dead.groups.length > 0 || dead.lasts.length > 0;
  yield* eachKey(run, (key) => {
    const epoch = i32.load(key + KEY_EPOCH);
    if (epoch !== KEY_SWEPT && (epoch < oldestEpoch || (freed && isObsolete(key, false)))) dropKey(root, key, dead);
  });
  // Idle Keys make room under max_series as well: refusals are to be asked again, as they were above if something else was freed.
  if (dead.keys.length > 0) {
    yield* eachKey(run, (key) => {
      const next = i32.load(key + KEY_NEXT);
      if (next !== 0 && i32.load(next + KEY_EPOCH) === KEY_SWEPT) i32.store(key + KEY_NEXT, 0);
      if (!freed && isObsolete(key, false)) forgetFields(root, key);
    });
  }
  const keys = yield* free(run);
  releaseLedgers(root, dropped);
  return { keys, groups: dead.groups.length, lasts: dead.lasts.length / 2 };
}

/** All of a dropped Part's Groups, whatever they hold. Its drop has made all Keys stale, and nobody else goes through its lists. */
function* markDropped({ root, dead, step }: Run, { at, compiled }: Ledger): Generator<number> {
  const dedup = (compiled.flags & FLAG_DEDUP) !== 0;
  let work = 1;
  for (let group = i32.load(at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
    for (let last = i32.load(group + GROUP_LASTS); last !== 0; last = i32.load(last + LAST_NEXT)) {
      for (let held = dedup ? i32.load(last + LAST_HELD) : 0; held !== 0; work++) held = releaseHeld(root, held);
      markLast(root, last, compiled, dead);
      if (++work < step) continue;
      yield work;
      work = 0;
    }
    for (let cell = i32.load(group + GROUP_OLDEST); cell !== 0; cell = i32.load(group + GROUP_OLDEST)) {
      releaseCell(root, group, cell);
      work++;
    }
    const histogram = i32.load(group + GROUP_HISTOGRAM);
    if (histogram !== 0) releaseHistogram(root, histogram);
    markGroup(root, group, compiled, dead);
    if (++work < step) continue;
    yield work;
    work = 0;
  }
  yield work;
}

/** What has expired in the Parts that are held. A Ledger whose Parts change meanwhile has its turn with the next sweep. */
function* markExpired(run: Run): Generator<number> {
  const { root, parts } = run;
  const all = parts.ledgers();
  let changed = i32.load(root + ROOT_CHANGED);
  let held = new Set(all);
  for (const ledger of all) {
    if (changed !== i32.load(root + ROOT_CHANGED)) {
      changed = i32.load(root + ROOT_CHANGED);
      held = new Set(parts.ledgers());
    }
    if (held.has(ledger)) yield* markLedger(run, ledger);
  }
}

function* markLedger({ root, admission, dead, step }: Run, { at, compiled }: Ledger): Generator<number> {
  const oldest = f64.load(at + LEDGER_CLOSED) - 2 * compiled.rule.seriesMemoryMs;
  const dedup = (compiled.flags & FLAG_DEDUP) !== 0;
  const changed = i32.load(root + ROOT_CHANGED);
  let marked = dead.groups.length + dead.lasts.length;
  let work = 1;
  let link = at + LEDGER_GROUPS;
  for (let group = i32.load(link); group !== 0; group = i32.load(link)) {
    let lastLink = group + GROUP_LASTS;
    for (;;) {
      if (++work >= step) {
        if (dead.groups.length + dead.lasts.length > marked) stale(root, admission);
        marked = dead.groups.length + dead.lasts.length;
        yield work;
        // The Group may be another Ledger's now, or this one may be gone.
        if (i32.load(root + ROOT_CHANGED) !== changed) return;
        work = 0;
      }
      const last = i32.load(lastLink);
      if (last === 0) break;
      if (f64.load(last + LAST_TIME) >= oldest || (dedup && i32.load(last + LAST_HELD) !== 0)) {
        lastLink = last + LAST_NEXT;
        continue;
      }
      i32.store(lastLink, i32.load(last + LAST_NEXT));
      countSeries(group, -1);
      markLast(root, last, compiled, dead);
    }
    // New Groups came before it meanwhile, if it was the first.
    while (i32.load(link) !== group) link = i32.load(link) + GROUP_NEXT;
    if (i32.load(group + GROUP_STATE) === 1 || i32.load(group + GROUP_NEWEST) !== 0 || i32.load(group + GROUP_LASTS) !== 0) {
      link = group + GROUP_NEXT;
      continue;
    }
    i32.store(link, i32.load(group + GROUP_NEXT));
    i32.store(at + LEDGER_GROUP_COUNT, i32.load(at + LEDGER_GROUP_COUNT) - 1);
    markGroup(root, group, compiled, dead);
  }
  if (dead.groups.length + dead.lasts.length > marked) stale(root, admission);
  yield work;
}

/** After something was marked: each Key is to be looked at before it is used, and no Shape to be followed. */
function stale(root: number, admission: Admission): void {
  const epoch = i32.load(root + ROOT_EPOCH) + 1;
  i32.store(root + ROOT_EPOCH, epoch);
  i32.store(root + ROOT_STALE, epoch);
  admission.groupsMarked();
}

function markLast(root: number, last: number, compiled: CompiledRule, { lasts }: Dead): void {
  tableRemove(root + ROOT_LASTS, i32.load(last + LAST_HASH_LOW) ^ (i32.load(last + LAST_GROUP) >>> 3), last);
  i32.store(last + LAST_GROUP, 0);
  lasts.push(last, lastBytesOf(compiled));
}

/** Its series are counted no more from now on: its Ledger may be joined with another one before they are forgotten. */
function markGroup(root: number, group: number, { rule }: CompiledRule, { groups, names }: Dead): void {
  tableRemove(root + ROOT_GROUPS, i32.load(group + GROUP_HASH), group);
  countSeries(group, -i32.load(group + GROUP_SERIES));
  i32.store(group + GROUP_STATE, -1);
  groups.push(group);
  if (rule.outputRelabel.length > 0) names.push(i32.load(group + GROUP_NAMES));
}

/** Visits all Keys, some twice when the table grows meanwhile; new ones it may miss. */
function* eachKey({ root, step }: Run, visit: (key: number) => void): Generator<number> {
  const table = root + ROOT_KEYS;
  let mask = i32.load(table + TABLE_MASK);
  let work = 0;
  for (let i = mask; i >= 0; i--) {
    const key = tableAt(table, i);
    work++;
    if (key !== 0) {
      work += i32.load(key + KEY_FIELD_COUNT);
      visit(key);
    }
    if (work < step) continue;
    yield work;
    work = 0;
    if (i32.load(table + TABLE_MASK) === mask) continue;
    mask = i32.load(table + TABLE_MASK);
    i = mask + 1;
  }
  yield work;
}

function dropKey(root: number, key: number, { keys }: Dead): void {
  forgetFields(root, key);
  i32.store(key + KEY_EPOCH, KEY_SWEPT);
  if (i32.load(root + ROOT_PREVIOUS) === key) i32.store(root + ROOT_PREVIOUS, 0);
  keys.push(key);
}

/** Returns how many Keys went: some may have been used meanwhile. */
function* free({ root, admission, dead, step }: Run): Generator<number, number> {
  const { keys, groups, names, lasts } = dead;
  admission.forgetKeys();
  if (groups.length > 0) admission.forgetGroups(names);
  let freed = 0;
  for (let i = 0; i < keys.length; i++) {
    if (i % step === step - 1) yield step;
    if (freeKey(root, keys[i] ?? 0)) freed++;
  }
  for (let i = 0; i < lasts.length; i += 2) {
    if ((i >> 1) % step === step - 1) yield step;
    release(root, lasts[i] ?? 0, lasts[i + 1] ?? 0);
  }
  for (const [i, group] of groups.entries()) {
    if (i % step === step - 1) yield step;
    // Retired Groups hold no histogram any more.
    release(root, i32.load(group + GROUP_IDENTITY), i32.load(group + GROUP_IDENTITY_BYTES));
    release(root, group, GROUP_BYTES);
  }
  return freed;
}

/** False: it was used since it was dropped. */
function freeKey(root: number, key: number): boolean {
  if (i32.load(key + KEY_EPOCH) !== KEY_SWEPT) return false;
  tableRemove(root + ROOT_KEYS, i32.load(key + KEY_HASH), key);
  const max = i32.load(key + KEY_FIELD_MAX);
  if (max > 0) release(root, i32.load(key + KEY_FIELDS), max * FIELD_BYTES);
  release(root, key, KEY_BYTES + i32.load(key + KEY_LENGTH) + 4);
  return true;
}
