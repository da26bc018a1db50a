// Which Group writes which output row, once relabelling can make two of them equal. One entry per row: the XXH64 of its name and
// labels -> the Group; while versions of the rules change, one more for each that writes it in other Windows. Two rows of one hash
// (1 in 10^6 runs with ten million rows) would have the second refused.
import { xxh64 } from "../base/xxh64.js";
import { areDisjoint, type CompiledRule } from "./compile.js";
import { isDead } from "./part.js";
import type { OutputRowSeries } from "./relabelled.js";
import type { Validity } from "./rule.js";
import { seriesBytes } from "./sliceBytes.js";

/** By output of the rule. */
type Rows = readonly (readonly OutputRowSeries[])[];

function hashOf(row: OutputRowSeries): bigint[] {
  return row === undefined ? [] : [xxh64(seriesBytes(row.name, row.labels))];
}

export class RowOwners {
  readonly #groups = new Map<bigint, number>();
  /** Of rows that Groups of several versions write, those after the first. */
  readonly #others = new Map<bigint, number[]>();

  /** The Group that has one of the rows and does not take turns with their rule, -1 when two of them are one, else 0. */
  ownerOf({ outputs }: CompiledRule, rows: Rows, takesTurns: (group: number) => boolean): number {
    const seen = new Map<bigint, Validity | undefined>();
    for (const [i, own] of rows.entries()) {
      const validity = outputs[i]?.validity;
      for (const hash of own.flatMap(hashOf)) {
        const twin = seen.get(hash);
        if (seen.has(hash) && (twin === undefined || validity === undefined || !areDisjoint(twin, validity))) return -1;
        seen.set(hash, validity);
      }
    }
    for (const hash of seen.keys()) {
      const owner = this.#owners(hash).find((group) => isThere(group) && !takesTurns(group));
      if (owner !== undefined) return owner;
    }
    return 0;
  }

  take(rows: Rows, group: number): void {
    for (const hash of rows.flat().flatMap(hashOf)) {
      const first = this.#groups.get(hash);
      if (first === undefined || !isThere(first)) this.#groups.set(hash, group);
      else if (first !== group)
        this.#others.set(hash, [...(this.#others.get(hash) ?? []).filter((other) => other !== group && isThere(other)), group]);
    }
  }

  /** Frees the rows of dead Groups. To be called before these are freed. */
  forgetDead(): void {
    for (const [hash, group] of this.#groups) if (!isThere(group)) this.#groups.delete(hash);
    for (const [hash, groups] of this.#others) {
      const left = groups.filter(isThere);
      this.#others.delete(hash);
      const first = this.#groups.has(hash) ? undefined : left.shift();
      if (first !== undefined) this.#groups.set(hash, first);
      if (left.length > 0) this.#others.set(hash, left);
    }
  }

  #owners(hash: bigint): number[] {
    const first = this.#groups.get(hash);
    return first === undefined ? [] : [first, ...(this.#others.get(hash) ?? [])];
  }
}

function isThere(group: number): boolean {
  return !isDead(group);
}
