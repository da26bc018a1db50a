// The Holdings of a Slicelet over a real engine: every range it holds is one or more Parts, and so is every copy that is on its way.

import { changedBytes, receiveCopy, takeCopy } from "../aggregate/copy.js";
import { comeBack } from "../aggregate/due.js";
import type { Engine } from "../aggregate/engine.js";
import type { Part } from "../aggregate/part.js";
import { partBytes, partPairs } from "../aggregate/partLoad.js";
import { SnapshotError } from "../aggregate/snapshotError.js";
import type { OutboxBlock } from "../aggregate/snapshotHeader.js";
import type { BatchHead } from "../slice/batch.js";
import { formatGeneration, type Generation, NO_GENERATION, parseGeneration } from "../slice/generation.js";
import { formatKeyRange, type KeyRange, without } from "../slice/keyRange.js";
import type { CopyNumber, Held, Holdings, Outbox, PartAnswer } from "../slicelet/holdings.js";

export interface EngineHoldingsOptions {
  /** The engine that runs now: a reload puts another in its place. */
  readonly engine: () => Engine;
  readonly now: () => number;
  readonly warn: (message: string) => void;
  /** A copy has state of rules that are not in force here. */
  readonly onForgotten?: () => void;
  /** What lies in --data of an earlier incarnation; undefined: nothing. */
  readonly kept?: KeptState | undefined;
}

/** State that was restored and waits to be granted (keptState.ts). */
export interface KeptState {
  /** When it was written, ms. */
  readonly stoppedMs: number;
  /** Before the first of it is served: from then on no other start may come back with it. */
  readonly onServed: () => void;
  /** A range is served, or dropped: its rows go to their sinks, or go. */
  readonly onRange: (range: KeyRange, isServed: boolean) => void;
}

/** What the next increment of a range is since; only in the engine that made it. */
interface Mark {
  readonly engine: Engine;
  readonly mark: number;
}

export class EngineHoldings implements Holdings {
  readonly #options: EngineHoldingsOptions;
  /** Of the ranges that are being copied out. Bound: the assigner's cap of moves; each replaces the one before. */
  readonly #marks = new Map<string, Mark>();
  /** Rows of the copy received last; only with the last copy of a move are there any, and it is installed at once. */
  #arrived: readonly OutboxBlock[] = [];

  constructor(options: EngineHoldingsOptions) {
    this.#options = options;
  }

  held(): readonly Held[] {
    return this.#engine.parts.list.filter(({ mode }) => mode !== "copy").map(heldOf);
  }

  open(range: KeyRange, term: Generation, nowMs: number): void {
    // What is left of a copy that was never installed.
    this.drop(range);
    const part = this.#engine.parts.open(range, { term: formatGeneration(term), startMs: nowMs, completeMs: nowMs });
    if (part === undefined) throw new Error(`no memory for slice ${formatKeyRange(range)}; raise --memory-max`);
  }

