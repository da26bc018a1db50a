// The header of a snapshot: what is said once for all Groups that follow. JSON, because it is small, grows with every version, and
// people read it.
import { LEDGER_BYTES, LEDGER_CLOSED, LEDGER_COMPLETE, LEDGER_MATCHED } from "../kernel/layout.js";
import type { RowBlock } from "../metric/rowBlock.js";
import { type KeyRange, overlap } from "../slice/keyRange.js";
import type { CompiledRule } from "./compile.js";
import type { Cursor, Ledger, Part } from "./part.js";

/** 2: a range may hold several Parts, each with its cursors and Ledgers; heads of outbox rows hold a type, blocks a mark. */
export const SNAPSHOT_VERSION = 2;

/** Identity of a copy: the term it was taken in (`INCARNATION.NUMBER`) and its number within it. */
export interface SnapshotId {
  readonly term: string;
  readonly number: number;
}

/** Frozen rows that one sink (Sink.name) has not answered for. */
export interface OutboxBlock extends RowBlock {
  readonly sink: string;
}

/** A block without its bytes, whose number it says. */
interface OutboxHeader extends Omit<OutboxBlock, "bytes" | "keys"> {
  readonly bytes: number;
  /** Little-endian, base64. */
  readonly keys?: string;
}

export interface LedgerHeader {
  readonly closedMs: number | null;
  readonly completeMs: number | null;
  /** Not in version 1, nor in the first ones of version 2. */
  readonly beganMs?: number | null;
  /** LEDGER_MATCHED and everything behind it. */
  readonly counters: readonly number[];
  readonly windowsFlushed: number;
  readonly windowsPartial: number;
  /** By output, of those that are not whole from the beginning. */
  readonly cleanFromMs?: Readonly<Record<string, number>>;
}

export interface RuleHeader {
  readonly id: string;
  readonly name: string;
  readonly flags: number;
  /** Its run of versions (RuleValidity), as far as it is bounded. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

export interface PartHeader extends KeyRange {
  readonly term: string;
  readonly takenOverMs: number | null;
  readonly cursors: readonly {
    readonly router: string;
    readonly applied: number;
    readonly oldestMs: number | null;
    readonly statedMs: number;
    readonly heardMs: number;
  }[];
  /** By place in Header.rules. */
  readonly ledgers: readonly LedgerHeader[];
}

export interface Header {
  readonly version: number;
  readonly id: SnapshotId;
  readonly range: KeyRange;
  /** Holds only the Groups that changed since the copy with the number before. */
  readonly increment?: true;
  readonly parts: readonly PartHeader[];
  readonly rules: readonly RuleHeader[];
  readonly names: readonly { readonly rule: number; readonly metric: string }[];
  readonly outbox: readonly OutboxHeader[];
  readonly groups: number;
}

/** Version 1: one Part, which took no batches. */
interface HeaderV1 extends Omit<Header, "parts" | "rules"> {
  readonly rules: readonly (RuleHeader & LedgerHeader)[];
}

/** The header of any version that is still read, as of today. */
export function upgradeHeader(header: Header | HeaderV1): Header {
  if ("parts" in header) return header;
  const part = { ...header.range, term: header.id.term, takenOverMs: null, cursors: [], ledgers: header.rules };
  return { ...header, parts: [part] };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

export function ruleHeader({ rule, flags }: CompiledRule): RuleHeader {
  const { sinceMs = Number.NaN, untilMs = Number.NaN } = rule.validity ?? {};
  return {
    id: rule.id,
    name: rule.name,
    flags,
    ...(Number.isFinite(sinceMs) ? { sinceMs } : {}),
    ...(Number.isFinite(untilMs) ? { untilMs } : {}),
  };
}

/**
 * Which rule of here each rule of a header is: of equal id, and its run of versions overlaps, for two processes know the beginning of
 * one run from different versions on. Of two that would be one here, the later run is it.
 */
export function rulesAsHere(rules: readonly RuleHeader[], here: readonly CompiledRule[]): (CompiledRule | undefined)[] {
  const found = rules.map(({ id, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY }) =>
    here.find(({ rule }) => {
      const run = rule.validity;
      return rule.id === id && (run === undefined || (sinceMs < run.untilMs && run.sinceMs < untilMs));
    }),
  );
  const since = (i: number): number => rules[i]?.sinceMs ?? Number.NEGATIVE_INFINITY;
  return found.map((compiled, i) => (found.some((other, j) => j !== i && other === compiled && since(j) > since(i)) ? undefined : compiled));
}

export function outboxHeader({ bytes, keys, ...block }: OutboxBlock): OutboxHeader {
  const text = keys === undefined ? {} : { keys: Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength).toString("base64") };
  return { ...block, bytes: bytes.length, ...text };
}

/** @param bytes a copy of the block's */
export function outboxBlock({ keys, ...block }: OutboxHeader, bytes: Uint8Array): OutboxBlock {
  return { ...block, bytes, ...(keys === undefined ? {} : { keys: new Uint32Array(new Uint8Array(Buffer.from(keys, "base64")).buffer) }) };
}

/** What `range` has of a Part. Of a Part that is cut, the counters go with its left end. */
export function partHeader(part: Part, range: KeyRange): PartHeader {
  const cursors = [...part.cursors].map(([router, cursor]) => ({ router, ...cursor, oldestMs: cursor.oldestMs ?? null }));
  const counted = part.low >= range.low;
  const ledgers = part.ledgers.map((ledger) => ledgerHeader(ledger, counted));
  return { ...(overlap(part, range) ?? range), term: part.term, takenOverMs: finite(part.takenOverMs), cursors, ledgers };
}

function ledgerHeader(ledger: Ledger, counted: boolean): LedgerHeader {
  const { at } = ledger;
  const counters: number[] = [];
  for (let offset = LEDGER_MATCHED; offset < LEDGER_BYTES; offset += 8) counters.push(counted ? f64.load(at + offset) : 0);
  return {
    closedMs: finite(f64.load(at + LEDGER_CLOSED)),
    completeMs: finite(f64.load(at + LEDGER_COMPLETE)),
    beganMs: finite(ledger.beganMs),
    counters,
    windowsFlushed: counted ? ledger.windowsFlushed : 0,
    windowsPartial: counted ? ledger.windowsPartial : 0,
    cleanFromMs: Object.fromEntries(
      ledger.compiled.outputs.flatMap(({ output }, i) => {
        const cleanMs = ledger.cleanFromMs[i] ?? Number.NEGATIVE_INFINITY;
        return Number.isFinite(cleanMs) ? [[output.name, cleanMs]] : [];
      }),
    ),
  };
}

/** Cursors as a Part holds them. */
export function cursorsOf({ cursors }: PartHeader): [string, Cursor][] {
  return cursors.map(({ router, oldestMs, ...cursor }) => [router, { ...cursor, oldestMs: oldestMs ?? undefined }]);
}
