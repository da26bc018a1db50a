// Rows on their way: which block they belong to and where they start in its bytes. Rows stay frozen bytes until they are encoded.
import type { MarkKind, RowBlock } from "../metric/rowBlock.js";
import { pickRows } from "./blockRows.js";
import type { DropReason } from "./sink.js";

/** A block that was offered and is not settled. */
export interface QueuedBlock {
  readonly id: number;
  readonly rule: string;
  readonly windowEndMs: number;
  readonly mark: MarkKind | undefined;
  readonly rowCount: number;
  /** Absent: rows of no Group. With them, other blocks of the same window and mark are of other series. */
  readonly keys: Uint32Array | undefined;
  /** Emptied when settled, so that nothing that still points here keeps them alive. */
  bytes: Uint8Array;
  /** First, by whoever had them first. */
  readonly offeredMs: number;
  /** What the block counts for in the queue's bound. */
  readonly cost: number;
  /** One per lane; undefined when none of its rows go there. */
  readonly parts: (Part | undefined)[];
  /** Rows without an outcome. Invariant: >= 0; 0 only at the moment of settling. */
  pending: number;
  /** Given up: rows that come back from a request are dropped with this reason instead of being tried again. */
  dead: DropReason | undefined;
  stored: number;
  conflict: number;
  unknown: number;
  moved: number;
  dropped: Record<string, number>;
}

/** A block's rows of one lane. `rows` holds (start, bytes) pairs, `next` points at the first pair not yet taken. */
export interface Part {
  readonly block: QueuedBlock;
  rows: Uint32Array;
  next: number;
}

/** One request's rows, in order: row i is at starts[i] of blocks[i]. */
export interface Batch {
  blocks: QueuedBlock[];
  starts: number[];
  /** Requests that cutting up the first batch may still cost; shared by all its pieces. */
  readonly budget: { left: number };
}

/** The first and the second half. */
export function splitBatch(batch: Batch): [Batch, Batch] {
  const half = batch.starts.length >>> 1;
  return [
    { blocks: batch.blocks.slice(0, half), starts: batch.starts.slice(0, half), budget: batch.budget },
    { blocks: batch.blocks.slice(half), starts: batch.starts.slice(half), budget: batch.budget },
  ];
}

/** Takes the rows for which `isGone` out of the batch and gives where they start. */
export function removeRows(batch: Batch, isGone: (block: QueuedBlock, start: number) => boolean): Map<QueuedBlock, number[]> {
  const removed = new Map<QueuedBlock, number[]>();
  const blocks: QueuedBlock[] = [];
  const starts: number[] = [];
  for (const [i, block] of batch.blocks.entries()) {
    const start = batch.starts[i] ?? 0;
    if (isGone(block, start)) {
      const gone = removed.get(block);
      if (gone === undefined) removed.set(block, [start]);
      else gone.push(start);
    } else {
      blocks.push(block);
      starts.push(start);
    }
  }
  if (removed.size > 0) {
    batch.blocks = blocks;
    batch.starts = starts;
  }
  return removed;
}

/** Some of its rows, as a block of their own. */
export function rowsOf({ rule, windowEndMs, rowCount, bytes, keys, offeredMs, mark }: QueuedBlock, starts: ReadonlySet<number>): RowBlock {
  const block = { rule, windowEndMs, rowCount, bytes, offeredMs, ...(keys === undefined ? {} : { keys }), ...(mark === undefined ? {} : { mark }) };
  return starts.size === rowCount ? block : pickRows(block, (start) => starts.has(start));
}
