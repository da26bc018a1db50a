// State of key ranges as naive as it can be: what the simulator puts under a Slicelet to judge the protocol alone. A line is
// `KEY TIME_MS ID`; a group is a key; a row says how many lines its window had, the sum of their ids, and the running total. The rules
// change now and then: which lines count, and since when the total runs.
import { type BatchHead, type BatchRange, joinAnswers } from "#limpet/slice/batch.js";
import type { Generation } from "#limpet/slice/generation.js";
import { contains, type KeyRange, overlap, without } from "#limpet/slice/keyRange.js";
import type { CopyNumber, Held, Outbox, PartAnswer } from "#limpet/slicelet/holdings.js";
import type { Disk, NodeState } from "./matter.js";
import type { SimSink } from "./sink.js";

export const WINDOW_MS = 1000;
export const GRACE_MS = 2000;
export const HOLD_MS = 20_000;

export interface ModelRow {
  readonly key: number;
  readonly endMs: number;
  readonly value: string;
}

const NOTHING: readonly never[] = [];

interface Cursor {
  readonly applied: number;
  readonly oldestMs: number | undefined;
  readonly statedMs: number;
}

interface Group {
  readonly windows: Map<number, { count: number; ids: number }>;
  total: number;
  /** Of the rules, that its total is of. */
  version: number;
}

interface Part {
  range: KeyRange;
  term: Generation;
  frozen: boolean;
  cursors: Map<string, Cursor>;
  groups: Map<number, Group>;
  /** Windows that end here or earlier are closed. */
  closedMs: number;
  pairs: number;
  changed: Set<number>;
  /** Since when it is served after it was away, and since when it was; undefined: it never was. */
  back?: { readonly sinceMs: number; readonly awayMs: number };
}

interface Copied {
  readonly groups: Map<number, Group>;
  rest: Omit<Part, "range" | "groups" | "changed" | "frozen" | "term" | "back">;
  number: number;
  outbox: Outbox;
}

/** Rules of the protocol, each to be switched off to see that the simulator notices. */
export interface ModelRules {
  /** P2: what comes after a missing batch is refused. */
  readonly gap: boolean;
  /** P2: a batch that was applied is not applied again. */
  readonly duplicate: boolean;
  /** A window waits for senders that may still deliver for it. */
  readonly hold: boolean;
  /** P6: the target serves only after go. */
  readonly go: boolean;
  /** P5: rows that no sink has answered for go with their Slice. */
  readonly withdraw: boolean;
  /** P5: what is in doubt is of one window of a series. */
  readonly oneWindow: boolean;
  /** P2: a batch that names rules which the owner lacks is refused, and the rules are offered. */
  readonly needRules: boolean;
  /** What has come back from disk closes nothing until those had a chance to speak who could not while it was away. */
  readonly back: boolean;
}

/** Which lines a version of the rules takes. Each version is another rule: its totals begin at 0. */
export function isMatched(id: number, version: number): boolean {
  return version === 0 || (id + version) % 4 !== 0;
}

/** Which of the versions that begin at `times` a window is of. */
export function versionAt(times: readonly number[], startMs: number): number {
  return times.findLastIndex((fromMs) => startMs >= fromMs);
}

/** How long the unknown have for that. */
const RETURN_MS = 5000;

export class ModelHoldings implements NodeState {
  readonly #rules: ModelRules;
  #parts: Part[] = [];
  readonly #copies = new Map<string, Copied>();
  /** Lines that came for a closed window: the simulator expects none. */
  late = 0;
  losses = 0;
  #closes = 0;
  /** Since when the versions of the rules hold that are known here. */
  versions: readonly number[];
  /** A copy was refused, because there are more. */
  lacksVersions = false;

  /** Of an earlier process, and not granted. */
  #offered: Part[];
  readonly #awayMs: number;

  constructor(rules: ModelRules, versions: readonly number[] = [0], disk?: Disk) {
    this.#rules = rules;
    this.versions = versions;
    // What keep() put there.
    this.#offered = [...((disk?.content ?? []) as readonly Part[])];
    this.#awayMs = disk?.stoppedMs ?? 0;
  }

