// A lane: the rows whose labels hash to it, in the order they were offered, and at most one request in flight. All samples of a
// series share a lane, so they reach the receiver in order, and no two requests ever carry the same series at once.
//
//   parts (offered) ──takeBatch──▶ current ──▶ in flight ──▶ answered: stored, or waiting until retryAtMs, or cut in two
//                                     ▲                                                                          │
//                                     └───────────────── cut (halves of a refused batch, first on top) ◀─────────┘
import { Ring } from "../base/ring.js";
import type { RowReader } from "../metric/rowBlock.js";
import type { Batch, Part, QueuedBlock } from "./batch.js";

export interface Lane {
  readonly index: number;
  readonly parts: Ring<Part>;
  /** Goes before parts. Bounded: a batch is cut at most log2(its rows) deep. */
  readonly cut: Batch[];
  current: Batch | undefined;
  /** `current` is with the receiver. */
  inFlight: boolean;
  /** Failures since the last answer that was final. */
  failures: number;
  /** Nothing leaves the lane before, ms since the epoch. */
  retryAtMs: number;
  /** The same, as far as the receiver asked for it (Retry-After). */
  demandedMs: number;
}

export interface BatchLimits {
  readonly rowsMax: number;
  /** Raw bytes; a single larger row goes alone. */
  readonly bytesMax: number;
  /** Requests one batch may cost when it has to be cut up. */
  readonly cutsMax: number;
}

export function newLane(index: number): Lane {
  return { index, parts: new Ring(), cut: [], current: undefined, inFlight: false, failures: 0, retryAtMs: 0, demandedMs: 0 };
}

/**
 * The next rows of the lane as a batch; undefined when it has none. Never two windows of one rule, that is of a series:
 * when the answer is lost the batch comes again, and Prometheus takes a sample twice only if it is the newest of its series.
 */
export function takeBatch(lane: Lane, limits: BatchLimits): Batch | undefined {
  const piece = lane.cut.pop();
  if (piece !== undefined) return piece;
  const batch: Batch = { blocks: [], starts: [], budget: { left: limits.cutsMax } };
  const windows = new Map<string, string>();
  let last: QueuedBlock | undefined;
  let bytes = 0;
  for (;;) {
    const part = firstPart(lane);
    if (part === undefined) break;
    const rowBytes = part.rows[part.next + 1] ?? 0;
    if (batch.starts.length > 0 && (batch.starts.length >= limits.rowsMax || bytes + rowBytes > limits.bytesMax)) break;
    if (part.block !== last) {
      // Of a Group there is one block per window and mark, and so blocks of one are of different series.
      const { rule, windowEndMs, mark = "", keys, id } = part.block;
      const window = keys === undefined ? `block ${String(id)}` : `${String(windowEndMs)} ${mark}`;
      if ((windows.get(rule) ?? window) !== window) break;
      windows.set(rule, window);
    }
    last = part.block;
    batch.blocks.push(part.block);
    batch.starts.push(part.rows[part.next] ?? 0);
    bytes += rowBytes;
    part.next += 2;
  }
  return batch.starts.length > 0 ? batch : undefined;
}

/** The oldest part with rows left; those without are let go of. */
export function firstPart(lane: Lane): Part | undefined {
  for (;;) {
    const part = lane.parts.first();
    if (part === undefined || part.next < part.rows.length) return part;
    lane.parts.take();
  }
}

/** Whether the lane has anything to send. */
export function hasWork(lane: Lane): boolean {
  return lane.current !== undefined || lane.cut.length > 0 || firstPart(lane) !== undefined;
}

/** FNV-1a over the bytes of the current row's labels: the same labels always give the same lane. */
export function laneOf(reader: RowReader, lanes: number): number {
  const bytes = reader.bytes;
  const end = reader.rowEnd - 24;
  let hash = 0x811c9dc5;
  for (let i = reader.labelsStart; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  // The upper bits are the better mixed ones.
  return (hash >>> 16) % lanes;
}

/** Where the block's rows start that no lane has settled: waiting, cut off, or in the current batch. */
export function waitingStarts(lanes: readonly Lane[], block: QueuedBlock): number[] {
  const starts: number[] = [];
  for (const lane of lanes) {
    const part = block.parts[lane.index];
    if (part !== undefined) for (let i = part.next; i < part.rows.length; i += 2) starts.push(part.rows[i] ?? 0);
    for (const batch of lane.current === undefined ? lane.cut : [...lane.cut, lane.current])
      for (const [i, other] of batch.blocks.entries()) if (other === block) starts.push(batch.starts[i] ?? 0);
  }
  return starts;
}
