// Gives back what has expired. Keys, Groups and Lasts point at each other, so all three go in one pass:
//
//   1 mark   Lasts older than twice series_memory (after that a Series counts as never seen), Groups that are retired and
//            hold nothing, Keys that were idle or point at a marked record (or at a refusal, when there is room again)
//   2 unlink rebuild the hash tables from the survivors, forget predictions of dead Keys
//   3 free   only now is anything reused
//
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
  GROUP_STATE,
  KEY_BYTES,
  KEY_EPOCH,
  KEY_FIELD_MAX,
  KEY_FIELDS,
  KEY_HASH,
  KEY_LENGTH,
  KEY_NEXT,
  LAST_GROUP,
  LAST_HASH_LOW,
  LAST_HELD,
  LAST_NEXT,
  LAST_TIME,
  LEDGER_CLOSED,
  LEDGER_GROUP_COUNT,
  LEDGER_GROUPS,
  LEDGER_SERIES_COUNT,
  ROOT_GROUPS,
  ROOT_KEYS,
  ROOT_LASTS,
  ROOT_PREVIOUS,
  RULE_SERIES,
  TABLE_MASK,
} from "../kernel/layout.js";
import { countSeries } from "../kernel/shape.js";
import { tableAdd, tableAt, tableClear } from "../kernel/table.js";
import { forgetFields, isObsolete } from "./keyTargets.js";
import { lastBytesOf } from "./lastShape.js";
import { type Ledger, releaseLedgers } from "./part.js";
import type { Parts } from "./parts.js";

interface Dead {
  readonly keys: number[];
  readonly groups: number[];
  /** GROUP_NAMES of dead Groups whose names are their own (output relabelling). */
  readonly names: number[];
  /** [address, bytes] */
  readonly lasts: (readonly [number, number])[];
}

/** Frees what has expired, and what dropped Parts left behind; a Key survives that was used since ROOT_EPOCH was `oldestEpoch`. Returns how much went. */
export function sweep(
  root: number,
  parts: Parts,
  oldestEpoch: number,
): { readonly keys: number; readonly groups: number; readonly lasts: number; readonly names: readonly number[] } {
  const dead: Dead = { keys: [], groups: [], names: [], lasts: [] };
  const dropped = parts.takeDropped();
  for (const ledger of dropped) markDropped(root, ledger, dead);
  for (const ledger of parts.ledgers()) {
    markLasts(ledger, dead);
    markGroups(ledger, dead);
  }
  const freed = dead.groups.length > 0 || dead.lasts.length > 0;
  const keys = recordsOf(root + ROOT_KEYS);
  const isIdle = (key: number): boolean => i32.load(key + KEY_EPOCH) < oldestEpoch;
  // Idle Keys make room under max_series as well.
  const roomMade = freed || keys.some(isIdle);
  const keptKeys = keys.filter((key) => {
    if (!isIdle(key) && !(roomMade && isObsolete(key, false))) return true;
    dead.keys.push(key);
    return false;
  });
  if (dead.keys.length > 0) unlinkKeys(root, keptKeys, dead.keys);
  if (freed) {
    rebuild(root, ROOT_GROUPS, (group) => (i32.load(group + GROUP_STATE) === -1 ? undefined : i32.load(group + GROUP_HASH)));
    rebuild(root, ROOT_LASTS, (last) => {
      const group = i32.load(last + LAST_GROUP);
      return group === 0 ? undefined : i32.load(last + LAST_HASH_LOW) ^ (group >>> 3);
    });
  }
  for (const key of dead.keys) freeKey(root, key);
  for (const [last, bytes] of dead.lasts) release(root, last, bytes);
  for (const group of dead.groups) {
    // Retired Groups hold no histogram any more.
    release(root, i32.load(group + GROUP_IDENTITY), i32.load(group + GROUP_IDENTITY_BYTES));
    release(root, group, GROUP_BYTES);
  }
  for (const { at, compiled } of dropped) {
    const series = compiled.record + RULE_SERIES;
    i32.store(series, i32.load(series) - i32.load(at + LEDGER_SERIES_COUNT));
  }
  releaseLedgers(root, dropped);
  return { keys: dead.keys.length, groups: dead.groups.length, lasts: dead.lasts.length, names: dead.names };
}

