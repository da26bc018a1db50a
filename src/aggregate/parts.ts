// The Parts of an engine; what lies between them is held by somebody else. Every change makes all Keys stale (ROOT_CHANGED):
// each is looked at when it is next used, and admitted anew if a target of it led nowhere or to what has gone.
//
//   split at k   [a ─────── k ─────── b)  ─▶  [a ── k) keeps the counters   [k ── b) copies cursors, closed marks, completeness
//   merge        neighbours that agree on all of these become one
//   drop         takes a Part out at once; the next sweep frees its Groups
import {
  FLAG_DEDUP,
  GROUP_LASTS,
  GROUP_LEDGER,
  GROUP_NEXT,
  GROUP_SERIES,
  GROUP_SLICE_KEY,
  HELD_OLDER,
  LAST_HELD,
  LAST_NEXT,
  LEDGER_ACCEPTS,
  LEDGER_BYTES,
  LEDGER_CLOSED,
  LEDGER_COMPLETE,
  LEDGER_GONE,
  LEDGER_GROUP_COUNT,
  LEDGER_GROUPS,
  LEDGER_MATCHED,
  LEDGER_PENDING,
  LEDGER_SERIES_COUNT,
  ROOT_CHANGED,
  ROOT_EPOCH,
  ROOT_STALE,
} from "../kernel/layout.js";
import { KEY_END, type KeyRange, WHOLE } from "../slice/keyRange.js";
import type { CompiledRule } from "./compile.js";
import { type Cursor, type Ledger, openPart, type Part, type PartMode, type PartStart, releaseLedgers } from "./part.js";

/** Term of a Part that nobody assigned. */
const STANDALONE_TERM = "0.0";

export class Parts {
  /** By CompiledRule.index. */
  readonly rules: readonly CompiledRule[];
  /** How what is not known of a restored Part begins, unless something else is said. */
  readonly start: Omit<PartStart, "term">;
  readonly #root: number;
  /** Invariant: sorted by low, disjoint. */
  #list: readonly Part[] = [];
  #dropped: Ledger[] = [];

  constructor(root: number, rules: readonly CompiledRule[], start: Omit<PartStart, "term">) {
    this.#root = root;
    this.rules = rules;
    this.start = start;
  }

  get list(): readonly Part[] {
    return this.#list;
  }

  /** The Part that holds a SliceKey (uint32). */
  at(key: number): Part | undefined {
    const part = this.#list[this.#firstAbove(key)];
    return part !== undefined && part.low <= key ? part : undefined;
  }

