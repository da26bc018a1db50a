// How many requests were answered with what, for /metrics. A path that is no route's counts as "other": clients must not be able
// to make up label values.

export interface AnswerCount {
  readonly path: string;
  readonly status: number;
  readonly count: number;
}

export class AnswerCounts {
  /** By path, by status. Bound: routes x statuses. */
  readonly #counts = new Map<string, Map<number, number>>();

  add(path: string, status: number): void {
    const statuses = this.#counts.get(path) ?? new Map<number, number>();
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    this.#counts.set(path, statuses);
  }

  *all(): Generator<AnswerCount> {
    for (const [path, statuses] of this.#counts) for (const [status, count] of statuses) yield { path, status, count };
  }
}
