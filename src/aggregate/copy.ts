// Copies of a range as another engine keeps them while it is served here (PROTOCOL P4, P6): a whole one, then increments with the
// Groups that changed since, numbered (term, n). An increment's head is always whole: cursors, closed marks, counters.
//
//   here:   takeCopy(n = 1) ─▶ mark ─▶ takeCopy(n = 2, since: mark) ─▶ ...         every change stamps its Group (GROUP_STAMP)
//   there:  receiveCopy ─▶ Parts in mode "copy", which are not served; the last increment makes them whole at once
//
// What expires by itself is not said: both sides sweep it by the same rule.
import { GROUP_BYTES, GROUP_IDENTITY_BYTES, GROUP_NEXT, GROUP_SERIES, GROUP_STAMP, LEDGER_GROUPS, ROOT_COPY } from "../kernel/layout.js";
import type { KeyRange } from "../slice/keyRange.js";
import { lastBytesOf } from "./lastShape.js";
import type { Part } from "./part.js";
import type { Parts } from "./parts.js";
import { type Restored, readSnapshotId, restoreIncrement, restoreSnapshot, type SnapshotSource, takeSnapshot } from "./snapshot.js";
import type { OutboxBlock, SnapshotId } from "./snapshotHeader.js";

export interface Copy {
  readonly bytes: Uint8Array;
  /** What the next increment is `since`. */
  readonly mark: number;
}

/** A numbered copy of a range; whole without `since`. undefined: no memory to cut the range out. */
export function takeCopy(
  source: SnapshotSource,
  range: KeyRange,
  id: SnapshotId,
  what: { readonly since?: number | undefined; readonly outbox?: readonly OutboxBlock[] } = {},
): Copy | undefined {
  // Cut, so that what is in it is counted in it.
  if (source.parts.cut(range) === undefined) return undefined;
  const bytes = takeSnapshot(source, range, id, what);
  const mark = i32.load(source.root + ROOT_COPY) + 1;
  i32.store(source.root + ROOT_COPY, mark);
  return { bytes, mark };
}

/** About how many bytes an increment of a range would have now; without `since`, all of it. In the time its Groups take. */
export function changedBytes(parts: Parts, range: KeyRange, since = 0): number {
  let bytes = 0;
  for (const { at, compiled } of parts.within(range).flatMap((part) => part.ledgers)) {
    const lastBytes = lastBytesOf(compiled);
    for (let group = i32.load(at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
      if (i32.load(group + GROUP_STAMP) < since) continue;
      bytes += GROUP_BYTES + compiled.cellBytes + i32.load(group + GROUP_IDENTITY_BYTES) + i32.load(group + GROUP_SERIES) * lastBytes;
    }
  }
  return bytes;
}

/** taken: with what it brought. known: this one or a later one of its term is here. send_full: what it builds on is not. refused: served here. */
export type Received = { readonly kind: "taken"; readonly restored: Restored } | { readonly kind: "known" | "send_full" | "refused" };

/** Keeps a copy of somebody else's range. Throws SnapshotError for what is none, or too large; nothing of the range is left then. */
export function receiveCopy(target: SnapshotSource, bytes: Uint8Array, nowMs: number): Received {
  const { id, range, increment } = readSnapshotId(bytes);
  const { parts } = target;
  const held = parts.within(range);
  if (held.some(({ mode }) => mode !== "copy")) return { kind: "refused" };
  const last = held[0]?.copied;
  const whole = held.every(({ copied }) => copied === last) && covers(held, range);
  const known = last !== undefined && last.term === id.term && whole ? last.number : 0;
  if (known >= id.number) return { kind: "known" };
  if (increment && (known === 0 || id.number !== known + 1)) return { kind: "send_full" };
  const restored = increment ? restoreIncrement(target, bytes) : restoreWhole(target, bytes, range, nowMs);
  if (increment && restored.collidingRules.length > 0) {
    // A Group that went here later than there holds the place of another rule's.
    parts.drop(range);
    return { kind: "send_full" };
  }
  for (const part of parts.within(range)) {
    part.copied = id;
    parts.setMode(part, "copy");
  }
  return { kind: "taken", restored };
}

function restoreWhole(target: SnapshotSource, bytes: Uint8Array, range: KeyRange, nowMs: number): Restored {
  let done = false;
  try {
    const restored = restoreSnapshot(target, bytes, { startMs: nowMs, completeMs: nowMs });
    done = true;
    return restored;
  } finally {
    if (!done) target.parts.drop(range);
  }
}

function covers(held: readonly Part[], { low, high }: KeyRange): boolean {
  let at = low;
  for (const part of held) {
    if (part.low !== at) return false;
    at = part.high;
  }
  return at === high;
}
