// A batch and its answer as HTTP carries them (CONTRACT, Router -> owner): the head in headers, ranges decimal, generations as `INC.NUM`.
import * as z from "zod";
import { type BatchHead, formatBatchRanges, parseBatchRanges, type RangeAnswer } from "./batch.js";
import { formatGeneration, type Generation, parseGeneration } from "./generation.js";
import { generationText, isKeyRange, type Read, readJson } from "./wire.js";

/** Path of the door; the body is line protocol. */
export const BATCH_PATH = "/api/v1/batch";

/** `generation`: the newest one the router knows, as gossip. */
export function batchHeaders(head: BatchHead, generation: Generation): Record<string, string> {
  return {
    "limpet-router": head.router,
    "limpet-seq": String(head.seq),
    "limpet-slices": formatBatchRanges(head.ranges),
    "limpet-stated": String(head.statedMs),
    "limpet-rules": head.rules,
    "limpet-generation": formatGeneration(generation),
    "limpet-cluster": head.cluster,
  };
}

export interface ReceivedHead {
  readonly head: BatchHead;
  readonly generation: Generation;
}

/** Reads the headers of a batch; an error names the header. */
export function readBatchHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Read<ReceivedHead> {
  const text = (name: string): string => {
    const value = headers[name];
    return typeof value === "string" ? value : "";
  };
  const router = text("limpet-router");
  if (!/^[\w:-][\w.:-]{0,126}\.[\w-]{1,64}$/.test(router)) return { ok: false, error: "limpet-router: NAME.INCARNATION is wanted" };
  const seq = wholeNumber(text("limpet-seq"));
  if (seq === undefined) return { ok: false, error: "limpet-seq: a number is wanted" };
  const statedMs = wholeNumber(text("limpet-stated"));
  if (statedMs === undefined) return { ok: false, error: "limpet-stated: a time in ms is wanted" };
  const ranges = parseBatchRanges(text("limpet-slices"));
  if (typeof ranges === "string") return { ok: false, error: ranges };
  const generation = parseGeneration(text("limpet-generation"));
  if (generation === undefined) return { ok: false, error: "limpet-generation: INC.NUM is wanted" };
  const [rules, cluster] = [text("limpet-rules"), text("limpet-cluster")];
  if (rules.length > 64 || cluster.length > 256) return { ok: false, error: "limpet-rules or limpet-cluster is too long" };
  return { ok: true, value: { head: { router, seq, ranges, statedMs, rules, cluster }, generation } };
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** What an owner says of a batch. */
export interface BatchAnswer {
  /** The newest one the owner knows. */
  readonly generation: Generation;
  readonly ranges: readonly RangeAnswer[];
}

const answerWire = z.object({
  generation: generationText,
  ranges: z
    .array(
      z
        .object({
          low: z.number(),
          high: z.number(),
          answer: z.enum(["applied", "duplicate", "gap", "elsewhere", "wait"]),
          applied: z.int().min(0),
          durable: z.int().min(0),
          owner: z.string().max(512).nullable(),
        })
        .refine(isKeyRange, "not a key range"),
    )
    .max(65_536),
});

export function encodeBatchAnswer({ generation, ranges }: BatchAnswer): string {
  return JSON.stringify({ generation: formatGeneration(generation), ranges });
}

export function decodeBatchAnswer(text: string): Read<BatchAnswer> {
  return readJson(text, answerWire);
}
