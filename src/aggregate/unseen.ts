// Samples of series that found no room for a Key were seen by no rule: for a while, unseen is no evidence that a counter is new.
import { IGNORED_MEMORY, LEDGER_COMPLETE, ROOT_IGNORED } from "../kernel/layout.js";
import type { Parts } from "./parts.js";

export class Unseen {
  readonly #root: number;
  readonly #parts: Parts;
  /** Samples ignored for want of memory, when it was looked at last. */
  #samples: number;

  constructor(root: number, parts: Parts) {
    this.#root = root;
    this.#parts = parts;
    this.#samples = f64.load(root + ROOT_IGNORED + IGNORED_MEMORY * 8);
  }

  /** Looks whether there were some since the last time. */
  note(nowMs: number): void {
    const samples = f64.load(this.#root + ROOT_IGNORED + IGNORED_MEMORY * 8);
    if (samples > this.#samples) {
      for (const { at } of this.#parts.ledgers()) f64.store(at + LEDGER_COMPLETE, Math.max(nowMs, f64.load(at + LEDGER_COMPLETE)));
    }
    this.#samples = samples;
  }
}
