// Moves in, as the target sees them: copies pile up per move, the last one is installed (frozen: batches wait), and go makes it serve.
//
//   copies ──final──▶ installed ──go, or an Assignment that names us owner in the move's term──▶ serving
//      └────────────────┴── an Assignment at least as new as the move that does not list it ──▶ discarded
import { compareGenerations, formatGeneration, type Generation, isNewer } from "../slice/generation.js";
import { type KeyRange, overlap, WHOLE } from "../slice/keyRange.js";
import type { Holdings, Outbox } from "./holdings.js";
import type { CopyAnswer, CopyHead, Go, GoAnswer } from "./messages.js";

interface Arriving extends KeyRange {
  readonly move: Generation;
  installed: boolean;
  outbox: Outbox;
}

/** What happens when a move in is over: its rows go to the sinks. */
export interface Arrived {
  readonly range: KeyRange;
  readonly move: Generation;
  readonly outbox: Outbox;
}

export class Incoming {
  readonly #holdings: Holdings;
  /** By range and move. */
  readonly #arriving = new Map<string, Arriving>();

  constructor(holdings: Holdings) {
    this.#holdings = holdings;
  }

  /** `current`: the highest term in which the range is known to be or have been served by anybody, here or elsewhere. */
  copy(head: CopyHead, bytes: Uint8Array, current: Generation): CopyAnswer {
    const { low, high, move, number, full, final } = head;
    const known = this.#arriving.get(keyOf(head));
    if (known?.installed === true) return "installed";
    if (known === undefined && !isNewer(move, current)) return compareGenerations(move, current) === 0 && this.#serves(head) ? "serving" : "refused";
    const received = this.#holdings.receive({ low, high }, bytes, { move, number, full });
    if (received !== "stored") return received;
    const arriving = known ?? { low, high, move, installed: false, outbox: [] };
    this.#arriving.set(keyOf(head), arriving);
    if (!final) return "stored";
    const outbox = this.#holdings.install({ low, high }, move);
    if (outbox === undefined) return "send_full";
    arriving.outbox = outbox;
    arriving.installed = true;
    return "installed";
  }

  /** Go: the copy serves from now on. `arrived` is undefined when it did so before, or never can. */
  go(go: Go): { readonly answer: GoAnswer; readonly arrived: Arrived | undefined } {
    const known = this.#arriving.get(keyOf(go));
    if (known === undefined) return { answer: this.#serves(go) ? "serving" : "unknown", arrived: undefined };
    if (!known.installed) return { answer: "unknown", arrived: undefined };
    return { answer: "serving", arrived: this.#serve(known) };
  }

  /** An Assignment says that the owner gave its word: as good as go. */
  granted(range: KeyRange, move: Generation): Arrived | undefined {
    const known = this.#arriving.get(keyOf({ ...range, move }));
    return known?.installed === true ? this.#serve(known) : undefined;
  }

  /** Moves that `lives` says nothing of any more are dead. */
  prune(lives: (range: KeyRange, move: Generation) => boolean): void {
    for (const [key, { low, high, move }] of this.#arriving) {
      if (lives({ low, high }, move)) continue;
      this.#holdings.discard({ low, high }, move);
      this.#arriving.delete(key);
    }
  }

  /** Whether some of a range is installed and waits for go: if go was said, nobody else has it. */
  hasInstalled(range: KeyRange): boolean {
    return [...this.#arriving.values()].some((arriving) => arriving.installed && overlap(arriving, range) !== undefined);
  }

  /** Whether anything waits for go. */
  get waits(): boolean {
    return this.hasInstalled(WHOLE);
  }

  /** Rows that came with what is installed. */
  get rows(): Outbox {
    return [...this.#arriving.values()].flatMap(({ outbox }) => outbox);
  }

  /** Gives up what is not installed: its owner has it all. */
  abandon(): void {
    for (const [key, { low, high, move, installed }] of this.#arriving) {
      if (installed) continue;
      this.#holdings.discard({ low, high }, move);
      this.#arriving.delete(key);
    }
  }

  #serve(arriving: Arriving): Arrived {
    const range = { low: arriving.low, high: arriving.high };
    this.#arriving.delete(keyOf(arriving));
    this.#holdings.thaw(range, arriving.move);
    return { range, move: arriving.move, outbox: arriving.outbox };
  }

  /** Whether it serves all of the range in the term of the move. */
  #serves({ low, high, move }: KeyRange & { readonly move: Generation }): boolean {
    let at = low;
    for (const held of this.#holdings.held()) {
      if (held.frozen || compareGenerations(held.term, move) !== 0 || held.high <= at || held.low > at) continue;
      at = held.high;
    }
    return at >= high;
  }
}

function keyOf({ low, high, move }: KeyRange & { readonly move: Generation }): string {
  return `${String(low)}-${String(high)}@${formatGeneration(move)}`;
}