  /** All that is held or was never granted, as it goes to disk. */
  keep(stoppedMs: number): Disk {
    const parts = structuredClone([...this.#parts, ...this.#offered]);
    return { offers: parts.map(({ range, term }) => ({ ...range, number: term })), stoppedMs, versions: this.versions, content: parts };
  }

  held(): readonly Held[] {
    return this.#parts.map(({ range, term, frozen, groups, pairs }) => ({
      low: range.low,
      high: range.high,
      term,
      frozen,
      bytes: groups.size * 100,
      pairs,
      top: NOTHING,
    }));
  }

  open(range: KeyRange, term: Generation, nowMs: number): void {
    const closedMs = Math.floor((nowMs - GRACE_MS) / WINDOW_MS) * WINDOW_MS;
    this.#add({ range, term, frozen: false, cursors: new Map(), groups: new Map(), closedMs, pairs: 0, changed: new Set() });
  }

  drop(range: KeyRange): void {
    this.#cut(range);
    this.#parts = this.#parts.filter((part) => overlap(part.range, range) === undefined);
    this.#takeOffered(range);
  }

  freeze(range: KeyRange): void {
    for (const part of this.#within(range)) part.frozen = true;
  }

  thaw(range: KeyRange, term: Generation): void {
    for (const part of this.#within(range)) {
      part.frozen = false;
      part.term = term;
    }
  }

  apply(_nowMs: number, head: BatchHead, body: Uint8Array): readonly PartAnswer[] {
    const lines = new TextDecoder().decode(body).split("\n").filter(Boolean);
    return joinAnswers(
      head.ranges.flatMap((range) => this.#applyRange({ head, range, lines }).map((answer) => ({ ...answer, durable: 0, owner: null }))),
    );
  }

  flush(nowMs: number, sink: SimSink): void {
    sink.close(this.close(nowMs));
  }

  dispose(): void {
    this.#parts = [];
  }

  /** Closes what is due and returns its rows, oldest window first. */
  close(nowMs: number): ModelRow[] {
    const rows: ModelRow[] = [];
    if (++this.#closes % 10 === 0) this.#merge();
    for (const part of this.#parts) {
      if (part.frozen) continue;
      while (part.closedMs + WINDOW_MS + GRACE_MS <= nowMs && !this.#isHeld(part, part.closedMs + WINDOW_MS, nowMs))
        rows.push(...closeOne(part, this.versions));
    }
    return rows;
  }

  copy(range: KeyRange, { full }: CopyNumber, outbox: Outbox): Uint8Array {
    const parts = this.#within(range).map((part) => {
      const groups = [...part.groups].filter(([key]) => full || part.changed.has(key));
      part.changed = new Set();
      const windows = groups.map(([key, group]) => [
        key,
        group.total,
        group.version,
        [...group.windows].map(([at, { count, ids }]) => [at, count, ids]),
      ]);
      return { range: part.range, cursors: [...part.cursors], closedMs: part.closedMs, pairs: part.pairs, back: part.back, groups: windows };
    });
    return new TextEncoder().encode(JSON.stringify({ parts, outbox, versions: this.versions.length }));
  }

  changedBytes(range: KeyRange): number {
    return this.#within(range).reduce((sum, part) => sum + part.changed.size * 100, 0);
  }

  receive(range: KeyRange, bytes: Uint8Array, { move, number, full }: CopyNumber): "stored" | "send_full" | "refused" {
    const key = `${String(range.low)}@${String(move.incarnation)}.${String(move.number)}`;
    const before = this.#copies.get(key);
    if (before !== undefined && number <= before.number) return "stored";
    if (!full && before?.number !== number - 1) return "send_full";
    // One cursor vector per move is what this model can carry: a cut range is joined before it is copied.
    const { parts, outbox, versions } = JSON.parse(new TextDecoder().decode(bytes)) as { parts: WirePart[]; outbox: Outbox; versions: number };
    if (versions > this.versions.length) {
      this.lacksVersions = true;
      return "refused";
    }
    const groups = full ? new Map<number, Group>() : (before?.groups ?? new Map<number, Group>());
    for (const part of parts)
      for (const [at, total, version, windows] of part.groups)
        groups.set(at, { total, version, windows: new Map(windows.map(([w, count, ids]) => [w, { count, ids }])) });
    this.#wire.set(key, parts);
    this.#copies.set(key, { groups, rest: { cursors: new Map(), closedMs: 0, pairs: 0 }, number, outbox });
    return "stored";
  }

  readonly #wire = new Map<string, WirePart[]>();

  install(range: KeyRange, move: Generation): Outbox {
    const key = `${String(range.low)}@${String(move.incarnation)}.${String(move.number)}`;
    const copied = this.#copies.get(key);
    const parts = this.#wire.get(key);
    if (copied === undefined || parts === undefined) throw new Error("nothing to install");
    this.drop(range);
    for (const part of parts) {
      const groups = new Map([...copied.groups].filter(([at]) => contains(part.range, at)));
      this.#add({
        range: part.range,
        term: move,
        frozen: true,
        cursors: new Map(part.cursors),
        groups,
        closedMs: part.closedMs,
        pairs: part.pairs,
        changed: new Set(),
        ...(part.back === undefined ? {} : { back: part.back }),
      });
    }
    this.#copies.delete(key);
    this.#wire.delete(key);
    return copied.outbox;
  }

  discard(range: KeyRange, move: Generation): void {
    const key = `${String(range.low)}@${String(move.incarnation)}.${String(move.number)}`;
    this.#copies.delete(key);
    this.#wire.delete(key);
    const installed = this.#parts.filter((part) => part.frozen && part.term.number === move.number && part.term.incarnation === move.incarnation);
    this.#parts = this.#parts.filter((part) => !installed.includes(part) || overlap(part.range, range) === undefined);
  }

  restore(range: KeyRange, term: Generation, nowMs: number): void {
    for (const part of this.#takeOffered(range)) this.#add({ ...part, term, frozen: false, back: { sinceMs: nowMs, awayMs: this.#awayMs } });
  }

  /** What of a range lies on disk; it does no longer. */
  #takeOffered(range: KeyRange): Part[] {
    const taken: Part[] = [];
    this.#offered = this.#offered.flatMap((part) => {
      const both = overlap(part.range, range);
      if (both === undefined) return [part];
      taken.push(partIn(part, both));
      return without([part.range], [both]).map((rest) => partIn(part, rest));
    });
    return taken;
  }

  #applyRange(batch: { readonly head: BatchHead; readonly range: BatchRange; readonly lines: readonly string[] }): PartAnswer[] {
    const { head, range, lines } = batch;
    this.#cut(range);
    const answers: PartAnswer[] = [];
    let at = range.low;
    for (const part of this.#within(range)) {
      if (part.range.low > at) answers.push({ low: at, high: part.range.low, answer: "elsewhere", applied: 0 });
      answers.push({ ...part.range, ...this.#applyPart(part, { head, range, lines }) });
      at = part.range.high;
    }
    if (at < range.high) answers.push({ low: at, high: range.high, answer: "elsewhere", applied: 0 });
    return answers;
  }

  #applyPart(
    part: Part,
    { head, range, lines }: { readonly head: BatchHead; readonly range: BatchRange; readonly lines: readonly string[] },
  ): Pick<PartAnswer, "answer" | "applied"> {
    if (part.frozen) return { answer: "wait", applied: 0 };
    const applied = part.cursors.get(head.router)?.applied ?? 0;
    if (this.#rules.gap && applied < range.prev) {
      if (range.prev >= range.kept) return { answer: "gap", applied };
      this.losses++;
    }
    if (lines.length === 0) {
      // A heartbeat speaks for everything up to its number; one that a later batch has overtaken says nothing any more.
      const older = (part.cursors.get(head.router)?.statedMs ?? 0) > head.statedMs;
      if (applied <= head.seq && !older) part.cursors.set(head.router, { applied, oldestMs: range.oldestMs, statedMs: head.statedMs });
      return { answer: "applied", applied };
    }
    if (this.#rules.duplicate && applied >= head.seq) return { answer: "duplicate", applied };
    for (const line of lines) this.#line(part, line);
    part.cursors.set(head.router, { applied: head.seq, oldestMs: range.oldestMs, statedMs: head.statedMs });
    return { answer: "applied", applied: head.seq };
  }

  #line(part: Part, line: string): void {
    const [key = 0, timeMs = 0, id = 0] = line.split(" ").map(Number);
    if (!contains(part.range, key)) return;
    part.pairs++;
    const start = Math.floor(timeMs / WINDOW_MS) * WINDOW_MS;
    if (start + WINDOW_MS <= part.closedMs) {
      this.late++;
      return;
    }
    const version = versionAt(this.versions, start);
    if (!isMatched(id, version)) return;
    part.changed.add(key);
    let group = part.groups.get(key);
    if (group === undefined) {
      group = { windows: new Map(), total: 0, version };
      part.groups.set(key, group);
    }
    const window = group.windows.get(start) ?? { count: 0, ids: 0 };
    group.windows.set(start, { count: window.count + 1, ids: window.ids + id });
  }

  /** A sender that may still deliver for the window holds it, for a while. */
  #isHeld({ cursors, back }: Part, endMs: number, nowMs: number): boolean {
    const backMs = this.#rules.back ? (back?.sinceMs ?? 0) : 0;
    if (!this.#rules.hold || nowMs - Math.max(endMs + GRACE_MS, backMs) > HOLD_MS) return false;
    if (this.#rules.back && back !== undefined && nowMs - backMs < RETURN_MS && endMs + GRACE_MS > back.awayMs) return true;
    return [...cursors.values()].some(({ oldestMs, statedMs }) => {
      return oldestMs !== undefined && nowMs - Math.max(statedMs, backMs) <= HOLD_MS && (oldestMs < endMs || statedMs < endMs + GRACE_MS);
    });
  }

  /** Parts inside a range, cut at its ends. */
  #within(range: KeyRange): Part[] {
    this.#cut(range);
    return this.#parts.filter((part) => overlap(part.range, range) !== undefined);
  }

  #cut({ low, high }: KeyRange): void {
    for (const at of [low, high]) {
      const part = this.#parts.find(({ range }) => at > range.low && at < range.high);
      if (part === undefined) continue;
      const right = { low: at, high: part.range.high };
      part.range = { low: part.range.low, high: at };
      const groups = new Map([...part.groups].filter(([key]) => key >= at));
      for (const key of groups.keys()) part.groups.delete(key);
      const changed = new Set([...part.changed].filter((key) => key >= at));
      this.#add({ ...part, range: right, cursors: new Map(part.cursors), groups, changed, pairs: 0 });
    }
  }

  /** Joins neighbours that stand at the same place. */
  #merge(): void {
    const merged: Part[] = [];
    for (const part of this.#parts) {
      const last = merged.at(-1);
      if (last === undefined || last.range.high !== part.range.low || standing(last) !== standing(part)) {
        merged.push(part);
        continue;
      }
      last.range = { low: last.range.low, high: part.range.high };
      last.pairs += part.pairs;
      for (const [key, group] of part.groups) last.groups.set(key, group);
      for (const key of part.changed) last.changed.add(key);
    }
    this.#parts = merged;
  }

  #add(part: Part): void {
    this.#parts = [...this.#parts, part].toSorted((a, b) => a.range.low - b.range.low);
  }
}

