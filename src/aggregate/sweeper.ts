// When an engine sweeps, and how much of it at a time: a tick does a piece, and lines, ticks and moves come in between (sweep.ts).
import { ROOT_EPOCH, RULE_SERIES } from "../kernel/layout.js";
import { ownedBytes } from "../kernel/pages.js";
import { type SweepTarget, type Swept, sweepSteps } from "./sweep.js";

/** Shares of the memory, and of a rule's max_series, in use above which dropped Parts are swept at once. */
const TIGHT = 0.75;

export interface SweepPace {
  readonly everyMs: number;
  /** Records that a tick goes through, give or take a step of the sweep. */
  readonly recordsMax: number;
  /** Records of a step: nothing comes in between. */
  readonly step: number;
  /** A Key unused for this many sweeps goes. */
  readonly idleSweeps: number;
}

/** A tick: a few ms. */
export const SWEEP_PACE: SweepPace = { everyMs: 60_000, recordsMax: 20_000, step: 1000, idleSweeps: 60 };

export class Sweeper {
  readonly #target: SweepTarget;
  readonly #pace: SweepPace;
  /** A router that is silent for so long is forgotten. */
  readonly #forgetMs: number;
  #sweptMs: number;
  /** ROOT_EPOCH of the last `idleSweeps` sweeps. */
  readonly #epochs: number[] = [];
  /** The sweep that is under way. */
  #steps: Generator<number, Swept> | undefined;

  constructor(
    target: SweepTarget,
    startMs: number,
    { forgetMs, pace = SWEEP_PACE }: { readonly forgetMs: number; readonly pace?: SweepPace | undefined },
  ) {
    this.#target = target;
    this.#sweptMs = startMs;
    this.#forgetMs = forgetMs;
    this.#pace = pace;
  }

  /** Goes on with the sweep that is under way, or with one that is due. Returns whether more of it is left. */
  go(nowMs: number): boolean {
    this.#steps ??= this.#begin(nowMs);
    if (this.#steps === undefined) return false;
    for (let swept = 0; swept < this.#pace.recordsMax; ) {
      const { value, done } = this.#steps.next();
      if (done === true) {
        this.#steps = undefined;
        return false;
      }
      swept += value;
    }
    return true;
  }

  #begin(nowMs: number): Generator<number, Swept> | undefined {
    const { parts } = this.#target;
    const { everyMs, step } = this.#pace;
    if (nowMs - this.#sweptMs < everyMs) return parts.hasDropped && this.#isTight() ? sweepSteps(this.#target, 0, step) : undefined;
    parts.age(nowMs - this.#forgetMs);
    return sweepSteps(this.#target, this.#nextEpoch(nowMs), step);
  }

  /** A sweep goes through all that is held, so what was handed on waits for the next one, unless there is need of its room. */
  #isTight(): boolean {
    const { root, parts } = this.#target;
    const { bytes, bytesMax } = ownedBytes(root);
    if (bytes > bytesMax * TIGHT) return true;
    return parts.rules.some(({ record, rule }) => i32.load(record + RULE_SERIES) > rule.maxSeries * TIGHT);
  }

  /** Begins a new epoch; returns the one since which a Key must have been used to stay. */
  #nextEpoch(nowMs: number): number {
    const { root } = this.#target;
    this.#sweptMs = nowMs;
    const epoch = i32.load(root + ROOT_EPOCH) + 1;
    i32.store(root + ROOT_EPOCH, epoch);
    this.#epochs.push(epoch);
    return this.#epochs.length > this.#pace.idleSweeps ? (this.#epochs.shift() ?? 0) : 0;
  }
}
