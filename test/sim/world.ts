// Virtual time and a bad network. A seed decides every delay, loss, repetition and the order of everything.
import { createRng, type Rng } from "#limpet/base/rng.js";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** How bad the network is; all 0: messages still take time. */
export interface Weather {
  /** Chance that a request, or its answer, never arrives. */
  loss: number;
  /** Chance that a request arrives twice. */
  repeat: number;
  /** Chance that a message lies somewhere for up to slowMs. */
  slow: number;
  slowMs: number;
}

export const TIMEOUT_MS = 1000;

export class World {
  nowMs = 1_000_000;
  readonly rng: Rng;
  readonly weather: Weather = { loss: 0, repeat: 0, slow: 0, slowMs: 3000 };
  /** A binary heap by time, then by order of creation. */
  readonly #timers: Timer[] = [];
  #order = 0;
  messages = 0;

  constructor(seed: number) {
    this.rng = createRng(seed);
  }

  /** A whole number in [0, n). */
  pick(n: number): number {
    return Math.floor(this.rng.next() * n);
  }

  chance(p: number): boolean {
    return this.rng.next() < p;
  }

  after(ms: number, run: () => void): void {
    const timer = { atMs: this.nowMs + ms, order: this.#order++, run };
    const heap = this.#timers;
    heap.push(timer);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(timer, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  /** Runs everything that is due up to `untilMs`. */
  run(untilMs: number): void {
    for (;;) {
      const next = this.#timers[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pop();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
  }

  /**
   * A request and its answer. `deliver` runs at the other end, when there is one (undefined: nobody listens there); `done` hears
   * the answer, or undefined: refused, lost, or too late.
   */
  request<T>(deliver: () => T | undefined, done: (answer: T | undefined) => void): void {
    this.messages++;
    let open = true;
    const end = (answer: T | undefined): void => {
      if (!open) return;
      open = false;
      done(answer);
    };
    this.after(TIMEOUT_MS, () => {
      end(undefined);
    });
    for (let copies = this.chance(this.weather.repeat) ? 2 : 1; copies > 0; copies--) {
      if (this.chance(this.weather.loss)) continue;
      this.after(this.#delay(), () => {
        const answer = deliver();
        if (answer !== undefined && this.chance(this.weather.loss)) return;
        this.after(this.#delay(), () => {
          end(answer);
        });
      });
    }
  }

  /** A message nobody answers. */
  tell(deliver: () => void): void {
    if (this.chance(this.weather.loss)) return;
    this.after(this.#delay(), deliver);
  }

  #delay(): number {
    return this.chance(this.weather.slow) ? 1 + this.pick(this.weather.slowMs) : 1 + this.pick(20);
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      const right = heap[child + 1];
      let below = heap[child];
      if (below === undefined) break;
      if (right !== undefined && isBefore(right, below)) {
        child++;
        below = right;
      }
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
