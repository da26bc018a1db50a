// A router on disk: everything it keeps for owners, under its numbers, so that another process goes on as the same router (PROTOCOL P2:
// one counter per router incarnation or spool). Taken between two steps, with nothing open; what was under way then is sent again.
//
//   headedFile.ts, "LIMPETR1": the rest is the bodies of the batches, in their order
import * as z from "zod";
import { decodeHeaded, encodeHeaded, isHeaded } from "../slice/headedFile.js";
import type { KeyRange } from "../slice/keyRange.js";
import { isKeyRange, type Read } from "../slice/wire.js";
import { Lane } from "./lane.js";
import type { Batch, Retention } from "./retention.js";
import { Track } from "./track.js";

export interface SavedRouter {
  /** NAME.INCARNATION. */
  readonly router: string;
  /** The last number it gave. */
  readonly seq: number;
  /** Each once, by number. */
  readonly batches: readonly Pick<Batch, "seq" | "body" | "lines" | "oldestMs">[];
  readonly lanes: readonly { readonly address: string; readonly tracks: readonly SavedTrack[] }[];
}

interface SavedTrack {
  readonly ranges: readonly KeyRange[];
  /** [seq, prev] of every batch held. */
  readonly kept: readonly (readonly [number, number])[];
  readonly last: number;
  readonly acked: number;
  readonly durable: number;
  readonly parted: boolean;
  readonly openUntilMs: number;
}

export function saveLanes(router: string, seq: number, lanes: readonly Lane[]): SavedRouter {
  const batches = new Map<number, Batch>();
  const saved = lanes.map(({ address, tracks }) => ({
    address,
    tracks: tracks.map(({ ranges, kept, last, acked, durable, parted, openUntilMs }) => {
      for (const { batch } of kept) batches.set(batch.seq, batch);
      return { ranges, kept: kept.map(({ batch, prev }) => [batch.seq, prev] as const), last, acked, durable, parted, openUntilMs };
    }),
  }));
  return { router, seq, batches: [...batches.values()].toSorted((a, b) => a.seq - b.seq), lanes: saved };
}

/** The lanes as they were, nothing under way. */
export function openLanes(saved: SavedRouter, retention: Retention): Lane[] {
  const batches = new Map(saved.batches.map((batch) => [batch.seq, { ...batch, lanes: 0, flying: 0, fate: "kept" } satisfies Batch as Batch]));
  return saved.lanes.map(({ address, tracks }) => {
    const lane = new Lane(address, retention);
    for (const { ranges, kept, ...marks } of tracks) {
      const track = Object.assign(new Track(ranges, address), marks, { sent: marks.acked });
      for (const [seq, prev] of kept) {
        const batch = batches.get(seq);
        if (batch !== undefined) track.kept.push({ batch, prev });
      }
      lane.enter(track);
    }
    return lane;
  });
}

const MAGIC = "LIMPETR1";
const whole = z.int().min(0);
const wire = z.object({
  router: z.string().min(1).max(256),
  seq: whole,
  batches: z.array(z.object({ seq: whole, bytes: whole, lines: whole, oldestMs: z.number().nullable() })),
  lanes: z.array(
    z.object({
      address: z.string(),
      tracks: z.array(
        z.object({
          ranges: z.array(z.object({ low: z.number(), high: z.number() }).refine(isKeyRange, "not a key range")),
          kept: z.array(z.tuple([whole, whole])),
          last: whole,
          acked: whole,
          durable: whole,
          parted: z.boolean(),
          openUntilMs: z.number(),
        }),
      ),
    }),
  ),
});

export function encodeSavedRouter({ batches, ...saved }: SavedRouter): Uint8Array {
  const heads = batches.map(({ seq, body, lines, oldestMs }) => ({
    seq,
    bytes: body.length,
    lines,
    oldestMs: Number.isFinite(oldestMs) ? oldestMs : null,
  }));
  const bodies = batches.map(({ body }) => body);
  return encodeHeaded(MAGIC, { ...saved, batches: heads }, bodies);
}

/** `bytes` were proven whole by their checksum. */
export function decodeSavedRouter(bytes: Uint8Array): Read<SavedRouter> {
  if (!isHeaded(MAGIC, bytes)) return { ok: false, error: "no lines that a router keeps" };
  const read = decodeHeaded(MAGIC, bytes, wire);
  if (!read.ok) return read;
  const { header, rest } = read.value;
  let at = 0;
  const batches = header.batches.map(({ bytes: size, oldestMs, ...batch }) => {
    const body = new Uint8Array(rest.subarray(at, at + size));
    at += size;
    return { ...batch, body, oldestMs: oldestMs ?? Number.POSITIVE_INFINITY };
  });
  if (at !== rest.length) return { ok: false, error: "its bodies are shorter or longer than its header says" };
  return { ok: true, value: { ...header, batches } };
}
