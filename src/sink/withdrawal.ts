// Rows of a key range on their way out of a sink's queue, because their Slice moves. What waits is taken at once; what is in flight is
// waited for, for its answer is an outcome like any other. It is not waited for where the receiver has failed this request before, nor
// for longer than WAIT_MS: then the request is given up, and the rows go as if it had failed. They may be stored all the same, as after
// any answer that was lost: they are the newest that was sent of their series, and whoever sends the same bytes again may.

import type { KeyRange } from "../slice/keyRange.js";
import { type QueuedBlock, removeRows } from "./batch.js";
import { startsWithin } from "./blockRows.js";
import { firstPart, type Lane } from "./lane.js";

const WAIT_MS = 1000;

export class Withdrawal {
  /** The caller's, unique. */
  readonly id: number;
  readonly deadlineMs: number;
  /** Lanes that may still have rows of the range. */
  readonly #lanes: Set<Lane>;
  /** Where rows of the range start; blocks without any are not there. */
  readonly #within = new Map<QueuedBlock, ReadonlySet<number>>();
  /** Where the rows that were taken start. */
  readonly #taken = new Map<QueuedBlock, number[]>();

  constructor(id: number, range: KeyRange, { nowMs, lanes, blocks }: Queued) {
    this.id = id;
    this.deadlineMs = nowMs + WAIT_MS;
    this.#lanes = new Set(lanes);
    for (const block of blocks) {
      const starts = startsWithin(block, range);
      if (starts.size > 0) this.#within.set(block, starts);
    }
  }

  get done(): boolean {
    return this.#lanes.size === 0;
  }

  /** Takes what is in no request. Returns the lanes whose request is waited for no longer: give it up, and take again. */
  take(nowMs: number): Lane[] {
    const late: Lane[] = [];
    for (const lane of this.#lanes) {
      if (lane.inFlight && this.#isTouched(lane)) {
        if (lane.failures > 0 || nowMs >= this.deadlineMs) late.push(lane);
        continue;
      }
      for (const [block, starts] of takeRows(lane, this.#within.keys(), (one, start) => this.#isWithin(one, start)))
        this.#taken.set(block, [...(this.#taken.get(block) ?? []), ...starts]);
      this.#lanes.delete(lane);
    }
    return late;
  }

  /** Where the rows of a block start that were taken. */
  of(block: QueuedBlock): ReadonlySet<number> {
    return new Set(this.#taken.get(block));
  }

  #isTouched({ current }: Lane): boolean {
    return current?.blocks.some((block, i) => this.#isWithin(block, current.starts[i] ?? 0)) === true;
  }

  #isWithin(block: QueuedBlock, start: number): boolean {
    return this.#within.get(block)?.has(start) === true;
  }
}

/** The queue, as it is when a withdrawal begins. */
interface Queued {
  readonly nowMs: number;
  readonly lanes: readonly Lane[];
  readonly blocks: Iterable<QueuedBlock>;
}

/** Takes rows out of a lane, but for those in flight. Returns where they start. */
export function takeRows(
  lane: Lane,
  blocks: Iterable<QueuedBlock>,
  isWanted: (block: QueuedBlock, start: number) => boolean,
): Map<QueuedBlock, number[]> {
  const taken = new Map<QueuedBlock, number[]>();
  const note = (block: QueuedBlock, starts: readonly number[]): void => {
    if (starts.length > 0) taken.set(block, [...(taken.get(block) ?? []), ...starts]);
  };
  for (const block of blocks) {
    const part = block.parts[lane.index];
    if (part === undefined) continue;
    const left: number[] = [];
    const starts: number[] = [];
    for (let i = part.next; i < part.rows.length; i += 2) {
      const [start = 0, bytes = 0] = [part.rows[i], part.rows[i + 1]];
      if (isWanted(block, start)) starts.push(start);
      else left.push(start, bytes);
    }
    if (starts.length === 0) continue;
    part.rows = Uint32Array.from(left);
    part.next = 0;
    note(block, starts);
  }
  firstPart(lane);
  const batches = lane.current === undefined || lane.inFlight ? lane.cut : [...lane.cut, lane.current];
  for (const batch of batches) for (const [block, starts] of removeRows(batch, isWanted)) note(block, starts);
  const left = lane.cut.filter((piece) => piece.starts.length > 0);
  lane.cut.splice(0, lane.cut.length, ...left);
  if (!lane.inFlight && lane.current?.starts.length === 0) lane.current = undefined;
  return taken;
}
