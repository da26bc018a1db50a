// Gives back what has expired. Keys, Groups and Lasts point at each other, so all three go in one pass:
//
//   1 mark   Lasts older than twice series_memory (after that a Series counts as never seen), Groups that are retired and
//            hold nothing, Keys that were idle or point at a marked record (or at a refusal, when there is room again)
//   2 unlink rebuild the hash tables from the survivors, forget predictions of dead Keys
//   3 free   only now is anything reused
//
// Dropping a Key is always safe: its next line is admitted anew. bench: sweep.
import { release } from "../kernel/alloc.js";
import {
  FIELD_BYTES,
  FIELD_PASS,
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  FLAG_DEDUP,
  GROUP_BYTES,
  GROUP_HASH,
  GROUP_IDENTITY,
  GROUP_IDENTITY_BYTES,
  GROUP_LASTS,
  GROUP_LEDGER,
  GROUP_NAMES,
  GROUP_NEWEST,
  GROUP_NEXT,
  GROUP_STATE,
  KEY_BYTES,
  KEY_EPOCH,
  KEY_FIELD_COUNT,
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
  PASS_ROWS,
  ROOT_EPOCH,
  ROOT_GROUPS,
  ROOT_KEYS,
  ROOT_LASTS,
  ROOT_PASS,
  ROOT_PREVIOUS,
  ROOT_SERIES,
  TABLE_MASK,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "../kernel/layout.js";
import { tableAdd, tableAt, tableClear } from "../kernel/table.js";
import type { CompiledRule } from "./compile.js";
import { lastBytesOf } from "./lastShape.js";

interface Dead {
  readonly keys: number[];
  readonly groups: number[];
  /** GROUP_NAMES of dead Groups whose names are their own (output relabelling). */
  readonly names: number[];
  /** [address, bytes] */
  readonly lasts: (readonly [number, number])[];
}

/** Frees what has expired; a Key survives `idleSweeps` sweeps without a line. Returns how much went. */
export function sweep(
  root: number,
  rules: readonly CompiledRule[],
  idleSweeps: number,
): { readonly keys: number; readonly groups: number; readonly lasts: number; readonly names: readonly number[] } {
  const dead: Dead = { keys: [], groups: [], names: [], lasts: [] };
  for (const compiled of rules) {
    markLasts(compiled, dead);
    markGroups(compiled, dead);
  }
  const freed = dead.groups.length > 0 || dead.lasts.length > 0;
  const keys = recordsOf(root + ROOT_KEYS);
  const oldestEpoch = i32.load(root + ROOT_EPOCH) - idleSweeps;
  const isIdle = (key: number): boolean => i32.load(key + KEY_EPOCH) < oldestEpoch;
  // Idle Keys make room under max_series as well.
  const roomMade = freed || keys.some(isIdle);
  const keptKeys = keys.filter((key) => {
    if (!isIdle(key) && !(roomMade && isObsolete(key))) return true;
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
  return { keys: dead.keys.length, groups: dead.groups.length, lasts: dead.lasts.length, names: dead.names };
}

function markLasts(compiled: CompiledRule, dead: Dead): void {
  const { ledger, rule } = compiled;
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
      i32.store(ledger + LEDGER_SERIES_COUNT, i32.load(ledger + LEDGER_SERIES_COUNT) - 1);
      dead.lasts.push([last, bytes]);
    }
  }
}

function markGroups(compiled: CompiledRule, dead: Dead): void {
  let link = compiled.ledger + LEDGER_GROUPS;
  for (let group = i32.load(link); group !== 0; group = i32.load(link)) {
    if (i32.load(group + GROUP_STATE) === 1 || i32.load(group + GROUP_NEWEST) !== 0 || i32.load(group + GROUP_LASTS) !== 0) {
      link = group + GROUP_NEXT;
      continue;
    }
    i32.store(link, i32.load(group + GROUP_NEXT));
    i32.store(group + GROUP_STATE, -1);
    i32.store(compiled.ledger + LEDGER_GROUP_COUNT, i32.load(compiled.ledger + LEDGER_GROUP_COUNT) - 1);
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

/** Whether a Key points at a marked record, or at a refusal that may not be one any more. */
function isObsolete(key: number): boolean {
  const fields = i32.load(key + KEY_FIELDS);
  const end = fields + i32.load(key + KEY_FIELD_COUNT) * FIELD_BYTES;
  for (let field = fields; field < end; field += FIELD_BYTES) {
    const targets = i32.load(field + FIELD_TARGETS);
    const count = i32.load(field + FIELD_TARGET_COUNT);
    for (let target = targets; target < targets + count * TARGET_BYTES; target += TARGET_BYTES) {
      const group = i32.load(target + TARGET_GROUP);
      if (group === 0 || i32.load(group + GROUP_STATE) === -1) return true;
      const last = i32.load(target + TARGET_LAST);
      if (last !== 0 && i32.load(last + LAST_GROUP) === 0) return true;
    }
  }
  return false;
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
  const fields = i32.load(key + KEY_FIELDS);
  const max = i32.load(key + KEY_FIELD_MAX);
  const count = i32.load(key + KEY_FIELD_COUNT);
  const passRows = (i32.load(root + ROOT_PASS) & PASS_ROWS) !== 0;
  for (let field = fields; field < fields + count * FIELD_BYTES; field += FIELD_BYTES) {
    const labels = passRows ? i32.load(field + FIELD_PASS) : 0;
    if (labels !== 0) release(root, labels, 4 + i32.load(labels));
    const targets = i32.load(field + FIELD_TARGET_COUNT);
    const at = i32.load(field + FIELD_TARGETS);
    for (let target = at; target < at + targets * TARGET_BYTES; target += TARGET_BYTES) forgetSeries(target);
    if (targets === 0) continue;
    release(root, at, targets * TARGET_BYTES);
    i32.store(root + ROOT_SERIES, i32.load(root + ROOT_SERIES) - 1);
  }
  if (max > 0) release(root, fields, max * FIELD_BYTES);
  // KEY_LENGTH is overwritten by the mark; the size stands in the place of the prediction.
  release(root, key, i32.load(key + KEY_NEXT));
}

/** Targets without a Last are what a rule without counters counts as its series. */
function forgetSeries(target: number): void {
  const group = i32.load(target + TARGET_GROUP);
  if (group === 0 || i32.load(target + TARGET_LAST) !== 0) return;
  const ledger = i32.load(group + GROUP_LEDGER);
  i32.store(ledger + LEDGER_SERIES_COUNT, i32.load(ledger + LEDGER_SERIES_COUNT) - 1);
}
