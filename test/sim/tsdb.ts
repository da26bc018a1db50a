// A receiver with stock Prometheus' rules, which can be away. Per series, time only grows. The newest value may be written again when it is the same; another value is a conflict,
// older times are out of order, and either rolls the whole request back.
import type { ModelRow } from "./modelHoldings.js";

/** here; or it refuses connections, never answers and stores nothing, or stores and its answers are lost. */
export type Presence = "here" | "refuses" | "silent" | "mute";

export class Tsdb {
  presence: Presence = "here";
  readonly #values: string[] = [];
  /** Series -> window end -> value. */
  readonly stored = new Map<number, Map<number, string>>();
  readonly #newest = new Map<number, number>();
  conflicts: string[] = [];

  /** A row's value is a number: one for each of the model's. */
  numberOf(value: string): number {
    return this.#values.push(value) - 1;
  }

  valueOf(number: number): string {
    return this.#values[number] ?? "";
  }

  /** A request. undefined: nobody listens; silence: no answer will come. */
  post(rows: readonly ModelRow[]): { readonly status: number; readonly body: string } | "silence" | undefined {
    if (this.presence === "refuses") return undefined;
    if (this.presence === "silent") return "silence";
    const stored = this.#write(rows);
    if (this.presence === "mute") return "silence";
    return stored ? { status: 204, body: "" } : { status: 400, body: "out of order sample" };
  }

  /** Whether all of them are stored now. */
  #write(rows: readonly ModelRow[]): boolean {
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
