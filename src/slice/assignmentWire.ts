// Assignments as JSON (CONTRACT, Assigner): ids and addresses as texts, generations as `INC.NUM`, keys as decimal numbers.
import * as z from "zod";
import { type Assignment, assignmentFault } from "./assignment.js";
import { formatGeneration } from "./generation.js";
import { generationText, type Read, readJson } from "./wire.js";

const id = z.string().min(1).max(256);

const wire = z.object({
  generation: generationText,
  rules: z.string().max(64),
  slices: z
    .array(
      z.object({
        low: z.number(),
        high: z.number(),
        owner: id.nullable(),
        standby: id.nullable(),
        movingTo: id.nullable(),
        move: generationText.nullable(),
        term: generationText,
      }),
    )
    .max(1_000_000),
  resources: z
    .array(
      z.object({
        id,
        address: z.string().max(512),
        incarnation: z.string().max(64),
        state: z.enum(["running", "draining", "staying", "gone"]),
        load: z.number(),
      }),
    )
    .max(100_000),
});

export function encodeAssignment(assignment: Assignment): string {
  const { rules, resources } = assignment;
  const slices = assignment.slices.map(({ low, high, owner, standby, movingTo, move, term }) => {
    return { low, high, owner, standby, movingTo, move: move === null ? null : formatGeneration(move), term: formatGeneration(term) };
  });
  return JSON.stringify({ generation: formatGeneration(assignment.generation), rules, slices, resources });
}

/** An Assignment from outside, or what is wrong with it. */
export function decodeAssignment(text: string): Read<Assignment> {
  const read = readJson(text, wire);
  const fault = read.ok ? assignmentFault(read.value) : undefined;
  return fault === undefined ? read : { ok: false, error: fault };
}
