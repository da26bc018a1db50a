// Assignments as JSON (CONTRACT, Assigner): ids and addresses as texts, generations as `INC.NUM`, keys as decimal numbers.
import * as z from "zod";
import { type Assignment, assignmentFault } from "./assignment.js";
import { formatGeneration, parseGeneration } from "./generation.js";

const generation = z.string().transform((text, context) => {
  const parsed = parseGeneration(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "not a generation (INC.NUM)" });
  return z.NEVER;
});

const id = z.string().min(1).max(256);

const wire = z.object({
  generation,
  rules: z.string().max(64),
  slices: z
    .array(
      z.object({
        low: z.number(),
        high: z.number(),
        owner: id.nullable(),
        standby: id.nullable(),
        movingTo: id.nullable(),
        move: generation.nullable(),
        term: generation,
      }),
    )
    .max(1_000_000),
  resources: z
    .array(
      z.object({
        id,
        address: z.string().max(512),
        incarnation: z.string().max(64),
        state: z.enum(["running", "draining", "gone"]),
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
export function decodeAssignment(
  text: string,
): { readonly ok: true; readonly assignment: Assignment } | { readonly ok: false; readonly error: string } {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : "not JSON" };
  }
  const parsed = wire.safeParse(document);
  if (!parsed.success) return { ok: false, error: z.prettifyError(parsed.error) };
  const fault = assignmentFault(parsed.data);
  return fault === undefined ? { ok: true, assignment: parsed.data } : { ok: false, error: fault };
}
