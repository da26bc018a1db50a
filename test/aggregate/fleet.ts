// A small busy fleet on a virtual clock, for tests that move its state about: lines second by second, and all rows they lead to.
import type { Engine } from "#limpet/aggregate/engine.js";
import { feedLines, tick } from "./openEngine.js";

export const FLEET_RULES = `
- { match: m_f, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, last, "quantiles(0.5)", count_series] }
- { match: c_n, interval: 20s, grace: 5s, by: [s], outputs: [total, increase], first_sample: zero }
- { match: m_f, interval: 10s, grace: 5s, by: [h], outputs: [max] }
- { match: m_f, interval: 20s, grace: 5s, dedup_interval: 4s, by: [s], outputs: [sum_samples, count_samples] }`;

/** Lines of second `i` of a busy fleet. */
export function lines(i: number): string[] {
  const at = 101_000 + i * 1000;
  return Array.from({ length: 12 }, (_, k) => {
    const series = `s=s${String((i + k) % 9)},h=h${String(k)},pod=p${String(i % 3)}`;
    return k % 2 === 0 ? `m,${series} f=${String(i * 1.5 + k)} ${String(at)}` : `c,${series} n=${String(i * 7 + k)} ${String(at)}`;
  });
}

/** Feeds seconds [from, to) to engines, a tick after each, and returns all their rows, sorted. */
export function run(engines: readonly Engine[], from: number, to: number): string[] {
  const rows: string[] = [];
  for (let i = from; i < to; i++) {
    const nowMs = 101_000 + i * 1000;
    for (const engine of engines) {
      feedLines(engine, nowMs, ...lines(i));
      rows.push(...tick(engine, nowMs + 500));
    }
  }
  return rows.sort();
}

/** Idle ticks until everything is closed and retired. */
export function drain(engines: readonly Engine[]): string[] {
  return engines.flatMap((engine) => Array.from({ length: 20 }, (_, i) => tick(engine, 200_000 + i * 10_000)).flat()).sort();
}

export function counts(engines: readonly Engine[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const rule of engines.flatMap((engine) => engine.ledger().rules)) {
    const { pairsMatched, pairsApplied, pairsDuplicate, pairsPending, groups, series } = rule;
    for (const [name, count] of Object.entries({ pairsMatched, pairsApplied, pairsDuplicate, pairsPending, groups, series })) {
      const key = `${rule.rule} ${name}`;
      sums[key] = (sums[key] ?? 0) + count;
    }
  }
  return sums;
}
