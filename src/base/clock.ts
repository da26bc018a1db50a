// The owner's clock (PROTOCOL, Time): wall time at start, advanced by the monotonic clock, so that windows never close because
// somebody set the time. A step of the wall clock of more than a second is reported once, not obeyed.

export interface ClockSources {
  /** ms since the epoch */
  wall(): number;
  /** ms from any origin, never backwards */
  monotonic(): number;
}

export class SteadyClock {
  readonly #sources: ClockSources;
  readonly #wallStart: number;
  readonly #monotonicStart: number;
  #reportedStep = 0;

  constructor(sources: ClockSources) {
    this.#sources = sources;
    this.#wallStart = sources.wall();
    this.#monotonicStart = sources.monotonic();
  }

  /** ms since the epoch. */
  now(): number {
    return this.#wallStart + Math.floor(this.#sources.monotonic() - this.#monotonicStart);
  }

  /** How far the wall clock has stepped away (ms, positive: forward), when that is news; else undefined. */
  step(): number | undefined {
    const step = this.#sources.wall() - this.now();
    if (Math.abs(step - this.#reportedStep) <= 1000) return undefined;
    this.#reportedStep = step;
    return step;
  }
}
