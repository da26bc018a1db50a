// Which Group writes which output row, once relabelling can make two of them equal. One entry per row: the XXH64 of its name and
// labels -> the Group. Two rows of one hash (1 in 10^6 runs with ten million rows) would have the second refused.
import { xxh64 } from "../base/xxh64.js";
import { GROUP_NEXT, LEDGER_GROUPS } from "../kernel/layout.js";
import type { CompiledRule } from "./compile.js";
import type { OutputRowSeries } from "./relabelled.js";
import { seriesBytes } from "./sliceBytes.js";

type Rows = readonly (readonly OutputRowSeries[])[];

function hashesOf(rows: Rows): bigint[] {
  return rows.flat().flatMap((row) => (row === undefined ? [] : [xxh64(seriesBytes(row.name, row.labels))]));
}

export class RowOwners {
  readonly #groups = new Map<bigint, number>();

  /** Whether one of the rows is another Group's already, or two of them are one. */
  isTaken(rows: Rows): boolean {
    const hashes = hashesOf(rows);
    return new Set(hashes).size < hashes.length || hashes.some((hash) => this.#groups.has(hash));
  }

  take(rows: Rows, group: number): void {
    for (const hash of hashesOf(rows)) this.#groups.set(hash, group);
  }

  /** Frees the rows of Groups that no Ledger lists any more. To be called before anything is allocated in their place. */
  forgetDead(rules: readonly CompiledRule[]): void {
    const alive = new Set<number>();
    for (const { ledger } of rules) {
      for (let group = i32.load(ledger + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) alive.add(group);
    }
    for (const [hash, group] of this.#groups) if (!alive.has(group)) this.#groups.delete(hash);
  }
}
