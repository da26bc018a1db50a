// What two Slicelets say to each other in a move (PROTOCOL P6): numbered copies, then go. Both may be lost, doubled or late.
import * as z from "zod";
import { formatGeneration, type Generation } from "../slice/generation.js";
import type { KeyRange } from "../slice/keyRange.js";
import { generationText, isKeyRange, type Read, readJson } from "../slice/wire.js";

/** Stands before the bytes of a copy. */
export interface CopyHead extends KeyRange {
  /** Id of the owner who sends it. */
  readonly from: string;
  /** Id of the incarnation it is meant for: another one at that address has none of the earlier copies. */
  readonly to: string;
  readonly move: Generation;
  /** From 1, never used twice in a move. */
  readonly number: number;
  /** The whole state; else what changed since the number before. */
  readonly full: boolean;
  /** The owner is frozen: install it. */
  readonly final: boolean;
}

/**
 * stored: go on. send_full: the base is missing, a full one next. installed: say go.
 * serving: go was heard already. refused: this move is dead, or the incarnation is another one.
 */
export type CopyAnswer = "stored" | "send_full" | "installed" | "serving" | "refused";

export interface Go extends KeyRange {
  readonly from: string;
  readonly to: string;
  readonly move: Generation;
}

/** unknown: it has no such state (any more). */
export type GoAnswer = "serving" | "unknown";

const id = z.string().min(1).max(256);
const shape = { low: z.number(), high: z.number(), from: id, to: id, move: generationText };
const copyWire = z.object({ ...shape, number: z.int().min(1), full: z.boolean(), final: z.boolean() }).refine(isKeyRange, "not a key range");
const goWire = z.object(shape).refine(isKeyRange, "not a key range");
const copyAnswerWire = z.object({ answer: z.enum(["stored", "send_full", "installed", "serving", "refused"]) });
const goAnswerWire = z.object({ answer: z.enum(["serving", "unknown"]) });

/** The header `limpet-copy`. */
export function encodeCopyHead(head: CopyHead): string {
  return JSON.stringify({ ...head, move: formatGeneration(head.move) });
}

export function decodeCopyHead(text: string): Read<CopyHead> {
  return readJson(text, copyWire);
}

export function encodeGo(go: Go): string {
  return JSON.stringify({ ...go, move: formatGeneration(go.move) });
}

export function decodeGo(text: string): Read<Go> {
  return readJson(text, goWire);
}

export function decodeCopyAnswer(text: string): Read<{ readonly answer: CopyAnswer }> {
  return readJson(text, copyAnswerWire);
}

export function decodeGoAnswer(text: string): Read<{ readonly answer: GoAnswer }> {
  return readJson(text, goAnswerWire);
}
