// A receiver with stock Prometheus' rules, and the queue of a sink before it.
//
// Receiver: per series, time only grows. The newest value may be written again when it is the same; another value is a conflict,
// older times are out of order, and either rolls the whole request back.
import type { KeyRange } from "#limpet/slice/keyRange.js";
import { contains } from "#limpet/slice/keyRange.js";
import type { ModelRow } from "./modelHoldings.js";
import type { World } from "./world.js";

export class Tsdb {
  /** Series -> window end -> value. */
  readonly stored = new Map<number, Map<number, string>>();
  readonly #newest = new Map<number, number>();
  conflicts: string[] = [];

  /** Whether all of them are stored now. */
  write(rows: readonly ModelRow[]): boolean {
    for (const { key, endMs, value } of rows) {
      const newest = this.#newest.get(key) ?? Number.NEGATIVE_INFINITY;
      if (endMs > newest) continue;
      const known = this.stored.get(key)?.get(endMs);
      if (endMs === newest && known === value) continue;
      // Refused alike; what differs is whether it tells of a bug: other bytes for a time that has its value.
      if (known !== undefined && known !== value) this.conflicts.push(`series ${String(key)} at ${String(endMs)}: ${known}, then ${value}`);
      return false;
    }
    for (const { key, endMs, value } of rows) {
      let series = this.stored.get(key);
      if (series === undefined) {
        series = new Map();
        this.stored.set(key, series);
      }
      series.set(endMs, value);
      this.#newest.set(key, Math.max(endMs, this.#newest.get(key) ?? 0));
    }
    return true;
  }
}

/** One request in flight, in order; a refused one is sent again row by row, and what is refused alone is given up. */
export class SimSink {
  readonly #world: World;
  readonly #tsdb: Tsdb;
  #queue: ModelRow[] = [];
  #inFlight: readonly ModelRow[] = [];
  #single = 0;
  #waiting: (() => void)[] = [];
  /** The process is dead: answers mean nothing any more. */
  dead = false;

  constructor(world: World, tsdb: Tsdb) {
    this.#world = world;
    this.#tsdb = tsdb;
  }

  get idle(): boolean {
    return this.#queue.length === 0 && this.#inFlight.length === 0;
  }

  offer(rows: readonly ModelRow[]): void {
    this.#queue.push(...rows);
    this.#send();
  }

  /** Rows of a range that no answer has come for; after what is in flight has ended (`waits`). */
  withdraw(range: KeyRange, waits: boolean, done: (rows: readonly ModelRow[]) => void): void {
    const take = (): void => {
      if (waits && this.#inFlight.some(({ key }) => contains(range, key))) {
        this.#waiting.push(take);
        return;
      }
      const rows = this.#queue.filter(({ key }) => contains(range, key));
      this.#queue = this.#queue.filter(({ key }) => !contains(range, key));
      done(rows);
    };
    take();
  }

  #send(): void {
    if (this.#inFlight.length > 0 || this.#queue.length === 0 || this.dead) return;
    const rows = this.#single > 0 ? this.#queue.slice(0, 1) : [...this.#queue];
    this.#queue = this.#queue.slice(rows.length);
    this.#inFlight = rows;
    this.#world.request(
      () => ({ stored: this.#tsdb.write(rows) }),
      (answer) => {
        if (this.dead) return;
        this.#inFlight = [];
        if (answer === undefined || (!answer.stored && rows.length > 1)) this.#queue = [...rows, ...this.#queue];
        if (answer?.stored === false && rows.length > 1) this.#single = rows.length;
        else this.#single = Math.max(0, this.#single - 1);
        for (const waiting of this.#waiting.splice(0)) waiting();
        this.#send();
      },
    );
  }
}
