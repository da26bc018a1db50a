// Snapshot: the state of a range of SliceKeys as bytes, and back. Move, checkpoint, recovery and restart are this file
// (DESIGN §1). Taken between two steps; restoring replaces. The cache of raw keys is no state: it is admitted anew.
//
//   "LIMPETS1"  xxh64 of what follows  u32 header bytes  header (JSON)  outbox bytes  groups
//   header: version, (term, n), range; rules; per Part its cursors and Ledgers (snapshotHeader.ts); names; the outbox's blocks
//   group:  names, identity, alive, seen, start, totals, histogram, Lasts (with what dedup_interval holds), open Cells (oldest first)
//
// Numbers are little-endian; doubles are exact. Version N reads N and N-1.
import { ByteReader, ByteWriter } from "../base/bytes.js";
import { xxh64 } from "../base/xxh64.js";
import { HOLD_NO_MEMORY, hold } from "../kernel/held.js";
import {
  CELL_NEWER,
  DROPPED_IDENTITY,
  FLAG_DEDUP,
  GROUP_HASH,
  GROUP_HISTOGRAM,
  GROUP_IDENTITY,
  GROUP_IDENTITY_BYTES,
  GROUP_LASTS,
  GROUP_NAMES,
  GROUP_NEXT,
  GROUP_OLDEST,
  GROUP_SEEN,
  GROUP_SLICE_KEY,
  GROUP_STAMP,
  GROUP_STATE,
  HELD_OLDER,
  HELD_TIME,
  HELD_VALUE,
  KIND_COUNTER,
  KIND_SERIES,
  LAST_HASH_HIGH,
  LAST_HASH_LOW,
  LAST_HELD,
  LAST_NEXT,
  LAST_TIME,
  LEDGER_CLOSED,
  LEDGER_COMPLETE,
  LEDGER_DROPPED,
  LEDGER_GROUPS,
  LEDGER_MATCHED,
  LEDGER_PENDING,
  ROOT_COPY,
} from "../kernel/layout.js";
import { heap8 } from "../kernel/memory.js";
import type { KeyRange } from "../slice/keyRange.js";
import type { Admission, GroupIdentity } from "./admission.js";
import { needsMore, readCell, readHistogram, writeCell, writeHistogram } from "./cellCodec.js";
import { clearGroup } from "./clearGroup.js";
import type { CompiledRule } from "./compile.js";
import { lastNumbersEnd, remembersSeries } from "./lastShape.js";
import type { Ledger, Part, PartStart } from "./part.js";
import type { Parts } from "./parts.js";
import { SnapshotError } from "./snapshotError.js";
import {
  cursorsOf,
  type Header,
  type LedgerHeader,
  type OutboxBlock,
  outboxBlock,
  outboxHeader,
  type PartHeader,
  partHeader,
  ruleHeader,
  rulesAsHere,
  SNAPSHOT_VERSION,
  type SnapshotId,
  upgradeHeader,
} from "./snapshotHeader.js";

const MAGIC = Buffer.from("LIMPETS1");
/** Magic and hash. */
const PREFIX_BYTES = 16;

/** The engine whose state it is. */
export interface SnapshotSource {
  readonly root: number;
  readonly rules: readonly CompiledRule[];
  readonly parts: Parts;
  readonly admission: Admission;
}

/** What a restore found. Groups of rules that are not there any more are forgotten, and said so. */
export interface Restored {
  readonly id: SnapshotId;
  readonly groups: number;
  readonly series: number;
  readonly outbox: readonly OutboxBlock[];
  readonly forgottenRules: readonly string[];
  readonly forgottenGroups: number;
  /** Rules some of whose Groups were left out: with the outputs of today they would write what another rule's Groups write. */
  readonly collidingRules: readonly string[];
  /** `rule: output` that begin with the next Window, because the open ones lack the states they need. */
  readonly lateOutputs: readonly string[];
}

export interface SnapshotContent {
  /** Oldest first, so that every series of a sink is in order. */
  readonly outbox?: readonly OutboxBlock[];
  /** Only the Groups that have changed since this mark (copy.ts). */
  readonly since?: number | undefined;
}

/**
 * The Groups of a range, `since` a mark or all. Of a rule that has ended and closed its last Window nothing is needed any more; but a
 * copy that has its open Windows must hear that they were closed.
 */
