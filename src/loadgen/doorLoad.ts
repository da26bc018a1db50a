// Posts a generator's batches to the doors of a cluster, as a fleet of Telegrafs does: each host is pinned to one lane, a lane posts
// to one door, one request at a time, and keeps what got no 204.
//
//   host i ─▶ lane i mod n: ─written─▶ chunks ─▶ body under way ──204──▶ sent
//                                                   └──anything else──▶ the same body again, to wherever the lane points by then
//
// A lane is turned to another door only when the process behind the old one is gone: what that one took, it has delivered by then,
// so no host's samples can overtake its own. A lane that is full stops the generator: a slow cluster lowers the rate.
import { setTimeout as delay } from "node:timers/promises";
import type { LoadGenerator } from "./generator.js";
import { LineWriter } from "./lineWriter.js";
import type { PumpClock } from "./pump.js";

/** Posts one body; true: it was taken, all of it. Never rejects. */
export type Post = (door: string, body: Uint8Array) => Promise<boolean>;

export interface DoorLoadOptions {
  readonly generator: LoadGenerator;
  /** Above 0. */
  readonly linesPerSecond: number;
  readonly clock: PumpClock;
  /** Base URLs, one per lane. */
  readonly doors: readonly string[];
  readonly post: Post;
}

interface Lane {
  door: string;
  readonly writer: LineWriter;
  /** Lines in the writer. */
  lines: number;
  /** Full chunks, oldest first. Bound: KEPT_BYTES_MAX and one batch. */
  chunks: Buffer[];
  chunkLines: number;
  bytes: number;
  posting: boolean;
}

const TICK_MS = 20;
const CHUNK_BYTES = 64 * 1024;
const KEPT_BYTES_MAX = 8 << 20;
const CREDIT_SECONDS_MAX = 1;
const AGAIN_MS = 50;

export class DoorLoad {
  readonly #options: DoorLoadOptions;
  readonly #lanes: readonly Lane[];
  readonly #cancel: () => void;
  #lastMs: number;
  #credit = 0;
  #stopped = false;
  #abandoned = false;
  #empty: (() => void) | undefined;
  /** Lines that doors have taken. */
  linesSent = 0;

  constructor(options: DoorLoadOptions) {
    this.#options = options;
    const { clock, doors } = options;
    this.#lanes = doors.map((door) => ({
      door,
      writer: new LineWriter(CHUNK_BYTES + 32 * 1024),
      lines: 0,
      chunks: [],
      chunkLines: 0,
      bytes: 0,
      posting: false,
    }));
    this.#lastMs = clock.epochMs();
    this.#cancel = clock.every(TICK_MS, () => {
      this.#spend();
    });
  }

  /** Bytes that doors have not taken yet. */
  get keptBytes(): number {
    return this.#lanes.reduce((sum, { bytes, writer }) => sum + bytes + writer.length, 0);
  }

  /** Turns the lanes of a door to another one. The process behind the old one must be gone. */
  turn(from: string, to: string): void {
    for (const lane of this.#lanes) if (lane.door === from) lane.door = to;
  }

  /** Whether some host's lines go to this door. */
  uses(door: string): boolean {
    return this.#lanes.some((lane) => lane.door === door);
  }

  /** Generates nothing more; resolves when doors have taken everything. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    return new Promise((resolve) => {
      this.#empty = resolve;
      this.#checkEmpty();
    });
  }

  /** Nothing is sent any more, whether taken or not. */
  abandon(): void {
    this.#stopped = true;
    this.#abandoned = true;
    this.#cancel();
  }

  #spend(): void {
    const { generator, linesPerSecond, clock } = this.#options;
    // The wall clock may step back; samples must not.
    const elapsedMs = Math.max(0, clock.epochMs() - this.#lastMs);
    this.#lastMs += elapsedMs;
    this.#credit = Math.min(this.#credit + (linesPerSecond * elapsedMs) / 1000, linesPerSecond * CREDIT_SECONDS_MAX);
    while (this.#credit > 0 && !this.#stopped) {
      const lane = this.#lanes[generator.nextHost % this.#lanes.length];
      if (lane === undefined || lane.bytes >= KEPT_BYTES_MAX) break;
      const lines = generator.writeBatch(lane.writer, this.#lastMs);
      this.#credit -= lines;
      lane.lines += lines;
      if (lane.writer.length >= CHUNK_BYTES) cut(lane);
    }
    for (const lane of this.#lanes) if (!lane.posting) void this.#send(lane);
  }

  /** Until the lane is empty. */
  async #send(lane: Lane): Promise<void> {
    lane.posting = true;
    for (cut(lane); lane.chunks.length > 0; cut(lane)) {
      const body = Buffer.concat(lane.chunks);
      const lines = lane.chunkLines;
      lane.chunks = [];
      lane.chunkLines = 0;
      while (!this.#abandoned && !(await this.#options.post(lane.door, body))) await delay(AGAIN_MS);
      if (this.#abandoned) return;
      lane.bytes -= body.length;
      this.linesSent += lines;
    }
    lane.posting = false;
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#stopped && this.#lanes.every((lane) => !lane.posting && lane.bytes + lane.writer.length === 0)) this.#empty?.();
  }
}

function cut(lane: Lane): void {
  if (lane.writer.length === 0) return;
  const chunk = lane.writer.take();
  lane.chunks.push(chunk);
  lane.chunkLines += lane.lines;
  lane.bytes += chunk.length;
  lane.lines = 0;
}

/** InfluxDB 2's way in, as Telegraf's outputs.influxdb_v2 posts. */
export async function postLines(door: string, body: Uint8Array): Promise<boolean> {
  try {
    const answer = await fetch(`${door}/api/v2/write?bucket=up`, { method: "POST", body, signal: AbortSignal.timeout(POST_TIMEOUT_MS) });
    await answer.arrayBuffer();
    return answer.status === 204;
  } catch {
    // Not there (any more): the lane keeps the body and its owner knows which processes live.
    return false;
  }
}

const POST_TIMEOUT_MS = 30_000;
