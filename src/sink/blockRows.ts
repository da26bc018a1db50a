// Some rows of a block as a block of their own: what is left of it at a stop, and what goes with a Slice that moves.
import { type RowBlock, RowReader } from "../metric/rowBlock.js";
import { contains, type KeyRange } from "../slice/keyRange.js";

/** The rows that `isWanted` says of: where a row starts in the block's bytes, and the how-many-eth it is. The block itself when all are. */
export function pickRows(block: RowBlock, isWanted: (start: number, index: number) => boolean): RowBlock {
  const reader = new RowReader(block.bytes);
  const rows: Uint8Array[] = [];
  const keys: number[] = [];
  for (let index = 0; reader.next(); index++) {
    if (!isWanted(reader.rowStart, index)) continue;
    rows.push(block.bytes.subarray(reader.rowStart, reader.rowEnd));
    if (block.keys !== undefined) keys.push(block.keys[index] ?? 0);
  }
  if (rows.length === block.rowCount) return block;
  return { ...block, rowCount: rows.length, bytes: Buffer.concat(rows), ...(block.keys === undefined ? {} : { keys: Uint32Array.from(keys) }) };
}

/** Where the rows of a key range start in the block's bytes; rows of no Group are in none. */
export function startsWithin(
  { bytes, keys }: { readonly bytes: Uint8Array; readonly keys?: Uint32Array | undefined },
  range: KeyRange,
): ReadonlySet<number> {
  const starts = new Set<number>();
  if (keys === undefined || !hasAny(keys, range)) return starts;
  const reader = new RowReader(bytes);
  for (let index = 0; reader.next(); index++) if (contains(range, keys[index] ?? 0)) starts.add(reader.rowStart);
  return starts;
}

/** Of a long queue most blocks are of other ranges: they cost no call per row. */
function hasAny(keys: Uint32Array, { low, high }: KeyRange): boolean {
  for (const key of keys) if (key >= low && key < high) return true;
  return false;
}