function groupsIn(source: SnapshotSource, range: KeyRange, since: number | undefined): { readonly group: number; readonly rule: number }[] {
  const groups: { group: number; rule: number }[] = [];
  for (const { at, compiled } of source.parts.within(range).flatMap((part) => part.ledgers)) {
    if (since === undefined && f64.load(at + LEDGER_CLOSED) >= compiled.validity.untilMs) continue;
    for (let group = i32.load(at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
      const key = i32.load(group + GROUP_SLICE_KEY) >>> 0;
      if (key < range.low || key >= range.high) continue;
      if (since === undefined || i32.load(group + GROUP_STAMP) >= since) groups.push({ group, rule: compiled.index });
    }
  }
  return groups;
}

/**
 * Encodes the state of a range: every Part in it, cut to it. The source is not changed.
 */
export function takeSnapshot(source: SnapshotSource, range: KeyRange, id: SnapshotId, what: SnapshotContent = {}): Uint8Array {
  const { outbox = [], since } = what;
  const groups = groupsIn(source, range, since);
  const names = new Map<string, number>();
  const nameList: { rule: number; metric: string }[] = [];
  const body = new ByteWriter();
  for (const { group, rule } of groups) {
    const compiled = source.rules[rule];
    if (compiled === undefined) continue;
    const { metric } = source.admission.names(i32.load(group + GROUP_NAMES));
    const key = `${String(rule)} ${metric}`;
    let index = names.get(key);
    if (index === undefined) {
      index = nameList.push({ rule, metric }) - 1;
      names.set(key, index);
    }
    body.u32(index);
    writeGroup(body, compiled, group);
  }
  const header: Header = {
    version: SNAPSHOT_VERSION,
    id,
    range,
    ...(since === undefined ? {} : { increment: true as const }),
    parts: source.parts.within(range).map((part) => partHeader(part, range)),
    rules: source.rules.map(ruleHeader),
    names: nameList,
    outbox: outbox.map(outboxHeader),
    groups: groups.length,
  };
  const headerBytes = Buffer.from(JSON.stringify(header));
  const size = Buffer.allocUnsafe(4);
  size.writeUInt32LE(headerBytes.length);
  const bytes = Buffer.concat([MAGIC, Buffer.alloc(8), size, headerBytes, ...outbox.map((block) => block.bytes), body.take()]);
  bytes.writeBigUInt64LE(xxh64(bytes.subarray(PREFIX_BYTES)), MAGIC.length);
  return bytes;
}

/** f64s of a Group from GROUP_SEEN on: seen, start, total, firsts, samples. */
const GROUP_NUMBERS = Array.from({ length: (GROUP_HASH - GROUP_SEEN) >> 3 }, (_, i) => GROUP_SEEN + i * 8);

function writeGroup(out: ByteWriter, compiled: CompiledRule, group: number): void {
  const identity = i32.load(group + GROUP_IDENTITY);
  const identityBytes = i32.load(group + GROUP_IDENTITY_BYTES);
  out.u32(identityBytes);
  out.bytes(heap8.subarray(identity, identity + identityBytes));
  out.i32(i32.load(group + GROUP_STATE));
  for (const at of GROUP_NUMBERS) out.f64(f64.load(group + at));
  writeHistogram(out, i32.load(group + GROUP_HISTOGRAM));
  let count = 0;
  for (let last = i32.load(group + GROUP_LASTS); last !== 0; last = i32.load(last + LAST_NEXT)) count++;
  out.u32(count);
  const end = lastNumbersEnd(compiled);
  for (let last = i32.load(group + GROUP_LASTS); last !== 0; last = i32.load(last + LAST_NEXT)) {
    out.i32(i32.load(last + LAST_HASH_LOW));
    out.i32(i32.load(last + LAST_HASH_HIGH));
    out.u32((end - LAST_TIME) >> 3);
    for (let at = LAST_TIME; at < end; at += 8) out.f64(f64.load(last + at));
    if ((compiled.flags & FLAG_DEDUP) !== 0) writeHeld(out, last);
  }
  count = 0;
  for (let cell = i32.load(group + GROUP_OLDEST); cell !== 0; cell = i32.load(cell + CELL_NEWER)) count++;
  out.u32(count);
  for (let cell = i32.load(group + GROUP_OLDEST); cell !== 0; cell = i32.load(cell + CELL_NEWER)) writeCell(out, compiled, cell);
}

/** Samples that wait for their Window to close, newest first, after their number. */
function writeHeld(out: ByteWriter, last: number): void {
  let count = 0;
  for (let held = i32.load(last + LAST_HELD); held !== 0; held = i32.load(held + HELD_OLDER)) count++;
  out.u32(count);
  for (let held = i32.load(last + LAST_HELD); held !== 0; held = i32.load(held + HELD_OLDER)) {
    out.f64(f64.load(held + HELD_TIME));
    out.f64(f64.load(held + HELD_VALUE));
  }
}

function readHeader(bytes: Uint8Array): { readonly header: Header; readonly reader: ByteReader } {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!whole.subarray(0, MAGIC.length).equals(MAGIC)) throw new SnapshotError("not_a_snapshot", "not a Limpet snapshot");
  const content = whole.subarray(PREFIX_BYTES);
  if (whole.length < PREFIX_BYTES || whole.readBigUInt64LE(MAGIC.length) !== xxh64(content)) {
    throw new SnapshotError("damaged", "the snapshot ends early or is damaged: its checksum is another one");
  }
  const reader = new ByteReader(content);
  try {
    // Its shape is ours: the magic and the hash say who wrote it, the version below how.
    const header = upgradeHeader(JSON.parse(reader.bytes(reader.u32()).toString("utf8")) as Header);
    if (header.version > SNAPSHOT_VERSION || header.version < SNAPSHOT_VERSION - 1) {
      throw new SnapshotError("version", wrongVersion(header.version));
    }
    return { header, reader };
  } catch (cause) {
    if (cause instanceof SnapshotError) throw cause;
    throw new SnapshotError("damaged", "the snapshot's header is damaged", { cause });
  }
}

