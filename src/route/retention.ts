// What a router keeps until it is durable: numbered batches, and how many bytes of them. A batch is one object however many
// Tracks hold it; its bytes count once in each lane that does, and once in all.
import type { Lane } from "./lane.js";

/** A sealed and numbered piece of a lane. Its number, body and ranges never change. */
export interface Batch {
  readonly seq: number;
  /** Line protocol. */
  readonly body: Uint8Array;
  readonly lines: number;
  /** Oldest event time in it, ms; Infinity: none that counts. */
  readonly oldestMs: number;
  /** Lanes that hold it. Written by Retention. */
  lanes: number;
  /** Requests that carry it now. Written by the router. */
  flying: number;
  /** kept: held. unprotected: applied, but given up before it was durable. lost: given up before anyone applied it. */
  fate: "kept" | "unprotected" | "lost";
}

/** What a batch costs beside its body. */
const OVERHEAD_BYTES = 256;

/** Above this part of the cap, lanes that hold more than their share give up what they have. */
const PRESSURE = 7 / 8;
/** Above this part, new input is refused. */
const FULL = 15 / 16;

export function costOf(batch: Batch): number {
  return batch.body.length + OVERHEAD_BYTES;
}

export class Retention {
  readonly bytesMax: number;
  /** Bytes of numbered batches, and of lines that wait to be sealed. */
  bytes = 0;
  batchesUnprotected = 0;
  /** No longer held, although nobody had said that it is applied. Those that no request under way delivers are `lost`. */
  batchesGivenUp = 0;
  batchesLost = 0;
  linesLost = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** New input is to be refused: the sender still has it. */
  get full(): boolean {
    return this.bytes >= this.bytesMax * FULL;
  }

  /** A first or further lane holds the batch. */
  add(batch: Batch): void {
    if (batch.lanes++ === 0) this.bytes += costOf(batch);
  }

  remove(batch: Batch): void {
    if (--batch.lanes === 0) this.bytes -= costOf(batch);
  }

  /**
   * Memory runs short: of the lanes above their fair share, first what is applied loses its protection against a crash, then
   * the oldest is lost. A lane within its share loses nothing, however slow the others are.
   */
  relieve(lanes: readonly Lane[]): void {
    const share = this.bytesMax / Math.max(1, lanes.length);
    const short = (): boolean => this.bytes > this.bytesMax * PRESSURE;
    for (const lane of lanes) while (short() && lane.bytes > share && this.#unprotect(lane));
    for (const lane of lanes) while (short() && lane.bytes > share && this.#lose(lane));
  }

  /** Gives up the oldest applied batch of a lane. False: it holds none. */
  #unprotect(lane: Lane): boolean {
    let oldest: Batch | undefined;
    for (const { kept, acked } of lane.tracks) {
      const first = kept[0]?.batch;
      if (first !== undefined && first.seq <= acked && (oldest === undefined || first.seq < oldest.seq)) oldest = first;
    }
    if (oldest === undefined) return false;
    for (const track of lane.tracks) if (track.kept[0]?.batch === oldest && oldest.seq <= track.acked) lane.dropFirst(track);
    if (oldest.fate === "kept") {
      oldest.fate = "unprotected";
      this.batchesUnprotected++;
    }
    return true;
  }

  /** Gives up the oldest batch of a lane, applied or not. False: it holds none. */
  #lose(lane: Lane): boolean {
    let oldest: Batch | undefined;
    for (const { kept } of lane.tracks) {
      const first = kept[0]?.batch;
      if (first !== undefined && (oldest === undefined || first.seq < oldest.seq)) oldest = first;
    }
    if (oldest === undefined) return false;
    // The smallest number of the lane stands first wherever it is held, so what stays has no hole.
    for (const track of lane.tracks) if (track.kept[0]?.batch === oldest) lane.dropFirst(track);
    if (oldest.fate === "lost") return true;
    oldest.fate = "lost";
    this.batchesGivenUp++;
    // A request that is under way may still deliver it: then it is counted when that is known.
    if (oldest.flying === 0) this.countLost(oldest);
    return true;
  }

  countLost({ lines }: Batch): void {
    this.batchesLost++;
    this.linesLost += lines;
  }
}
