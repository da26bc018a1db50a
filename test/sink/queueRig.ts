// Drives a sink's queue by hand, on a virtual clock: remembers what is in flight and how blocks ended.
import { expect } from "@jest/globals";
import { type RowBlock, RowReader, rowsOf } from "#limpet/metric/rowBlock.js";
import { labelProblem } from "#limpet/metric/rowLabels.js";
import { judge } from "#limpet/plugins/sinks/remote-write/judge.js";
import type { Answer } from "#limpet/sink/answer.js";
import { type QueueAction, type QueueOptions, SinkQueue } from "#limpet/sink/queue.js";
import type { BlockOutcome } from "#limpet/sink/sink.js";
import { blockOf, type TestRow, testRow } from "../metric/blocks.js";

const options: QueueOptions = {
  name: "test",
  queueBytesMax: 1_000_000,
  maxAgeMs: 60_000,
  lanes: 1,
  batch: { rowsMax: 4, bytesMax: 100_000, cutsMax: 64 },
  judge,
  problem: labelProblem,
  pathCure: "check the path",
  random: () => 0.5,
};

type Send = Extract<QueueAction, { kind: "send" }>;

export class Rig {
  readonly queue: SinkQueue;
  readonly inFlight = new Map<number, { send: Send; rows: string[] }>();
  readonly settled = new Map<number, BlockOutcome>();
  readonly withdrawn = new Map<number, readonly RowBlock[]>();
  readonly logs: string[] = [];
  unsent: readonly RowBlock[] = [];
  nowMs = 0;
  wakeAtMs = Infinity;
  closed = false;

  constructor(changes: Partial<QueueOptions> = {}) {
    this.queue = new SinkQueue({ ...options, ...changes });
  }

  offer(id: number, rows: readonly TestRow[], rule?: string): void {
    this.act(this.queue.step(this.nowMs, { kind: "offer", id, block: blockOf(rows, rule) }));
  }

  /** Rows whose names are letters: `a` has SliceKey 0, `b` 1, and so on. */
  offerKeyed(id: number, names: string, timestamp: number, about: Partial<RowBlock> = {}): void {
    const keys = Uint32Array.from([...names], (name) => name.charCodeAt(0) - 97);
    const block = { ...blockOf(series(names, timestamp)), windowEndMs: timestamp, keys, ...about };
    this.act(this.queue.step(this.nowMs, { kind: "offer", id, block }));
  }

  /** Rows with the SliceKeys [low, high), as they came out; undefined: not yet. */
  withdraw(id: number, low: number, high: number): string[] | undefined {
    this.act(this.queue.step(this.nowMs, { kind: "withdraw", id, range: { low, high } }));
    return this.moved(id);
  }

  moved(id: number): string[] | undefined {
    return this.withdrawn.get(id)?.flatMap((block) => rowsOf(block).map(({ name, timestamp }) => `${name}@${timestamp}`));
  }

  answer(lane: number, status: number, body = "", retryAfter?: string): void {
    this.give(lane, { kind: "status", status, body, retryAfter });
  }

  fail(lane: number, reason = "ECONNREFUSED"): void {
    this.give(lane, { kind: "failed", reason });
  }

  give(lane: number, answer: Answer): void {
    this.inFlight.delete(lane);
    this.act(this.queue.step(this.nowMs, { kind: "answer", lane, answer }));
  }

  /** Lets time pass until the queue wants to be woken. */
  wake(): void {
    this.nowMs = Math.max(this.nowMs, this.wakeAtMs);
    this.tick();
  }

  tick(): void {
    this.wakeAtMs = Infinity;
    this.act(this.queue.step(this.nowMs, { kind: "tick" }));
  }

  close(deadlineMs: number): void {
    this.act(this.queue.step(this.nowMs, { kind: "close", deadlineMs }));
  }

  /** Rows of the lane's request, as `name@timestamp`; [] when idle. */
  sent(lane = 0): string[] {
    return this.inFlight.get(lane)?.rows ?? [];
  }

  act(actions: readonly QueueAction[]): void {
    for (const action of actions) {
      if (action.kind === "send") {
        expect(this.inFlight.has(action.lane)).toBe(false);
        this.inFlight.set(action.lane, { send: action, rows: rowNames(action) });
      } else if (action.kind === "settle") {
        expect(this.settled.has(action.id)).toBe(false);
        this.settled.set(action.id, action.outcome);
      } else if (action.kind === "abort") this.inFlight.delete(action.lane);
      else if (action.kind === "wake") this.wakeAtMs = action.atMs;
      else if (action.kind === "log") this.logs.push(`${action.level}: ${action.message}`);
      else if (action.kind === "withdrawn") {
        expect(this.withdrawn.has(action.id)).toBe(false);
        this.withdrawn.set(action.id, action.blocks);
      } else {
        this.closed = true;
        this.unsent = action.unsent;
      }
    }
  }
}

/** Read at the moment of sending, as the driver does: afterwards the bytes may be gone. */
function rowNames({ batch }: Send): string[] {
  return batch.blocks.map((block, i) => {
    const reader = new RowReader(block.bytes.subarray(batch.starts[i]));
    reader.next();
    const row = reader.row();
    return `${row.name}@${row.timestamp}`;
  });
}

/** One row per letter. */
export function series(names: string, timestamp: number): TestRow[] {
  return [...names].map((name) => testRow(name, timestamp, 1));
}

export const stored = (count: number): BlockOutcome => ({ stored: count, conflict: 0, unknown: 0, moved: 0, dropped: {} });
