// Slicelets over model state, joined by hand: messages are what a test delivers, in the order it likes.
import type { Assignment, Slice } from "#limpet/slice/assignment.js";
import type { BatchHead, RangeAnswer } from "#limpet/slice/batch.js";
import type { Generation } from "#limpet/slice/generation.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { NumberedRange } from "#limpet/slice/report.js";
import type { Resource } from "#limpet/slice/resource.js";
import { MOVE_LIMITS } from "#limpet/slicelet/outgoing.js";
import { Slicelet, type SliceletAction, type SliceletEvent } from "#limpet/slicelet/slicelet.js";
import type { Disk } from "../sim/matter.js";
import { ModelHoldings } from "../sim/modelHoldings.js";

export const CUT = 1000;

export function generation(number: number): Generation {
  return { incarnation: 1, number };
}

function resource(id: string): Resource {
  return { id, address: `http://${id}`, incarnation: "1", state: "running", load: 0 };
}

/** Two slices, cut at CUT, of one term each; `moving`: the first one, to that resource. */
export function assignment(
  number: number,
  owners: readonly [string, string],
  about: { terms?: readonly [number, number]; moving?: readonly [string, number] } = {},
): Assignment {
  const { terms = [1, 1], moving } = about;
  const slice = (low: number, high: number, i: 0 | 1): Slice => {
    return { low, high, owner: owners[i], standby: null, movingTo: null, move: null, term: generation(terms[i]) };
  };
  const first = slice(0, CUT, 0);
  return {
    generation: generation(number),
    rules: "r",
    slices: [moving === undefined ? first : { ...first, movingTo: moving[0], move: generation(moving[1]) }, slice(CUT, KEY_END, 1)],
    resources: ["a", "a2", "b", "c"].map(resource),
  };
}

/** What lies in its --data. */
export interface PeerStart {
  readonly address?: string;
  readonly disk?: Disk;
  readonly offers?: readonly NumberedRange[];
}

export class Peer {
  readonly id: string;
  readonly holdings: ModelHoldings;
  readonly slicelet: Slicelet;
  nowMs = 10_000;

  constructor(id: string, { address = `http://${id}`, disk, offers = [] }: PeerStart = {}) {
    this.id = id;
    const self = { id, address, incarnation: "1", cluster: "c" };
    this.holdings = new ModelHoldings(
      { gap: true, duplicate: true, hold: true, go: true, withdraw: true, oneWindow: true, needRules: true, back: true },
      [0],
      disk,
    );
    this.slicelet = new Slicelet({ self, holdings: this.holdings, limits: MOVE_LIMITS, heartbeatMs: 500, offers });
  }

  step(event: SliceletEvent): SliceletAction[] {
    return this.slicelet.step(this.nowMs, event);
  }

  batch(seq: number, prev: number, lines: string, about: Partial<BatchHead> = {}): readonly RangeAnswer[] {
    const ranges = [{ low: 0, high: CUT, prev, kept: 1, oldestMs: undefined }];
    const head: BatchHead = { router: "r.1", seq, ranges, statedMs: this.nowMs, rules: "r", cluster: "c", ...about };
    const [action] = this.step({ kind: "batch", head, body: new TextEncoder().encode(lines), reply: 0 });
    if (action?.kind !== "answer") throw new Error("a batch is answered at once");
    return action.answers;
  }

  /** What it holds, as `low-high term(frozen)`. */
  get holds(): string[] {
    return this.holdings
      .held()
      .map(({ low, high, term, frozen }) => `${String(low)}-${String(high)} ${String(term.number)}${frozen ? " frozen" : ""}`);
  }
}

/** The first action of a kind. Throws when there is none. */
export function pick<K extends SliceletAction["kind"]>(actions: readonly SliceletAction[], kind: K): Extract<SliceletAction, { kind: K }> {
  for (const action of actions) if (isKind(action, kind)) return action;
  throw new Error(`no ${kind} among ${actions.map((action) => action.kind).join(", ") || "nothing"}`);
}

function isKind<K extends SliceletAction["kind"]>(action: SliceletAction, kind: K): action is Extract<SliceletAction, { kind: K }> {
  return action.kind === kind;
}

/** Delivers a copy and its answer; returns what the sender does next. */
export function carry(from: Peer, to: Peer, sent: Extract<SliceletAction, { kind: "send_copy" }>): SliceletAction[] {
  const { answer } = pick(to.step({ kind: "copy", head: sent.head, bytes: sent.bytes, reply: 1 }), "copy_answer");
  return from.step({ kind: "copy_answered", head: sent.head, answer });
}

/** Runs a published move up to the point where go is on its way. */
export function upToGo(from: Peer, to: Peer, published: readonly SliceletAction[]): Extract<SliceletAction, { kind: "send_go" }> {
  const frozen = carry(from, to, pick(published, "send_copy"));
  const { range, move } = pick(frozen, "withdraw");
  const closing = from.step({ kind: "withdrawn", range, move, outbox: ["row"] });
  return pick(carry(from, to, pick(closing, "send_copy")), "send_go");
}