/** All of a dropped Part's Groups, whatever they hold. */
function markDropped(root: number, { at, compiled }: Ledger, dead: Dead): void {
  const bytes = lastBytesOf(compiled);
  const dedup = (compiled.flags & FLAG_DEDUP) !== 0;
  for (let group = i32.load(at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
    for (let last = i32.load(group + GROUP_LASTS); last !== 0; last = i32.load(last + LAST_NEXT)) {
      i32.store(last + LAST_GROUP, 0);
      for (let held = dedup ? i32.load(last + LAST_HELD) : 0; held !== 0; ) held = releaseHeld(root, held);
      dead.lasts.push([last, bytes]);
    }
    for (let cell = i32.load(group + GROUP_OLDEST); cell !== 0; cell = i32.load(group + GROUP_OLDEST)) releaseCell(root, group, cell);
    const histogram = i32.load(group + GROUP_HISTOGRAM);
    if (histogram !== 0) releaseHistogram(root, histogram);
    i32.store(group + GROUP_STATE, -1);
    dead.groups.push(group);
    if (compiled.rule.outputRelabel.length > 0) dead.names.push(i32.load(group + GROUP_NAMES));
  }
}

function markLasts({ at: ledger, compiled }: Ledger, dead: Dead): void {
  const { rule } = compiled;
  const oldest = f64.load(ledger + LEDGER_CLOSED) - 2 * rule.seriesMemoryMs;
  const bytes = lastBytesOf(compiled);
  const holds = (last: number): boolean => (compiled.flags & FLAG_DEDUP) !== 0 && i32.load(last + LAST_HELD) !== 0;
  for (let group = i32.load(ledger + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
    let link = group + GROUP_LASTS;
    for (let last = i32.load(link); last !== 0; last = i32.load(link)) {
      if (f64.load(last + LAST_TIME) >= oldest || holds(last)) {
        link = last + LAST_NEXT;
        continue;
      }
      i32.store(link, i32.load(last + LAST_NEXT));
      i32.store(last + LAST_GROUP, 0);
      countSeries(group, -1);
      dead.lasts.push([last, bytes]);
    }
  }
}

function markGroups({ at: ledger, compiled }: Ledger, dead: Dead): void {
  let link = ledger + LEDGER_GROUPS;
  for (let group = i32.load(link); group !== 0; group = i32.load(link)) {
    if (i32.load(group + GROUP_STATE) === 1 || i32.load(group + GROUP_NEWEST) !== 0 || i32.load(group + GROUP_LASTS) !== 0) {
      link = group + GROUP_NEXT;
      continue;
    }
    i32.store(link, i32.load(group + GROUP_NEXT));
    i32.store(group + GROUP_STATE, -1);
    i32.store(ledger + LEDGER_GROUP_COUNT, i32.load(ledger + LEDGER_GROUP_COUNT) - 1);
    dead.groups.push(group);
    if (compiled.rule.outputRelabel.length > 0) dead.names.push(i32.load(group + GROUP_NAMES));
  }
}

function recordsOf(table: number): number[] {
  const records: number[] = [];
  for (let i = i32.load(table + TABLE_MASK); i >= 0; i--) {
    const record = tableAt(table, i);
    if (record !== 0) records.push(record);
  }
  return records;
}

function unlinkKeys(root: number, kept: readonly number[], dead: readonly number[]): void {
  for (const key of dead) {
    i32.store(key + KEY_NEXT, KEY_BYTES + i32.load(key + KEY_LENGTH) + 4);
    i32.store(key + KEY_LENGTH, -1);
  }
  tableClear(root + ROOT_KEYS);
  for (const key of kept) {
    const next = i32.load(key + KEY_NEXT);
    if (next !== 0 && i32.load(next + KEY_LENGTH) === -1) i32.store(key + KEY_NEXT, 0);
    tableAdd(root, root + ROOT_KEYS, i32.load(key + KEY_HASH), key);
  }
  const previous = i32.load(root + ROOT_PREVIOUS);
  if (previous !== 0 && i32.load(previous + KEY_LENGTH) === -1) i32.store(root + ROOT_PREVIOUS, 0);
}

/** Puts the records for which `hashOf` still gives a hash back into an emptied table. */
function rebuild(root: number, table: number, hashOf: (record: number) => number | undefined): void {
  const records = recordsOf(root + table);
  tableClear(root + table);
  for (const record of records) {
    const hash = hashOf(record);
    if (hash !== undefined) tableAdd(root, root + table, hash, record);
  }
}

function freeKey(root: number, key: number): void {
  forgetFields(root, key);
  const max = i32.load(key + KEY_FIELD_MAX);
  if (max > 0) release(root, i32.load(key + KEY_FIELDS), max * FIELD_BYTES);
  // KEY_LENGTH is overwritten by the mark; the size stands in the place of the prediction.
  release(root, key, i32.load(key + KEY_NEXT));
}