function wrongVersion(version: number): string {
  const reads = `this program reads versions ${String(SNAPSHOT_VERSION - 1)} and ${String(SNAPSHOT_VERSION)}`;
  const cure = version > SNAPSHOT_VERSION ? "run the program here that wrote it, or a newer one" : "let a program in between read and write it first";
  return `a snapshot of version ${String(version)}, and ${reads}; ${cure}`;
}

/**
 * Puts a snapshot into an engine: its Parts replace whatever of their ranges is there. Rules it does not know begin as `start`
 * says. Throws SnapshotError; the ranges are of no use then.
 */
export function restoreSnapshot(target: SnapshotSource, bytes: Uint8Array, start: Omit<PartStart, "term"> = target.parts.start): Restored {
  return restore(target, bytes, start);
}

/** Brings the Parts of a range, which stand as the copy before said, up to date. Throws as restoreSnapshot does. */
export function restoreIncrement(target: SnapshotSource, bytes: Uint8Array): Restored {
  return restore(target, bytes, undefined);
}

/** What a snapshot is, without its content. Throws SnapshotError. */
export function readSnapshotId(bytes: Uint8Array): { readonly id: SnapshotId; readonly range: KeyRange; readonly increment: boolean } {
  const { id, range, increment } = readHeader(bytes).header;
  return { id, range, increment: increment === true };
}

function restore(target: SnapshotSource, bytes: Uint8Array, start: Omit<PartStart, "term"> | undefined): Restored {
  const { header, reader } = readHeader(bytes);
  try {
    return restoreBody(target, header, reader, start);
  } catch (cause) {
    // A TypeError: the checksum holds, but the header is not shaped as ours; nothing else here can meet one.
    if (cause instanceof RangeError || cause instanceof TypeError)
      throw new SnapshotError("damaged", "the snapshot ends early or is damaged", { cause });
    throw cause;
  }
}

function restoreBody(target: SnapshotSource, header: Header, reader: ByteReader, start: Omit<PartStart, "term"> | undefined): Restored {
  const outbox = header.outbox.map((block) => outboxBlock(block, new Uint8Array(reader.bytes(block.bytes))));
  const current = rulesAsHere(header.rules, target.rules);
  for (const part of header.parts) restorePart(target, part, { header, current, start });
  let groups = 0;
  let series = 0;
  let forgottenGroups = 0;
  const colliding = new Set<string>();
  const late = new Set<string>();
  for (let i = 0; i < header.groups; i++) {
    const names = header.names[reader.u32()];
    const from = names === undefined ? undefined : header.rules[names.rule];
    if (names === undefined || from === undefined) throw new RangeError("no such name");
    const compiled = current[names.rule];
    const lasts = readGroup(reader, { target, compiled, metric: names.metric, flags: from.flags, late, colliding, increment: start === undefined });
    if (lasts === undefined) forgottenGroups++;
    else {
      groups++;
      series += lasts;
    }
  }
  const forgottenRules = header.rules.filter((_rule, i) => current[i] === undefined && !hasEnded(header, i)).map(({ name }) => name);
  return { id: header.id, groups, series, outbox, forgottenRules, forgottenGroups, collidingRules: [...colliding], lateOutputs: [...late] };
}

