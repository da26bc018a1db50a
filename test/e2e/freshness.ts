// How late windows come to be stored: the receiver is asked again and again which windows it holds whole.
import { setTimeout as delay } from "node:timers/promises";
import type { Prometheus } from "../servers/prometheus.js";

const LOOK_MS = 200;

export class Freshness {
  /** Of each window: its end, and how long after that all its rows were seen, ms. */
  readonly #windows: { readonly endMs: number; readonly lagMs: number }[] = [];
  readonly #done: Promise<void>;
  #running = true;

  /** `selector`: of one output, which has `series` series in every window. */
  constructor(prometheus: Prometheus, selector: string, series: number) {
    this.#done = this.#watch(prometheus, selector, series);
  }

  /** Stops looking. How late the windows were that ended before a time, ms, the latest last. */
  async lagsMs(beforeMs: number): Promise<readonly number[]> {
    this.#running = false;
    await this.#done;
    return this.#windows.flatMap(({ endMs, lagMs }) => (endMs < beforeMs ? [lagMs] : [])).sort((a, b) => a - b);
  }

  async #watch(prometheus: Prometheus, selector: string, series: number): Promise<void> {
    const seen = new Set<number>();
    for (let first = true; this.#running; first = false) {
      const rows = new Map<number, number>();
      for (const { timeSec } of await prometheus.query(`${selector}[1m]`, Date.now() / 1000)) rows.set(timeSec, (rows.get(timeSec) ?? 0) + 1);
      const nowMs = Date.now();
      for (const [endSec, count] of rows) {
        if (count < series || seen.has(endSec)) continue;
        seen.add(endSec);
        // Those there at the first look may have been there for a while.
        if (!first) this.#windows.push({ endMs: endSec * 1000, lagMs: nowMs - endSec * 1000 });
      }
      await delay(LOOK_MS);
    }
  }
}