  /** Index of the first Part that ends above a key. */
  #firstAbove(key: number): number {
    let from = 0;
    let to = this.#list.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#list[middle]?.high ?? 0) <= key) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** The Parts that share keys with a range. */
  within({ low, high }: KeyRange): Part[] {
    const first = this.#firstAbove(low);
    let end = first;
    while ((this.#list[end]?.low ?? KEY_END) < high) end++;
    return this.#list.slice(first, end);
  }

  /** All Ledgers. */
  ledgers(): Ledger[] {
    return this.#list.flatMap((part) => part.ledgers);
  }

  /** An i32 counter of a rule (LEDGER_*_COUNT) over all Parts: caps are the process's. */
  sum(compiled: CompiledRule, counter: number): number {
    let sum = 0;
    for (const part of this.#list) sum += i32.load((part.ledgers[compiled.index]?.at ?? 0) + counter);
    return sum;
  }

  /** An f64 counter of a rule (LEDGER_MATCHED and those behind it) over all Parts. */
  total(compiled: CompiledRule, counter: number): number {
    let sum = 0;
    for (const part of this.#list) sum += f64.load((part.ledgers[compiled.index]?.at ?? 0) + counter);
    return sum;
  }

  /** A new Part, serving and without state. undefined: no memory. Throws when some of the range is held already. */
  open(range: KeyRange, start: PartStart): Part | undefined {
    if (this.within(range).length > 0) throw new Error(`${String(range.low)}-${String(range.high)} is held already`);
    const part = openPart(this.#root, this.rules, range, start);
    if (part !== undefined) this.#change([...this.#list, part]);
    return part;
  }

  /** Cuts the Part around `key`, so that one begins there. False: no memory. In the time its Groups take. */
  split(key: number): boolean {
    const whole = this.at(key);
    if (whole === undefined || whole.low === key) return true;
    const right = openPart(this.#root, this.rules, { low: key, high: whole.high }, { term: whole.term, startMs: 0, completeMs: 0 });
    if (right === undefined) return false;
    const left: Part = { ...whole, high: key, heavy: whole.heavy.within({ low: whole.low, high: key }, whole) };
    right.heavy = whole.heavy.within(right, whole);
    for (const [router, cursor] of whole.cursors) right.cursors.set(router, cursor);
    right.takenOverMs = whole.takenOverMs;
    right.copied = whole.copied;
    for (const [i, ledger] of left.ledgers.entries()) {
      const into = right.ledgers[i];
      if (into !== undefined) divide(ledger, into, key);
    }
    this.setMode(right, whole.mode);
    this.#change([...this.#list.filter((part) => part !== whole), left, right]);
    return true;
  }

  /** Cuts at both ends of a range, and returns the Parts within. undefined: no memory. */
  cut(range: KeyRange): Part[] | undefined {
    return this.split(range.low) && this.split(range.high) ? this.within(range) : undefined;
  }

  /** Joins neighbours that agree on everything but their counters. */
  merge(): void {
    this.#join(agree);
  }

  /** One Part out of those within a range, which must be cut out and without gaps; the first one's cursors and marks stand for all. */
  unite(range: KeyRange): Part | undefined {
    this.#join((left, right) => left.low >= range.low && left.high === right.low && right.high <= range.high);
    return this.within(range)[0];
  }

  #join(mayJoin: (left: Part, right: Part) => boolean): void {
    const merged: Part[] = [];
    for (const part of this.#list) {
      const left = merged.at(-1);
      if (left === undefined || !mayJoin(left, part)) {
        merged.push(part);
        continue;
      }
      for (const [i, ledger] of part.ledgers.entries()) {
        const into = left.ledgers[i];
        if (into !== undefined) join(into, ledger);
      }
      releaseLedgers(this.#root, part.ledgers);
      merged[merged.length - 1] = { ...left, high: part.high, heavy: left.heavy.join(part.heavy) };
    }
    if (merged.length < this.#list.length) this.#change(merged);
  }

  /** Lets a range go. False: no memory to cut it out. */
  drop(range: KeyRange): boolean {
    const gone = this.cut(range);
    if (gone === undefined) return false;
    for (const ledger of gone.flatMap((part) => part.ledgers)) {
      i32.store(ledger.at + LEDGER_ACCEPTS, 0);
      i32.store(ledger.at + LEDGER_GONE, 1);
      this.#dropped.push(ledger);
    }
    if (gone.length > 0) this.#change(this.#list.filter((part) => !gone.includes(part)));
    return true;
  }

  get hasDropped(): boolean {
    return this.#dropped.length > 0;
  }

  /** Ledgers of dropped Parts, whose Groups are dead and wait to be freed; the caller frees both. */
  takeDropped(): readonly Ledger[] {
    const dropped = this.#dropped;
    this.#dropped = [];
    return dropped;
  }

  /** Once in a while: forgets routers that have been silent since `ms` (what they sent is durable, or their own loss by now), lets old load fade, merges. */
  age(ms: number): void {
    for (const { cursors, heavy } of this.#list) {
      heavy.fade();
      for (const [router, { heardMs }] of cursors) if (heardMs < ms) cursors.delete(router);
    }
    this.merge();
  }

  setMode(part: Part, mode: PartMode): void {
    part.mode = mode;
    for (const { at } of part.ledgers) i32.store(at + LEDGER_ACCEPTS, mode === "serving" ? 1 : 0);
  }

  #change(list: readonly Part[]): void {
    this.#list = list.toSorted((a, b) => a.low - b.low);
    const epoch = i32.load(this.#root + ROOT_EPOCH) + 1;
    i32.store(this.#root + ROOT_EPOCH, epoch);
    i32.store(this.#root + ROOT_CHANGED, epoch);
    i32.store(this.#root + ROOT_STALE, epoch);
  }
}

/** Moves the Groups with SliceKeys from `key` on into a new Ledger, which takes over the rest of what it must know. */
function divide(from: Ledger, into: Ledger, key: number): void {
  f64.store(into.at + LEDGER_CLOSED, f64.load(from.at + LEDGER_CLOSED));
  f64.store(into.at + LEDGER_COMPLETE, f64.load(from.at + LEDGER_COMPLETE));
  for (const [i, cleanMs] of from.cleanFromMs.entries()) into.cleanFromMs[i] = cleanMs;
  into.beganMs = from.beganMs;
  let link = from.at + LEDGER_GROUPS;
  for (let group = i32.load(link); group !== 0; group = i32.load(link)) {
    if (i32.load(group + GROUP_SLICE_KEY) >>> 0 < key) {
      link = group + GROUP_NEXT;
      continue;
    }
    i32.store(link, i32.load(group + GROUP_NEXT));
    if ((from.compiled.flags & FLAG_DEDUP) !== 0) moveHeld(group, from, into);
    count(from, -1, -i32.load(group + GROUP_SERIES));
    i32.store(group + GROUP_NEXT, i32.load(into.at + LEDGER_GROUPS));
    i32.store(group + GROUP_LEDGER, into.at);
    i32.store(into.at + LEDGER_GROUPS, group);
    count(into, 1, i32.load(group + GROUP_SERIES));
  }
}

/** Samples that wait for their Window go with their Group, also in the books. */
function moveHeld(group: number, from: Ledger, into: Ledger): void {
  let count = 0;
  for (let last = i32.load(group + GROUP_LASTS); last !== 0; last = i32.load(last + LAST_NEXT))
    for (let held = i32.load(last + LAST_HELD); held !== 0; held = i32.load(held + HELD_OLDER)) count++;
  for (const at of [LEDGER_MATCHED, LEDGER_PENDING]) {
    f64.store(from.at + at, f64.load(from.at + at) - count);
    f64.store(into.at + at, f64.load(into.at + at) + count);
  }
}

/** Adds everything of a Ledger to its left neighbour's. */
function join(into: Ledger, from: Ledger): void {
  let last = from.at + LEDGER_GROUPS;
  for (let group = i32.load(last); group !== 0; group = i32.load(last)) {
    i32.store(group + GROUP_LEDGER, into.at);
    last = group + GROUP_NEXT;
  }
  i32.store(last, i32.load(into.at + LEDGER_GROUPS));
  i32.store(into.at + LEDGER_GROUPS, i32.load(from.at + LEDGER_GROUPS));
  count(into, i32.load(from.at + LEDGER_GROUP_COUNT), i32.load(from.at + LEDGER_SERIES_COUNT));
  for (let at = LEDGER_MATCHED; at < LEDGER_BYTES; at += 8) f64.store(into.at + at, f64.load(into.at + at) + f64.load(from.at + at));
  into.beganMs = Math.max(into.beganMs, from.beganMs);
  into.windowsFlushed += from.windowsFlushed;
  into.windowsPartial += from.windowsPartial;
}

function count({ at }: Ledger, groups: number, series: number): void {
  i32.store(at + LEDGER_GROUP_COUNT, i32.load(at + LEDGER_GROUP_COUNT) + groups);
  i32.store(at + LEDGER_SERIES_COUNT, i32.load(at + LEDGER_SERIES_COUNT) + series);
}

/** Whether two Parts may become one. */
function agree(a: Part, b: Part): boolean {
  if (a.high !== b.low || a.copied !== b.copied || a.term !== b.term || a.mode !== b.mode || a.takenOverMs !== b.takenOverMs) return false;
  return sameCursors(a.cursors, b.cursors) && a.ledgers.every((ledger, i) => sameMarks(ledger, b.ledgers[i]));
}

function sameCursors(a: ReadonlyMap<string, Cursor>, b: ReadonlyMap<string, Cursor>): boolean {
  if (a.size !== b.size) return false;
  for (const [router, { applied, oldestMs, statedMs, heardMs }] of a) {
    const other = b.get(router);
    if (other?.applied !== applied || other.oldestMs !== oldestMs || other.statedMs !== statedMs || other.heardMs !== heardMs) return false;
  }
  return true;
}

function sameMarks(a: Ledger, b: Ledger | undefined): boolean {
  if (b === undefined) return false;
  for (const at of [LEDGER_CLOSED, LEDGER_COMPLETE]) if (!Object.is(f64.load(a.at + at), f64.load(b.at + at))) return false;
  return a.cleanFromMs.every((cleanMs, i) => cleanMs === b.cleanFromMs[i]);
}

/** Parts with one, the whole key space, that nobody assigned. Throws when there is no memory. */
export function openParts(root: number, rules: readonly CompiledRule[], startMs: number): Parts {
  const start = { startMs, completeMs: startMs === Number.NEGATIVE_INFINITY ? Number.NaN : startMs };
  const parts = new Parts(root, rules, start);
  if (parts.open(WHOLE, { ...start, term: STANDALONE_TERM }) === undefined) throw new Error("no memory for the rules; raise --memory-max");
  return parts;
}
