// Rows on their way: which block they belong to and where they start in its bytes. Rows stay frozen bytes until they are encoded.
import { type MarkKind, type RowBlock, RowReader } from "../metric/rowBlock.js";
import type { DropReason } from "./sink.js";

/** A block that was offered and is not settled. */
export interface QueuedBlock {
  readonly id: number;
  readonly rule: string;
  readonly windowEndMs: number;
  readonly mark: MarkKind | undefined;
  /** It is a key range's part of its window: other blocks of that window are of other series. */
  readonly isRange: boolean;
  /** Emptied when settled, so that nothing that still points here keeps them alive. */
  bytes: Uint8Array;
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

/** Takes the rows of blocks for which `isGone` out of the batch and gives how many of each there were. */
export function removeRows(batch: Batch, isGone: (block: QueuedBlock) => boolean): Map<QueuedBlock, number> {
  const removed = new Map<QueuedBlock, number>();
  const blocks: QueuedBlock[] = [];
  const starts: number[] = [];
  for (const [i, block] of batch.blocks.entries()) {
    if (isGone(block)) removed.set(block, (removed.get(block) ?? 0) + 1);
    else {
      blocks.push(block);
      starts.push(batch.starts[i] ?? 0);
    }
  }
  if (removed.size > 0) {
    batch.blocks = blocks;
    batch.starts = starts;
  }
  return removed;
}

/** The rows that start at `starts` (any order, each once), as a block of their own. */
export function pickRows({ rule, windowEndMs, mark, bytes }: QueuedBlock, starts: readonly number[]): RowBlock {
  const wanted = new Set(starts);
  const reader = new RowReader(bytes);
  const rows: Uint8Array[] = [];
  while (reader.next()) if (wanted.has(reader.rowStart)) rows.push(bytes.subarray(reader.rowStart, reader.rowEnd));
  return { rule, windowEndMs, rowCount: rows.length, bytes: Buffer.concat(rows), ...(mark === undefined ? {} : { mark }) };
}
