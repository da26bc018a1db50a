// A version of the rule files, as the assigner hands it to everybody (GET /api/v1/rules). Routers and owners alike go over to it per
// rule, at its first window that starts at or after `activeFromMs` (event time).
import * as z from "zod";
import { xxh64Hex } from "../base/xxh64.js";
import { type Read, readJson } from "./wire.js";

export interface RuleVersion {
  /** ruleHash(); what Assignments and batches name it by. */
  readonly hash: string;
  /** Event time, ms since the epoch; 0: from the beginning. */
  readonly activeFromMs: number;
  /** Hash of the version before it; undefined: none, or nobody knows it any more. */
  readonly previous?: string | undefined;
  /** In their order. `%{NAME}` stands for nothing any more: the assigner has put in what its environment says. */
  readonly files: readonly RuleFileText[];
}

export interface RuleFileText {
  readonly path: string;
  readonly text: string;
}

/** How a SliceKey is made of a group is part of what rules mean. */
const KEY_FUNCTION = "xxh64/1";

/** The files and since when they hold: going back to files of before is another version. */
export function ruleHash({ activeFromMs, files }: Pick<RuleVersion, "activeFromMs" | "files">): string {
  return xxh64Hex(JSON.stringify([KEY_FUNCTION, activeFromMs, ...files.map(({ path, text }) => [path, text])]));
}

const wire = z
  .object({
    hash: z.string().max(64),
    activeFromMs: z.number(),
    previous: z.string().max(64).optional(),
    files: z.array(z.object({ path: z.string().max(4096), text: z.string() })).max(10_000),
  })
  .refine((version) => ruleHash(version) === version.hash, "the hash is not that of the files and their time");

export function encodeRuleVersion({ hash, activeFromMs, previous, files }: RuleVersion): string {
  return JSON.stringify({ hash, activeFromMs, previous, files });
}

export function decodeRuleVersion(text: string): Read<RuleVersion> {
  return readJson(text, wire);
}
