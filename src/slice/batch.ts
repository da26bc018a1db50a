// The wire between router and owner (PROTOCOL P1, P2; CONTRACT, Router -> owner): what a batch says of itself, and what the owner
// answers for each key range.
import { type KeyRange, parseKeyRange } from "./keyRange.js";

/** One key range a batch is meant for. */
export interface BatchRange extends KeyRange {
  /** Number of this router's previous batch meant for the range; 0: none. */
  readonly prev: number;
  /** Lowest number the router still holds for the range; the batch's own when it is the only one. */
  readonly kept: number;
  /** Oldest event time, ms, that the router has for the range and that is not in this or an earlier batch; undefined: none. */
  readonly oldestMs: number | undefined;
}

/** What stands in the headers of `POST /api/v1/batch`. The body is line protocol; an empty one is a heartbeat. */
export interface BatchHead {
  /** NAME.INCARNATION; numbers are counted per such router. */
  readonly router: string;
  /** This batch's number, from 1; a heartbeat repeats the last one. */
  readonly seq: number;
  readonly ranges: readonly BatchRange[];
  /**
   * When the router said all this, ms. What it says of `oldestMs` holds for what had reached it by then: an owner that waits for
   * end + grace waits for a word of at least that time.
   */
  readonly statedMs: number;
  /** Hash of the newest rule file the router has. */
  readonly rules: string;
  readonly cluster: string;
}

/**
 * applied: this batch is in. duplicate: it was before. gap: batches are missing, go on from `applied` + 1.
 * elsewhere: not served here. wait: in a moment, perhaps.
 */
export type Answer = "applied" | "duplicate" | "gap" | "elsewhere" | "wait";

export interface RangeAnswer extends KeyRange {
  readonly answer: Answer;
  /** Highest batch of this router applied here; 0 where the range is not served. */
  readonly applied: number;
  /** Batches up to it need not be kept for this range. */
  readonly durable: number;
  /** Base URL of who serves the range, as far as known. */
  readonly owner: string | null;
}

const RANGES_MAX = 65_536;

/** The header `limpet-slices`. Adjacent ranges that say the same are joined. */
export function formatBatchRanges(ranges: readonly BatchRange[]): string {
  const joined: BatchRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && last.high === range.low && last.prev === range.prev && last.kept === range.kept && last.oldestMs === range.oldestMs)
      joined[joined.length - 1] = { ...last, high: range.high };
    else joined.push(range);
  }
  return joined
    .map(({ low, high, prev, kept, oldestMs }) => {
      return `${String(low)}-${String(high)}@${String(prev)}/${String(kept)}/${oldestMs === undefined ? "none" : String(oldestMs)}`;
    })
    .join(",");
}

/** Parses `limpet-slices`; a text says what is wrong with it. */
export function parseBatchRanges(text: string): readonly BatchRange[] | string {
  const ranges: BatchRange[] = [];
  let at = 0;
  for (const part of text.split(",")) {
    const match = /^(\d{1,10})-(\d{1,10})@(\d{1,15})\/(\d{1,15})\/(none|-?\d{1,16})$/.exec(part.trim());
    if (match === null) return `limpet-slices: ${part.slice(0, 60)} is not low-high@prev/kept/oldestMs|none`;
    const range = parseKeyRange(Number(match[1]), Number(match[2]));
    if (range === undefined || range.low < at) return `limpet-slices: ${part.slice(0, 60)}: ranges are sorted, disjoint and within 0-4294967296`;
    if (ranges.length === RANGES_MAX) return `limpet-slices: more than ${String(RANGES_MAX)} ranges`;
    at = range.high;
    ranges.push({ ...range, prev: Number(match[3]), kept: Number(match[4]), oldestMs: match[5] === "none" ? undefined : Number(match[5]) });
  }
  return ranges;
}

/** Adjacent equal answers joined. */
export function joinAnswers(answers: readonly RangeAnswer[]): RangeAnswer[] {
  const joined: RangeAnswer[] = [];
  for (const answer of answers) {
    const last = joined.at(-1);
    const same = last !== undefined && last.high === answer.low && last.answer === answer.answer && last.applied === answer.applied;
    if (same && last.durable === answer.durable && last.owner === answer.owner) joined[joined.length - 1] = { ...last, high: answer.high };
    else joined.push(answer);
  }
  return joined;
}