  drop(range: KeyRange): void {
    const offered = this.#offered(range);
    if (offered.length > 0) this.#options.kept?.onRange(range, false);
    this.#marks.delete(formatKeyRange(range));
    if (!this.#engine.parts.drop(range)) throw new Error("no memory to cut a slice; raise --memory-max");
  }

  freeze(range: KeyRange): void {
    for (const part of this.#cut(range)) this.#engine.parts.setMode(part, "frozen");
  }

  thaw(range: KeyRange, term: Generation): void {
    for (const part of this.#cut(range)) {
      if (part.mode === "installed") part.takenOverMs = this.#options.now();
      part.term = formatGeneration(term);
      this.#engine.parts.setMode(part, "serving");
    }
  }

  apply(nowMs: number, head: BatchHead, body: Uint8Array): readonly PartAnswer[] {
    return this.#engine.batch(nowMs, head, body);
  }

  copy(range: KeyRange, { move, number, full }: CopyNumber, outbox: Outbox): Uint8Array {
    const engine = this.#engine;
    const id = { term: formatGeneration(move), number };
    // The driver's own blocks, which it gave with `withdrawn`.
    const blocks = outbox as readonly OutboxBlock[];
    const copy = takeCopy(engine, range, id, { since: full ? undefined : this.#since(range), outbox: blocks });
    if (copy === undefined) throw new Error("no memory to cut a slice; raise --memory-max");
    this.#marks.set(formatKeyRange(range), { engine, mark: copy.mark });
    return copy.bytes;
  }

  changedBytes(range: KeyRange): number {
    return changedBytes(this.#engine.parts, range, this.#since(range));
  }

  receive(range: KeyRange, bytes: Uint8Array): "stored" | "send_full" | "refused" {
    try {
      const received = receiveCopy(this.#engine, bytes, this.#options.now());
      if (received.kind === "known") return "stored";
      if (received.kind !== "taken") return received.kind;
      const { forgottenGroups, forgottenRules, outbox } = received.restored;
      this.#arrived = outbox;
      if (forgottenGroups === 0) return "stored";
      // State that would be forgotten here stays where it is.
      this.#options.onForgotten?.();
      this.#refuse(range, `${String(forgottenGroups)} groups are of rules that are not in force here: ${forgottenRules.join(", ")}`);
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      this.#refuse(range, error.message);
    }
    return "refused";
  }

  install(range: KeyRange, move: Generation): Outbox | undefined {
    const { parts } = this.#engine;
    const copies = parts.within(range);
    if (without([range], copies).length > 0 || copies.some(({ mode }) => mode !== "copy")) return undefined;
    for (const part of copies) {
      part.term = formatGeneration(move);
      parts.setMode(part, "installed");
    }
    const outbox = this.#arrived;
    this.#arrived = [];
    return outbox;
  }

  discard(range: KeyRange, move: Generation): void {
    const term = formatGeneration(move);
    for (const part of this.#engine.parts.within(range)) {
      if ((part.mode === "copy" && part.copied?.term === term) || (part.mode === "installed" && part.term === term)) this.drop(part);
    }
  }

  restore(range: KeyRange, term: Generation, nowMs: number): void {
    const { kept } = this.#options;
    const engine = this.#engine;
    const parts = this.#cut(range);
    const isThere = without([range], this.#offered(range)).length === 0 && parts.every((part) => part.term === formatGeneration(term));
    if (kept === undefined || !isThere) throw new Error(`nothing in --data of slice ${formatKeyRange(range)} in term ${formatGeneration(term)}`);
    kept.onServed();
    for (const part of parts) {
      comeBack(part, nowMs, { awaySinceMs: kept.stoppedMs, holdMs: engine.holdMs });
      engine.parts.setMode(part, "serving");
    }
    // Before anything newer of the range.
    kept.onRange(range, true);
  }

  /** Parts within a range that wait to be granted. */
  #offered(range: KeyRange): Part[] {
    return this.#engine.parts.within(range).filter(({ mode, copied }) => mode === "copy" && copied === undefined);
  }

  get #engine(): Engine {
    return this.#options.engine();
  }

  #cut(range: KeyRange): Part[] {
    const parts = this.#engine.parts.cut(range);
    if (parts === undefined) throw new Error("no memory to cut a slice; raise --memory-max");
    return parts;
  }

  /** undefined: a whole copy is needed, because none was made, or another engine has taken over since. */
  #since(range: KeyRange): number | undefined {
    const mark = this.#marks.get(formatKeyRange(range));
    return mark?.engine === this.#engine ? mark.mark : undefined;
  }

  #refuse(range: KeyRange, why: string): void {
    this.drop(range);
    this.#options.warn(`slice ${formatKeyRange(range)} cannot be taken over: ${why}`);
  }
}

function heldOf(part: Part): Held {
  return {
    low: part.low,
    high: part.high,
    term: parseGeneration(part.term) ?? NO_GENERATION,
    frozen: part.mode !== "serving",
    bytes: partBytes(part),
    pairs: partPairs(part),
    top: part.heavy.top(),
  };
}