function partIn(part: Part, range: KeyRange): Part {
  const groups = new Map([...part.groups].filter(([key]) => contains(range, key)));
  return { ...part, range, groups, cursors: new Map(part.cursors), changed: new Set(groups.keys()), pairs: 0 };
}

function standing({ term, frozen, closedMs, back, cursors }: Part): string {
  return JSON.stringify([term, frozen, closedMs, back ?? null, [...cursors].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

interface WirePart {
  readonly range: KeyRange;
  readonly back?: NonNullable<Part["back"]>;
  readonly cursors: readonly (readonly [string, Cursor])[];
  readonly closedMs: number;
  readonly pairs: number;
  readonly groups: readonly (readonly [number, number, number, readonly (readonly [number, number, number])[]])[];
}

function closeOne(part: Part, versions: readonly number[]): ModelRow[] {
  const rows: ModelRow[] = [];
  const start = part.closedMs;
  const version = versionAt(versions, start);
  for (const [key, group] of part.groups) {
    const window = group.windows.get(start);
    if (window === undefined) continue;
    group.windows.delete(start);
    group.total = (group.version === version ? group.total : 0) + window.count;
    group.version = version;
    part.changed.add(key);
    rows.push({ key, endMs: start + WINDOW_MS, value: `${String(window.count)}/${String(window.ids)}/${String(group.total)}` });
  }
  part.closedMs = start + WINDOW_MS;
  return rows;
}
