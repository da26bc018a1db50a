// What an earlier incarnation left in --data, in an engine that holds nothing else yet: its Parts lie there unserved, like copies,
// until the assigner grants them (PROTOCOL P8); the rows its sinks had not taken wait for their ranges.
import type { Engine } from "../aggregate/engine.js";
import { type Restored, restoreSnapshot } from "../aggregate/snapshot.js";
import type { OutboxBlock } from "../aggregate/snapshotHeader.js";
import { pickRows } from "../sink/blockRows.js";
import { NO_GENERATION, parseGeneration } from "../slice/generation.js";
import { contains, type KeyRange } from "../slice/keyRange.js";
import type { NumberedRange } from "../slice/report.js";

/** `offers`: the Parts, by term. Throws SnapshotError. */
export function restoreKept(engine: Engine, snapshot: Uint8Array): { readonly offers: readonly NumberedRange[]; readonly restored: Restored } {
  const restored = restoreSnapshot(engine, snapshot);
  const { parts } = engine;
  for (const part of parts.list) parts.setMode(part, "copy");
  const offers = parts.list.map(({ low, high, term }) => ({ low, high, number: parseGeneration(term) ?? NO_GENERATION }));
  return { offers, restored };
}

/** Rows of Parts that wait, block by block: those of a range go to their sinks when it is served, and are lost when it is dropped. */
export class KeptRows {
  #blocks: readonly OutboxBlock[];
  /** Lost so far. */
  rowsLost = 0;

  constructor(outbox: readonly OutboxBlock[]) {
    this.#blocks = outbox;
  }

  /** What is still here, oldest first. */
  get blocks(): readonly OutboxBlock[] {
    return this.#blocks;
  }

  /** Rows of a range, oldest first; they are here no longer. */
  served(range: KeyRange): OutboxBlock[] {
    const taken = this.#pick((key) => contains(range, key));
    this.#blocks = this.#pick((key) => !contains(range, key));
    return taken;
  }

  dropped(range: KeyRange): void {
    for (const { rowCount } of this.served(range)) this.rowsLost += rowCount;
  }

  #pick(isWanted: (key: number) => boolean): OutboxBlock[] {
    return this.#blocks.flatMap((block) => {
      const { sink } = block;
      const picked = pickRows(block, (_start, index) => isWanted(block.keys?.[index] ?? 0));
      return picked.rowCount === 0 ? [] : [{ ...picked, sink }];
    });
  }
}