/** Whether a rule had ended, and closed all its Windows everywhere. */
function hasEnded({ rules, parts }: Header, i: number): boolean {
  const untilMs = rules[i]?.untilMs ?? Number.POSITIVE_INFINITY;
  return parts.every(({ ledgers }) => (ledgers[i]?.closedMs ?? Number.NEGATIVE_INFINITY) >= untilMs);
}

interface PartReading {
  readonly header: Header;
  /** By place in the header. */
  readonly current: readonly (CompiledRule | undefined)[];
  /** undefined: an increment of what is there. */
  readonly start: Omit<PartStart, "term"> | undefined;
}

/** Makes a Part stand as the header says; its Groups follow. */
function restorePart({ parts }: SnapshotSource, from: PartHeader, { header, current, start }: PartReading): void {
  const opened = start === undefined ? reopen(parts, from) : parts.drop(from) ? parts.open(from, { ...start, term: from.term }) : undefined;
  if (opened === undefined) throw noRoom();
  opened.term = from.term;
  if (from.takenOverMs !== null) opened.takenOverMs = from.takenOverMs;
  for (const [router, cursor] of cursorsOf(from)) opened.cursors.set(router, cursor);
  for (const [i, compiled] of current.entries()) {
    const ledger = compiled === undefined ? undefined : opened.ledgers[compiled.index];
    const saved = from.ledgers[i];
    if (ledger !== undefined && saved !== undefined) restoreLedger(ledger, saved, header.rules[i]?.flags ?? 0);
    // Of the Groups that did not change, held samples are not read again: what the header says of them stands.
    if (ledger !== undefined && saved !== undefined && start === undefined) restoreCounters(ledger, saved);
  }
}

/** The Parts of a copy come to be cut as they are where they are served. */
function reopen(parts: Parts, from: PartHeader): Part | undefined {
  const part = parts.cut(from) === undefined ? undefined : parts.unite(from);
  part?.cursors.clear();
  return part;
}

function restoreCounters({ at }: Ledger, { counters }: LedgerHeader): void {
  for (const [i, count] of counters.entries()) f64.store(at + LEDGER_MATCHED + i * 8, count);
}

function restoreLedger(ledger: Ledger, from: LedgerHeader, flags: number): void {
  const { at, compiled } = ledger;
  if (from.closedMs !== null) f64.store(at + LEDGER_CLOSED, from.closedMs);
  // Series that were not remembered then are not known since then.
  const remembered = (compiled.flags & (KIND_COUNTER | KIND_SERIES) & ~flags) === 0;
  if (from.completeMs !== null && remembered) f64.store(at + LEDGER_COMPLETE, from.completeMs);
  if (typeof from.beganMs === "number") ledger.beganMs = from.beganMs;
  restoreCounters(ledger, from);
  // Held samples are counted as they are read.
  f64.store(at + LEDGER_MATCHED, f64.load(at + LEDGER_MATCHED) - f64.load(at + LEDGER_PENDING));
  f64.store(at + LEDGER_PENDING, 0);
  for (const [i, { output }] of compiled.outputs.entries()) ledger.cleanFromMs[i] = from.cleanFromMs?.[output.name] ?? Number.NEGATIVE_INFINITY;
  ledger.windowsFlushed = from.windowsFlushed;
  ledger.windowsPartial = from.windowsPartial;
}

interface GroupReading {
  readonly target: SnapshotSource;
  readonly compiled: CompiledRule | undefined;
  readonly metric: string;
  readonly flags: number;
  readonly late: Set<string>;
  readonly colliding: Set<string>;
  /** The Group may be there, as it was. */
  readonly increment: boolean;
}

/** Where a Group of the snapshot goes: 0 when its rule is gone, or an edited rule has come to write its output series. */
function placeOf({ target, compiled, metric, colliding }: GroupReading, identity: GroupIdentity): number {
  if (compiled === undefined) return 0;
  const group = target.admission.group(compiled, identity, metric, false);
  if (group >= 0) return group;
  if (group !== -1 - DROPPED_IDENTITY) throw noRoom();
  colliding.add(compiled.rule.name);
  return 0;
}

