// Runs the real vmagent on a rule file and takes its rows. vmagent aggregates by arrival in windows of the wall clock and knows a
// sample's own time only where it orders samples, so the batch of window k is posted in the middle of window k:
//
//   start   edge 0 (its first flush is dropped)   edge 1        edge 2
//     │      │────── batch 0 ──────│────── batch 1 ──────│ ...     rows of batch k are flushed at edge k + 1
//
// A batch that could not be posted well within its window fails the run rather than the comparison.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { uncompressSnappy } from "#limpet/base/snappy.js";
import { decodeWriteRequest } from "#limpet/metric/remoteWriteDecode.js";
import type { Row } from "#limpet/metric/rowBlock.js";
import { startMeasured } from "../../bench/measured.js";

/** Where in a window its batch is posted, and how much must be left of it afterwards. */
const POST_AT = 0.3;
const LEFT_MIN = 0.2;
const BODY_BYTES_MAX = 32 * 1024 * 1024;

export interface VmagentRun {
  readonly binary: string;
  readonly rules: string;
  readonly intervalMs: number;
  /** Line protocol per window, given the window's start. */
  readonly batches: readonly ((windowMs: number) => string)[];
}

export interface VmagentRows {
  /** Start of the first batch's window. */
  readonly startMs: number;
  /** What was posted. */
  readonly lines: readonly string[];
  /** Timestamps rounded to the edge they were flushed at. */
  readonly rows: readonly Row[];
}

interface Sink {
  readonly url: string;
  readonly rows: Row[];
  close(): Promise<void>;
}

async function openSink(intervalMs: number): Promise<Sink> {
  const rows: Row[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      for (const { labels, samples } of decodeWriteRequest(uncompressSnappy(Buffer.concat(parts), BODY_BYTES_MAX))) {
        const { __name__: name = "", ...rest } = Object.fromEntries(labels);
        for (const { timestamp, value } of samples)
          rows.push({ name, labels: rest, timestamp: Math.round(timestamp / intervalMs) * intervalMs, value });
      }
      response.writeHead(204).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A TCP server's address is never a string (that is for pipes).
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${String(port)}/api/v1/write`, rows, close };
}

/** Posts each batch in its window; resolves soon after the last one's flush. */
async function postAll({ batches, intervalMs }: VmagentRun, port: string): Promise<{ startMs: number; lines: string[] }> {
  const startMs = (Math.floor(Date.now() / intervalMs) + 1) * intervalMs;
  const lines: string[] = [];
  for (const [k, batch] of batches.entries()) {
    const windowMs = startMs + k * intervalMs;
    await delay(windowMs + intervalMs * POST_AT - Date.now());
    const text = batch(windowMs);
    lines.push(text);
    if (text === "") continue;
    const response = await fetch(`http://127.0.0.1:${port}/write`, { method: "POST", body: text });
    if (!response.ok) throw new Error(`POST /write answered ${String(response.status)}`);
    const leftMs = windowMs + intervalMs - Date.now();
    if (leftMs < intervalMs * LEFT_MIN)
      throw new Error(`batch ${String(k)} was posted ${String(leftMs)} ms before its window's end: this machine is too busy`);
  }
  await delay(startMs + batches.length * intervalMs + intervalMs * POST_AT - Date.now());
  return { startMs, lines };
}

/** Throws when vmagent does not start or refuses the rules, with its own last words. */
export async function runVmagent(run: VmagentRun): Promise<VmagentRows> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "limpet-vmagent-"));
  const sink = await openSink(run.intervalMs);
  try {
    const rules = path.join(folder, "rules.yaml");
    await writeFile(rules, run.rules);
    const child = startMeasured({
      command: run.binary,
      args: [
        "-httpListenAddr=127.0.0.1:0",
        `-remoteWrite.url=${sink.url}`,
        `-remoteWrite.tmpDataPath=${path.join(folder, "queue")}`,
        "-remoteWrite.forcePromProto",
        `-streamAggr.config=${rules}`,
        "-streamAggr.dropInput=true",
      ],
    });
    try {
      const [, port = ""] = await child.logged(/started server at http:\/\/127\.0\.0\.1:(\d+)/);
      const posted = await postAll(run, port);
      child.terminate();
      await child.ended;
      return { ...posted, rows: sink.rows };
    } finally {
      child.terminate();
      await child.ended.catch(() => undefined);
    }
  } finally {
    await sink.close();
    await rm(folder, { recursive: true, force: true });
  }
}
