// One move out (PROTOCOL P6): make the target a copy while serving, freeze for the last increment, and say go.
//
//   copying ──little changed since──▶ withdrawing ──sinks gave the rows back──▶ closing ──installed──▶ going ──serving──▶ done
//      │ ▲ increments while serving        │ frozen from here on                   │          │
//      └─┴─────────── abort ◀──────────────┴───────────────────────────────────────┘          no way back: go is irrevocable
//
// An abort while the sinks give back waits for that (a second at most): served again, the range would close windows whose rows could
// reach a sink before the older ones come back to it.
// Message hops while frozen: last copy, installed, go, serving.
import type { Generation } from "../slice/generation.js";
import type { KeyRange } from "../slice/keyRange.js";
import type { CopyNumber, Holdings, Outbox } from "./holdings.js";
import type { CopyAnswer, CopyHead, Go } from "./messages.js";

export interface MoveTarget {
  readonly id: string;
  readonly address: string;
}

export type OutgoingAction =
  | { readonly kind: "send_copy"; readonly address: string; readonly head: CopyHead; readonly bytes: Uint8Array }
  | { readonly kind: "send_go"; readonly address: string; readonly go: Go }
  /** Take the rows of a frozen range out of the sinks' queues, wait for what is in flight, answer `withdrawn`. */
  | { readonly kind: "withdraw"; readonly range: KeyRange; readonly move: Generation }
  /** Offer withdrawn rows to their sinks, before any newer ones of the range. */
  | { readonly kind: "resume"; readonly outbox: Outbox };

export interface MoveLimits {
  /** Freeze when the next increment would have at most so many bytes. */
  readonly freezeBytes: number;
  /** Freeze after so many increments all the same: a busy range never gets small. */
  readonly roundsMax: number;
  /** Send again what nobody answered, ms. */
  readonly resendMs: number;
  /** Give up, ms after the start without any answer, or frozen for so long. */
  readonly silenceMsMax: number;
  readonly frozenMsMax: number;
}

export const MOVE_LIMITS: MoveLimits = { freezeBytes: 65_536, roundsMax: 5, resendMs: 1000, silenceMsMax: 10_000, frozenMsMax: 5000 };

type Phase = "copying" | "withdrawing" | "closing" | "going";

export class Outgoing {
  readonly range: KeyRange;
  readonly move: Generation;
  readonly target: MoveTarget;
  readonly #from: string;
  readonly #holdings: Holdings;
  readonly #limits: MoveLimits;
  phase: Phase = "copying";
  /** It is to be aborted as soon as the sinks have given back; `say`: the assigner is to hear of it. */
  #doomed: { readonly say: boolean } | undefined;
  /** When it froze, ms; NaN: not yet. */
  frozenMs = Number.NaN;
  #number = 0;
  #rounds = 0;
  #outbox: Outbox = [];
  /** What was sent last and is not answered; undefined: nothing. */
  #sent: { readonly head: CopyHead; readonly bytes: Uint8Array } | undefined;
  #sentMs = 0;
  #heardMs: number;

  constructor(
    about: { readonly range: KeyRange; readonly move: Generation; readonly target: MoveTarget; readonly from: string },
    world: World,
    nowMs: number,
  ) {
    this.range = about.range;
    this.move = about.move;
    this.target = about.target;
    this.#from = about.from;
    this.#holdings = world.holdings;
    this.#limits = world.limits;
    this.#heardMs = nowMs;
  }

  get irrevocable(): boolean {
    return this.phase === "going";
  }

  start(nowMs: number): OutgoingAction[] {
    return [this.#copy(nowMs, true)];
  }

  /** What the target said of copy `number`. "aborted": the move is dead and the range serves again here. */
  copyAnswered(nowMs: number, number: number, answer: CopyAnswer): OutgoingAction[] | "aborted" {
    if (number !== this.#number || this.#sent === undefined || this.phase === "going") return [];
    this.#heardMs = nowMs;
    const final = this.#sent.head.final;
    this.#sent = undefined;
    if (answer === "refused") return "aborted";
    if (answer === "send_full") return [final ? this.#last(nowMs, true) : this.#copy(nowMs, true)];
    if (!final) return this.#copied(nowMs);
    if (answer === "stored") return [this.#last(nowMs, true)];
    this.phase = "going";
    return [this.#go(nowMs)];
  }

  /** The sinks have given back what they had of the range. */
  withdrawn(nowMs: number, outbox: Outbox): OutgoingAction[] | { readonly aborted: { readonly say: boolean } } {
    if (this.phase !== "withdrawing") return [{ kind: "resume", outbox }];
    this.#outbox = outbox;
    this.phase = "closing";
    return this.#doomed === undefined ? [this.#last(nowMs, false)] : { aborted: this.#doomed };
  }

  /** Whether an abort has to wait for the sinks; `withdrawn` then says when. */
  doom(say: boolean): boolean {
    if (this.phase !== "withdrawing") return false;
    this.#doomed = { say: say && this.#doomed?.say !== false };
    return true;
  }

  tick(nowMs: number): OutgoingAction[] | "aborted" {
    const { resendMs, silenceMsMax, frozenMsMax } = this.#limits;
    if (!this.irrevocable && (nowMs - this.#heardMs > silenceMsMax || nowMs - this.frozenMs > frozenMsMax)) return "aborted";
    if (nowMs - this.#sentMs < resendMs) return [];
    if (this.phase === "going") return [this.#go(nowMs)];
    if (this.#sent === undefined) return [];
    this.#sentMs = nowMs;
    return [{ kind: "send_copy", address: this.target.address, ...this.#sent }];
  }

  /** The range serves here again, as if nothing had been; without a term it is here no more. Only before go. */
  undo(term: Generation | undefined): OutgoingAction[] {
    if (this.phase === "copying") return [];
    if (term !== undefined) this.#holdings.thaw(this.range, term);
    return this.#outbox.length === 0 ? [] : [{ kind: "resume", outbox: this.#outbox }];
  }

  #copied(nowMs: number): OutgoingAction[] {
    this.#rounds++;
    if (this.#rounds <= this.#limits.roundsMax && this.#holdings.changedBytes(this.range) > this.#limits.freezeBytes)
      return [this.#copy(nowMs, false)];
    this.#holdings.freeze(this.range);
    this.frozenMs = nowMs;
    this.phase = "withdrawing";
    return [{ kind: "withdraw", range: this.range, move: this.move }];
  }

  #copy(nowMs: number, full: boolean): OutgoingAction {
    return this.#send(nowMs, full, { final: false, outbox: [] });
  }

  #last(nowMs: number, full: boolean): OutgoingAction {
    return this.#send(nowMs, full, { final: true, outbox: this.#outbox });
  }

  #send(nowMs: number, full: boolean, { final, outbox }: { readonly final: boolean; readonly outbox: Outbox }): OutgoingAction {
    this.#number++;
    const number: CopyNumber = { move: this.move, number: this.#number, full };
    const head: CopyHead = { low: this.range.low, high: this.range.high, from: this.#from, to: this.target.id, ...number, final };
    this.#sent = { head, bytes: this.#holdings.copy(this.range, number, outbox) };
    this.#sentMs = nowMs;
    return { kind: "send_copy", address: this.target.address, ...this.#sent };
  }

  #go(nowMs: number): OutgoingAction {
    this.#sentMs = nowMs;
    const { low, high } = this.range;
    return { kind: "send_go", address: this.target.address, go: { low, high, from: this.#from, to: this.target.id, move: this.move } };
  }
}

export interface World {
  readonly holdings: Holdings;
  readonly limits: MoveLimits;
}