/** Reads one Group, into the engine when there is a place for it. Returns the number of its Lasts, undefined when there is none. */
function readGroup(reader: ByteReader, reading: GroupReading): number | undefined {
  const { target, compiled } = reading;
  const identity = decodeIdentity(reader.bytes(reader.u32()));
  const state = reader.i32();
  const numbers = GROUP_NUMBERS.map(() => reader.f64());
  const group = placeOf(reading, identity);
  if (group !== 0 && compiled !== undefined) {
    if (reading.increment) clearGroup(target.root, compiled, group);
    i32.store(group + GROUP_STAMP, i32.load(target.root + ROOT_COPY));
    i32.store(group + GROUP_STATE, state);
    for (const [i, at] of GROUP_NUMBERS.entries()) f64.store(group + at, numbers[i] ?? 0);
  }
  const histogram = readHistogram(reader, group === 0 ? 0 : target.root);
  if (group !== 0) i32.store(group + GROUP_HISTOGRAM, histogram);
  const lasts = reader.u32();
  for (let i = 0; i < lasts; i++) readLast(reader, reading, group);
  const cells = reader.u32();
  const owner = group === 0 ? undefined : compiled;
  for (let i = 0; i < cells; i++) {
    const windowMs = readCell(reader, { root: target.root, compiled: owner, group, flags: reading.flags });
    if (owner !== undefined) delayOutputs(group, owner, windowMs, reading);
  }
  return group === 0 ? undefined : lasts;
}

/** Outputs whose state an open Window lacks begin behind it. */
function delayOutputs(group: number, compiled: CompiledRule, windowMs: number, { target, flags, late }: GroupReading): void {
  const cleanFromMs = target.parts.at(i32.load(group + GROUP_SLICE_KEY) >>> 0)?.ledgers[compiled.index]?.cleanFromMs;
  for (const [i, { output }] of compiled.outputs.entries()) {
    if (cleanFromMs === undefined || !needsMore(output, flags)) continue;
    cleanFromMs[i] = Math.max(cleanFromMs[i] ?? 0, windowMs + compiled.rule.intervalMs);
    late.add(`${compiled.rule.name}: ${output.name}`);
  }
}

function readLast(reader: ByteReader, reading: GroupReading, group: number): void {
  const { target, compiled } = reading;
  const low = reader.i32();
  const high = reader.i32();
  const count = reader.u32();
  // A rule whose counters were edited away has no Lasts any more; kept ones would count under max_series beside its series.
  const wanted = compiled !== undefined && group !== 0 && remembersSeries(compiled);
  const last = !wanted ? 0 : target.admission.last(compiled, group, { low, high }, false);
  if (last < 0) throw noRoom();
  const room = compiled === undefined ? 0 : (lastNumbersEnd(compiled) - LAST_TIME) >> 3;
  for (let i = 0; i < count; i++) {
    const value = reader.f64();
    if (last !== 0 && i < room) f64.store(last + LAST_TIME + i * 8, value);
  }
  if ((reading.flags & FLAG_DEDUP) !== 0) readHeld(reader, reading, last);
}

/** `last` 0: they are lost with their Group. */
function readHeld(reader: ByteReader, { target, compiled, increment }: GroupReading, last: number): void {
  const count = reader.u32();
  const ledger = compiled === undefined ? undefined : target.parts.at(target.admission.sliceKey)?.ledgers[compiled.index]?.at;
  if (ledger !== undefined && !increment) {
    for (const at of [LEDGER_MATCHED, last === 0 ? LEDGER_DROPPED + DROPPED_IDENTITY * 8 : LEDGER_PENDING])
      f64.store(ledger + at, f64.load(ledger + at) + count);
  }
  for (let i = 0; i < count; i++) {
    const time = reader.f64();
    const value = reader.f64();
    if (compiled === undefined || last === 0) continue;
    if (hold(target.root, compiled.record, last, time, value) === HOLD_NO_MEMORY) throw noRoom();
  }
}

function decodeIdentity(bytes: Buffer): { readonly stem: string; readonly labels: (readonly [string, string])[] } {
  const labels: (readonly [string, string])[] = [];
  let at = 2;
  for (let i = bytes.readUInt16LE(0); i > 0; i--) {
    const nameEnd = at + 2 + bytes.readUInt16LE(at);
    const valueEnd = nameEnd + 4 + bytes.readUInt32LE(nameEnd);
    labels.push([bytes.toString("utf8", at + 2, nameEnd), bytes.toString("utf8", nameEnd + 4, valueEnd)]);
    at = valueEnd;
  }
  return { stem: bytes.toString("utf8", at), labels };
}

function noRoom(): SnapshotError {
  return new SnapshotError("no_memory", "no memory to restore all of it");
}
