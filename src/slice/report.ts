// What a Slicelet tells the assigner with every heartbeat (POST /api/v1/heartbeat), and what it hears back. It is all the
// assigner ever learns: it may be restarted with an empty store and knows everything again one lease later.
import * as z from "zod";
import { formatGeneration, type Generation } from "./generation.js";
import type { KeyRange } from "./keyRange.js";
import { generationText, isKeyRange, type Read, readJson } from "./wire.js";

/** A Slice it serves, with what that costs. */
export interface ServedSlice extends KeyRange {
  readonly term: Generation;
  /** (sample, rule) pairs per second, smoothed. */
  readonly rate: number;
  /** Bytes of state. */
  readonly bytes: number;
  /** SliceKeys that take most of the rate, with their share of this Slice's (0..1); at most 8. Cuts are made around them. */
  readonly top: readonly (readonly [key: number, share: number])[];
}

/** A move or copy by its number: the Generation that published the move, or the term the copy is of. */
export interface NumberedRange extends KeyRange {
  readonly number: Generation;
}

/** staying: it stops and comes back in place, with its state on disk. */
export type ReportedState = "running" | "draining" | "staying";

export interface Report {
  readonly cluster: string;
  readonly id: string;
  readonly address: string;
  readonly incarnation: string;
  readonly state: ReportedState;
  /** Newest Generation it has seen. */
  readonly generation: Generation;
  /** Share of one core it is busy. */
  readonly load: number;
  readonly serves: readonly ServedSlice[];
  /** The owner's word: handed on for good in that move. Repeated until an Assignment says so. */
  readonly moved: readonly NumberedRange[];
  /** The owner's word: that move number is dead. Repeated until an Assignment says so. */
  readonly aborted: readonly NumberedRange[];
  /** State of earlier incarnations that lies in its --data, by term. Granted by an Assignment that names it owner in that very term. */
  readonly offers: readonly NumberedRange[];
}

export interface ReportAnswer {
  /** The assigner's. */
  readonly generation: Generation;
  /** The reporter's is newer: it shall PUT the Assignment it knows to /api/v1/assignment. */
  readonly wantsAssignment: boolean;
}

const finite = z.number().min(0);

const numbered = z
  .array(z.object({ low: z.number(), high: z.number(), number: generationText }).refine(isKeyRange, "not a key range"))
  .max(1_000_000);

const wire = z.object({
  cluster: z.string().max(256),
  id: z.string().min(1).max(256),
  address: z.string().min(1).max(512),
  incarnation: z.string().min(1).max(64),
  state: z.enum(["running", "draining", "staying"]),
  generation: generationText,
  load: finite,
  serves: z
    .array(
      z
        .object({
          low: z.number(),
          high: z.number(),
          term: generationText,
          rate: finite,
          bytes: finite,
          top: z.array(z.tuple([finite, finite])).max(8),
        })
        .refine(isKeyRange, "not a key range"),
    )
    .max(1_000_000),
  moved: numbered,
  aborted: numbered,
  offers: numbered,
});

const answerWire = z.object({ generation: generationText, wantsAssignment: z.boolean() });

export function encodeReport(report: Report): string {
  const number = ({ low, high, number: of }: NumberedRange) => ({ low, high, number: formatGeneration(of) });
  return JSON.stringify({
    ...report,
    generation: formatGeneration(report.generation),
    serves: report.serves.map((slice) => ({ ...slice, term: formatGeneration(slice.term) })),
    moved: report.moved.map(number),
    aborted: report.aborted.map(number),
    offers: report.offers.map(number),
  });
}

export function decodeReport(text: string): Read<Report> {
  return readJson(text, wire);
}

export function encodeReportAnswer(answer: ReportAnswer): string {
  return JSON.stringify({ ...answer, generation: formatGeneration(answer.generation) });
}

export function decodeReportAnswer(text: string): Read<ReportAnswer> {
  return readJson(text, answerWire);
}
