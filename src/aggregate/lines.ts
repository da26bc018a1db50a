// A decoded point on its way into the kernel: the slow twin of kernel/reader.ts, for new series and unusual spelling.
import {
  FIELD_TARGET_COUNT,
  IGNORED_MEMORY,
  LEDGER_COMPLETE,
  LINE_BYTES_MAX,
  ROOT_ARRIVAL,
  ROOT_AT,
  ROOT_IGNORED,
  ROOT_INEXACT,
  ROOT_KEY,
  ROOT_MATCHED,
  ROOT_RECEIVED,
  ROOT_STOP,
  RUN_NEW_FIELD,
  RUN_NEW_KEY,
  RUN_PASS_FULL,
  RUN_STALE,
  SCRATCH_AT,
  SCRATCH_BYTES,
  SCRATCH_MAX,
  SCRATCH_NUMBER,
  SCRATCH_STRING,
} from "../kernel/layout.js";
import { beginLine } from "../kernel/route.js";
import type { FieldValue, Point } from "../metric/lineDecoder.js";
import type { Admission } from "./admission.js";
import { refreshKey } from "./keyTargets.js";
import type { Parts } from "./parts.js";
import type { PassedOn } from "./passed.js";

/** What input of any form goes through. */
export interface Intake {
  readonly root: number;
  readonly admission: Admission;
  readonly parts: Parts;
  /** What the kernel does with the first `count` scratch entries, fields of one line or sample. */
  readonly add: (root: number, count: number, time: number) => void;
  readonly passed: PassedOn;
}

const NS_PER_MS = 1_000_000n;

/** Event time in ms: the floor, also before 1970. */
export function millisecondsOf(timeNs: bigint): number {
  const quotient = timeNs / NS_PER_MS;
  return Number(timeNs < 0n && quotient * NS_PER_MS !== timeNs ? quotient - 1n : quotient);
}

/** `wanted`: some rule sums it, so that what gets lost counts. */
function numberOf(root: number, value: FieldValue, wanted: boolean): number {
  if (value.kind === "float") return value.value;
  if (value.kind === "bool") return value.value ? 1 : 0;
  if (value.kind === "string") return 0;
  const number = Number(value.value);
  if (wanted && BigInt(number) !== value.value) f64.store(root + ROOT_INEXACT, f64.load(root + ROOT_INEXACT) + 1);
  return number;
}

/**
 * After run() has stopped early: makes way for going on, by emptying the list of what passes, or by admitting the new key or fields
 * of the line it stopped at, if they are plainly spelled. False: the line must be decoded.
 */
export function clearTheWay({ root, admission, passed }: Intake, code: number, end: number): boolean {
  passed.drain();
  if (code === RUN_PASS_FULL) return true;
  if (code === RUN_STALE) {
    refreshKey(root, i32.load(root + ROOT_KEY));
    return true;
  }
  const at = i32.load(root + ROOT_AT);
  if (code === RUN_NEW_KEY) {
    const line = i32.load(root + ROOT_STOP);
    // The line is too long whatever follows; the decoder gives it up.
    if (at > LINE_BYTES_MAX) return false;
    return admission.plainKey(line, line + at, end);
  }
  return code === RUN_NEW_FIELD && admission.plainFields(i32.load(root + ROOT_KEY), at, end);
}

/** What is said of a line for which isTooLong holds. */
export const TOO_LONG = `line longer than ${String(LINE_BYTES_MAX)} bytes; skipped up to the next newline`;

/** Whether the line at [from, next), its LF or CRLF not counted, is longer than allowed. */
export function isTooLong(from: number, next: number): boolean {
  let end = next;
  if (end > from && i32.load8_u(end - 1) === 10) end--;
  if (end > from && i32.load8_u(end - 1) === 13) end--;
  return end - from > LINE_BYTES_MAX;
}

/** Line and column (bytes, from 1) of an address within the line that starts at `from`, which is line number `line`. */
export function placeOf(from: number, address: number, line: number): { readonly line: number; readonly column: number } {
  let number = line;
  let start = from;
  for (let q = from; q < address; q++) {
    if (i32.load8_u(q) !== 10) continue;
    number++;
    start = q + 1;
  }
  return { line: number, column: address - start + 1 };
}

/** Applies one point, admitting what is new. Returns its Key, 0 when there was no memory for it. */
export function applyPoint({ root, admission, parts, add, passed }: Intake, point: Point): number {
  const time = point.time === undefined ? f64.load(root + ROOT_ARRIVAL) : millisecondsOf(point.time);
  const key = admission.key(point.keyStart, point.keyEnd);
  const matchedBefore = f64.load(root + ROOT_MATCHED);
  // Admitting may move the Key's fields, so all are admitted before any address is used.
  if (key !== 0) admission.fields(key, point);
  beginLine(root);
  let count = 0;
  for (const [i, { key: name, value }] of point.fields.entries()) {
    const field = key === 0 ? 0 : admission.field(key, name, i);
    if (field === 0) {
      f64.store(root + ROOT_RECEIVED, f64.load(root + ROOT_RECEIVED) + 1);
      const ignored = root + ROOT_IGNORED + IGNORED_MEMORY * 8;
      f64.store(ignored, f64.load(ignored) + 1);
      continue;
    }
    if (count === SCRATCH_MAX) {
      add(root, count, time);
      passed.drain();
      count = 0;
    }
    const entry = root + SCRATCH_AT + count * SCRATCH_BYTES;
    i32.store(entry, field);
    i32.store(entry + 4, value.kind === "string" ? SCRATCH_STRING : SCRATCH_NUMBER);
    f64.store(entry + 8, numberOf(root, value, i32.load(field + FIELD_TARGET_COUNT) > 0));
    count++;
  }
  add(root, count, time);
  passed.drain();
  if (matchedBefore === 0 && f64.load(root + ROOT_MATCHED) > 0) beginCompleteness(parts, time);
  return key;
}

/** Replay has no start time: what it holds is complete since its first sample. */
export function beginCompleteness(parts: Parts, time: number): void {
  for (const { at, compiled } of parts.ledgers())
    if (Number.isNaN(f64.load(at + LEDGER_COMPLETE))) f64.store(at + LEDGER_COMPLETE, Math.max(time, compiled.validity.fromMs));
}
