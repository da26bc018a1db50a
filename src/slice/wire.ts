// What the JSON messages of slice/ share: generations as texts, ranges that are ranges, and reading JSON that may be anything.
import * as z from "zod";
import { parseGeneration } from "./generation.js";
import { parseKeyRange } from "./keyRange.js";

/** `INC.NUM`. */
export const generationText = z.string().transform((text, context) => {
  const parsed = parseGeneration(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "not a generation (INC.NUM)" });
  return z.NEVER;
});

/** For `refine`: whether `low` and `high` make a range. */
export function isKeyRange({ low, high }: { readonly low: number; readonly high: number }): boolean {
  return parseKeyRange(low, high) !== undefined;
}

/** What a text says by a schema, or what is wrong with it. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

export function readJson<T>(text: string, schema: z.ZodType<T>): Read<T> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : "not JSON" };
  }
  const parsed = schema.safeParse(document);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, error: z.prettifyError(parsed.error) };
}
