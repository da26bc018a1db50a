// Writes a generator's batches into a stream at a steady pace, as an agent that keeps up would.
//
// Credit (in lines) grows with time and is spent batch by batch. When the stream says "full" the pump waits for `drain`,
// as Telegraf does on a full pipe, and credit stops growing at one second's worth: a slow reader lowers the rate, it
// never builds up a backlog here. Batches are joined into chunks of up to CHUNK_BYTES to save writes.
import type { Writable } from "node:stream";
import type { LoadGenerator } from "./generator.js";
import { LineWriter } from "./lineWriter.js";

const TICK_MS = 20;
const CHUNK_BYTES = 64 * 1024;
const CREDIT_SECONDS_MAX = 1;

export interface PumpClock {
  /** Milliseconds since the epoch, for the samples. */
  epochMs(): number;
  /** Calls `tick` every `everyMs`; returns what stops it. */
  every(everyMs: number, tick: () => void): () => void;
}

export interface Pump {
  /** Lines handed to the stream so far. */
  linesSent(): number;
  /** Times the stream was full. */
  waits(): number;
  /** Sends nothing more; the stream stays open. */
  stop(): void;
}

export const systemClock: PumpClock = {
  epochMs: () => Date.now(),
  every: (everyMs, tick) => {
    const timer = setInterval(tick, everyMs);
    return () => {
      clearInterval(timer);
    };
  },
};

/** @param linesPerSecond above 0. The caller handles the stream's errors. */
export function startPump(generator: LoadGenerator, out: Writable, linesPerSecond: number, clock: PumpClock): Pump {
  const writer = new LineWriter(CHUNK_BYTES + 32 * 1024);
  let lastMs = clock.epochMs();
  let credit = 0;
  let sent = 0;
  let waits = 0;
  let full = false;
  let stopped = false;

  const spend = (): void => {
    const nowMs = clock.epochMs();
    // The wall clock may step back; samples must not.
    const elapsedMs = Math.max(0, nowMs - lastMs);
    lastMs += elapsedMs;
    credit = Math.min(credit + (linesPerSecond * elapsedMs) / 1000, linesPerSecond * CREDIT_SECONDS_MAX);
    while (credit > 0 && !full && !stopped && out.writable) {
      const lines = generator.writeBatch(writer, lastMs);
      credit -= lines;
      sent += lines;
      if (writer.length >= CHUNK_BYTES || credit <= 0) full = !out.write(writer.take());
    }
    if (full) waits++;
  };

  const onDrain = (): void => {
    full = false;
    spend();
  };
  out.on("drain", onDrain);
  const cancel = clock.every(TICK_MS, () => {
    if (!full) spend();
  });
  return {
    linesSent: () => sent,
    waits: () => waits,
    stop: () => {
      stopped = true;
      cancel();
      out.off("drain", onDrain);
    },
  };
}
