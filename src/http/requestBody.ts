// The body of a request, bounded twice: each by itself, and all that are held at one time together, so that a thousand senders
// cannot fill the memory. A sender that is turned away for the second reason may come again.
import type { IncomingMessage } from "node:http";

/** Bytes all requests may hold together. */
export class BodyBudget {
  readonly bytesMax: number;
  /** Invariant: 0 <= bytes <= bytesMax. */
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** False: full. */
  take(bytes: number): boolean {
    if (this.bytes + bytes > this.bytesMax) return false;
    this.bytes += bytes;
    return true;
  }
}

export type BodyResult = { readonly ok: true; readonly body: Buffer } | { readonly ok: false; readonly reason: "too_large" | "full" };

/** The whole body; what it holds of `budget` the caller gives back. Throws when the client goes away, holding nothing. */
export async function readBody(request: IncomingMessage, bytesMax: number, budget: BodyBudget): Promise<BodyResult> {
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > bytesMax) return { ok: false, reason: "too_large" };
  if (budget.bytes + announced > budget.bytesMax) return { ok: false, reason: "full" };
  const chunks: Buffer[] = [];
  let bytes = 0;
  let complete = false;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      if (!(chunk instanceof Buffer)) continue;
      if (bytes + chunk.length > bytesMax) return { ok: false, reason: "too_large" };
      if (!budget.take(chunk.length)) return { ok: false, reason: "full" };
      bytes += chunk.length;
      chunks.push(chunk);
    }
    complete = true;
    return { ok: true, body: Buffer.concat(chunks, bytes) };
  } finally {
    if (!complete) budget.bytes -= bytes;
  }
}
