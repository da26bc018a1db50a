// Which Group writes which output row, once relabelling can make two of them equal. One entry per row: the XXH64 of its name and
// labels -> the Group. Two rows of one hash (1 in 10^6 runs with ten million rows) would have the second refused.
import { xxh64 } from "../base/xxh64.js";
import { GROUP_NEXT, GROUP_STATE, LEDGER_GROUPS } from "../kernel/layout.js";
import type { Parts } from "./parts.js";
import type { OutputRowSeries } from "./relabelled.js";
import { seriesBytes } from "./sliceBytes.js";

type Rows = readonly (readonly OutputRowSeries[])[];

function hashesOf(rows: Rows): bigint[] {
  return rows.flat().flatMap((row) => (row === undefined ? [] : [xxh64(seriesBytes(row.name, row.labels))]));
}

export class RowOwners {
  readonly #groups = new Map<bigint, number>();

  /** The Group that one of the rows belongs to already, -1 when two of them are one, else 0. */
  ownerOf(rows: Rows): number {
    const hashes = hashesOf(rows);
    if (new Set(hashes).size < hashes.length) return -1;
    for (const hash of hashes) {
      const group = this.#groups.get(hash);
      if (group !== undefined && i32.load(group + GROUP_STATE) !== -1) return group;
    }
    return 0;
  }

  take(rows: Rows, group: number): void {
    for (const hash of hashesOf(rows)) this.#groups.set(hash, group);
  }

  /** Frees the rows of Groups that no Ledger lists any more. To be called before anything is allocated in their place. */
  forgetDead(parts: Parts): void {
    const alive = new Set<number>();
    for (const { at } of parts.ledgers()) {
      for (let group = i32.load(at + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) alive.add(group);
    }
    for (const [hash, group] of this.#groups) if (!alive.has(group)) this.#groups.delete(hash);
  }
}
