// What an owner's answer means for a Track (PROTOCOL P2). Answers come late, twice and from owners of before: an answer about an
// attempt from before the Track moved is no news, and of several attempts that were refused together the first is obeyed.
//
//   applied, duplicate  it is there; up to `durable` it need not be kept
//   gap n               go back to n + 1
//   elsewhere           a hint of the Assignment's owner is tried at once, for one attempt; then that owner again, later each time
//   wait                the same address again soon, for 1 s
//   failed              the same as elsewhere without a hint, but the address is what is left alone for a while; the target of a
//                       published move is asked meanwhile (router.ts)
import { type BackoffOptions, backoffMs } from "../base/backoff.js";
import type { Answer } from "../slice/batch.js";
import type { KeyRange } from "../slice/keyRange.js";
import type { Lane } from "./lane.js";
import type { Track } from "./track.js";

export interface Answered {
  readonly answer: Answer | "failed";
  /** Sorted, disjoint. */
  readonly ranges: readonly KeyRange[];
  readonly applied: number;
  readonly durable: number;
  readonly owner: string | null;
}

/** The attempt that was answered. */
export interface Asked {
  readonly kind: "batch" | "heartbeat" | "goodbye";
  readonly number: number;
  /** The newest attempt there is. */
  readonly latest: number;
  readonly address: string;
  readonly seq: number;
}

interface Case {
  readonly lane: Lane;
  readonly track: Track;
  readonly asked: Asked;
  readonly answered: Answered;
  /** More is under way to that address: what is missing may be just that. */
  readonly pauses: boolean;
}

const WAIT_RETRY_MS = 50;
const WAIT_MS_MAX = 1000;

export class Settling {
  readonly #backoff: BackoffOptions;
  readonly #random: () => number;

  constructor(backoff: BackoffOptions, random: () => number) {
    this.#backoff = backoff;
    this.#random = random;
  }

  settle(nowMs: number, one: Case): void {
    const { lane, track, asked, answered } = one;
    if (asked.number <= track.movedAt) return;
    if (answered.answer === "applied" || answered.answer === "duplicate") return applied(one);
    if (asked.number <= track.rewoundAt) return;
    if (answered.answer === "gap") return this.#gap(nowMs, one);
    track.rewind(track.acked, asked.latest);
    if (answered.answer === "elsewhere") this.#elsewhere(nowMs, one);
    else if (answered.answer === "wait") wait(nowMs, one);
    else track.moveTo(lane.address, asked.latest);
  }

  #gap(nowMs: number, { track, asked, answered, pauses }: Case): void {
    track.acked = Math.min(answered.applied, track.last);
    track.rewind(track.acked, asked.latest);
    track.waitingSinceMs = undefined;
    track.refusals++;
    track.retryAtMs = track.refusals > 1 || pauses ? nowMs + this.#delay(track) : 0;
  }

  #elsewhere(nowMs: number, { lane, track, asked, answered }: Case): void {
    const { owner } = answered;
    if (asked.address === lane.address && owner !== null && owner !== asked.address) {
      track.moveTo(owner, asked.latest);
      return;
    }
    track.refusals++;
    track.moveTo(lane.address, asked.latest);
    track.retryAtMs = nowMs + this.#delay(track);
  }

  #delay({ refusals }: Track): number {
    return backoffMs(refusals, this.#backoff, this.#random());
  }
}

function applied({ lane, track, asked, answered }: Case): void {
  // Of a batch it says by itself that it is in, whatever number comes with it.
  track.ack(asked.kind === "batch" ? Math.max(answered.applied, asked.seq) : answered.applied);
  lane.settle(track, answered.durable);
  if (asked.kind === "goodbye" && track.last <= asked.seq && track.kept.length === 0) track.forget();
}

function wait(nowMs: number, { lane, track, asked }: Case): void {
  track.waitingSinceMs ??= nowMs;
  if (nowMs - track.waitingSinceMs >= WAIT_MS_MAX) {
    track.waitingSinceMs = nowMs;
    track.moveTo(lane.address, asked.latest);
  }
  track.retryAtMs = nowMs + WAIT_RETRY_MS;
}
