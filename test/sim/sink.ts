// The sink of a simulated aggregator: the queue of src/sink under virtual time, in front of the receiver. Rows are blocks as in life, one per
// window for all keys that close then, so that a Slice that moves cuts blocks.
import { type RowBlock, RowReader } from "#limpet/metric/rowBlock.js";
import { judge } from "#limpet/plugins/sinks/remote-write/judge.js";
import type { Batch } from "#limpet/sink/batch.js";
import { pickRows } from "#limpet/sink/blockRows.js";
import { type QueueAction, type QueueEvent, SinkQueue } from "#limpet/sink/queue.js";
import type { KeyRange } from "#limpet/slice/keyRange.js";
import { blockOf } from "../metric/blocks.js";
import type { Cluster } from "./cluster.js";
import type { ModelRow, ModelRules } from "./modelHoldings.js";
import type { Tsdb } from "./tsdb.js";
import { TIMEOUT_MS, type World } from "./world.js";

/** A block as JSON can carry it, which is how the model's copies travel. */
export interface PlainBlock extends Omit<RowBlock, "bytes" | "keys"> {
  readonly bytes: string;
  readonly keys: readonly number[];
}

export class SimSink {
  readonly #world: World;
  readonly #tsdb: Tsdb;
  readonly #rules: ModelRules;
  readonly #rowOf: (reader: RowReader) => ModelRow;
  readonly #queue: SinkQueue;
  /** By lane: the number of the request in flight; answers to others come too late. */
  readonly #requests = new Map<number, number>();
  readonly #withdrawn = new Map<number, (blocks: readonly PlainBlock[]) => void>();
  #next = 1;
  #unsent: readonly PlainBlock[] = [];
  #wakeAtMs = Number.POSITIVE_INFINITY;
  /** The process is dead: answers mean nothing any more. */
  dead = false;
  /** Rows that were made here, and that came from elsewhere. */
  made = 0;
  arrived = 0;
  /** Rows that go to disk. */
  kept = 0;

  constructor({ world, tsdb, rules, matter }: Pick<Cluster, "world" | "tsdb" | "rules" | "matter">) {
    this.#world = world;
    this.#tsdb = tsdb;
    this.#rules = rules;
    this.#rowOf = (reader): ModelRow => matter.rowOf(reader);
    this.#queue = new SinkQueue({
      name: "sim",
      queueBytesMax: 1e9,
      maxAgeMs: 1e9,
      lanes: 2,
      batch: { rowsMax: 12, bytesMax: 1e6, cutsMax: 64 },
      judge,
      problem: () => undefined,
      pathCure: "",
      random: () => world.rng.next(),
    });
  }

  get idle(): boolean {
    return this.stats.queueRows === 0;
  }

  get stats(): ReturnType<SinkQueue["stats"]> {
    return this.#queue.stats();
  }

  /** Rows of windows that closed. */
  close(rows: readonly ModelRow[]): void {
    const ends = new Set(rows.map(({ endMs }) => endMs));
    for (const windowEndMs of [...ends].sort((a, b) => a - b)) {
      const ofWindow = rows.filter(({ endMs }) => endMs === windowEndMs);
      const block = blockOf(
        ofWindow.map(({ key, value }) => ({
          labels: [
            ["__name__", "m"],
            ["key", String(key)],
          ],
          timestamp: windowEndMs,
          value: this.#tsdb.numberOf(value),
        })),
      );
      const rule = this.#rules.oneWindow ? "m" : String(this.#next);
      this.take({ ...block, rule, windowEndMs, keys: Uint32Array.from(ofWindow, ({ key }) => key) });
    }
  }

  /** Rows that were made here. */
  take(block: RowBlock): void {
    this.made += block.rowCount;
    this.#offer(block);
  }

  /** Rows of a range that no answer has come for. */
  withdraw(range: KeyRange, done: (blocks: readonly PlainBlock[]) => void): void {
    const id = this.#next++;
    this.#withdrawn.set(id, done);
    if (this.#rules.withdraw) this.#step({ kind: "withdraw", id, range });
    else done([]);
  }

  /** Rows that were withdrawn, here or elsewhere. */
  resume(blocks: readonly PlainBlock[]): void {
    for (const block of blocks) {
      this.arrived += block.rowCount;
      this.#offer(unplain(block));
    }
  }

  /** Ends: rows without an answer, those under way too. */
  end(): readonly PlainBlock[] {
    this.#step({ kind: "close", deadlineMs: this.#world.nowMs });
    this.dead = true;
    for (const { rowCount } of this.#unsent) this.kept += rowCount;
    return this.#unsent;
  }

  #offer(block: RowBlock): void {
    this.#step({ kind: "offer", id: this.#next++, block });
  }

  #step(event: QueueEvent): void {
    if (this.dead) return;
    for (const action of this.#queue.step(this.#world.nowMs, event)) this.#carryOut(action);
  }

  #carryOut(action: QueueAction): void {
    switch (action.kind) {
      case "send":
        this.#send(action.lane, this.#rowsOf(action.batch));
        return;
      case "abort":
        this.#requests.delete(action.lane);
        return;
      case "withdrawn":
        this.#withdrawn.get(action.id)?.(action.blocks.map(plain));
        return;
      case "closed":
        this.#unsent = action.unsent.map(plain);
        return;
      case "settle":
      case "log":
        return;
      case "wake":
        this.#wakeAtMs = action.atMs;
        if (action.atMs !== Number.POSITIVE_INFINITY)
          this.#world.after(Math.max(0, action.atMs - this.#world.nowMs), () => {
            if (this.#wakeAtMs === action.atMs) this.#step({ kind: "tick" });
          });
    }
  }

  /** Read at the moment of sending: afterwards the bytes may be gone. */
  #rowsOf(batch: Batch): ModelRow[] {
    return batch.blocks.map(({ bytes }, i) => {
      const reader = new RowReader(bytes.subarray(batch.starts[i]));
      reader.next();
      return this.#rowOf(reader);
    });
  }

  #send(lane: number, rows: readonly ModelRow[]): void {
    const request = this.#next++;
    this.#requests.set(lane, request);
    const answered = (answer: { readonly status: number; readonly body: string } | undefined): void => {
      if (this.#requests.get(lane) !== request) return;
      this.#requests.delete(lane);
      this.#step({ kind: "answer", lane, answer: answer === undefined ? { kind: "failed", reason: "lost" } : { kind: "status", ...answer } });
    };
    this.#world.request(
      () => this.#tsdb.post(rows),
      (answer) => {
        if (answer !== "silence") answered(answer);
        else
          this.#world.after(TIMEOUT_MS, () => {
            answered(undefined);
          });
      },
    );
  }
}

/** The rows whose keys are wanted, block by block. */
export function pickPlain(blocks: readonly PlainBlock[], isWanted: (key: number) => boolean): PlainBlock[] {
  return blocks
    .map(unplain)
    .map((block) => pickRows(block, (_start, index) => isWanted(block.keys?.[index] ?? 0)))
    .filter(({ rowCount }) => rowCount > 0)
    .map(plain);
}

export function unplain({ bytes, keys, ...block }: PlainBlock): RowBlock {
  return { ...block, bytes: new Uint8Array(Buffer.from(bytes, "base64")), keys: Uint32Array.from(keys) };
}

export function plain({ bytes, keys, ...block }: RowBlock): PlainBlock {
  return { ...block, bytes: Buffer.from(bytes).toString("base64"), keys: [...(keys ?? [])] };
}
