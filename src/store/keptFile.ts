// The file `checkpoint` in the --data of an aggregator of a cluster: its slices, and what it knew of the cluster.
//
//   headedFile.ts, "LIMPETK1": the rest is a snapshot (aggregate/snapshot.ts: every Part with its term, rows that no sink took)
//
// Version N reads N alone: what changes between versions is the snapshot, which has a version of its own.
import * as z from "zod";
import type { Assignment } from "../slice/assignment.js";
import { decodeAssignment, encodeAssignment } from "../slice/assignmentWire.js";
import { decodeHeaded, encodeHeaded, isHeaded } from "../slice/headedFile.js";
import { decodeRuleVersion, encodeRuleVersion, type RuleVersion } from "../slice/ruleVersion.js";
import type { Read } from "../slice/wire.js";

export interface Kept {
  readonly cluster: string;
  /** Id of the Resource that wrote it. */
  readonly from: string;
  /** ms. */
  readonly stoppedMs: number;
  /** The newest it knew: where batches go, and what a store that was lost had come to. */
  readonly assignment: Assignment;
  /** In force then, newest first. */
  readonly rules: readonly RuleVersion[];
  readonly snapshot: Uint8Array;
}

const MAGIC = "LIMPETK1";

const wire = z.object({
  cluster: z.string(),
  from: z.string(),
  stoppedMs: z.number(),
  assignment: z.string(),
  rules: z.array(z.string()),
});

export function encodeKept({ assignment, rules, snapshot, ...about }: Kept): Uint8Array {
  return encodeHeaded(MAGIC, { ...about, assignment: encodeAssignment(assignment), rules: rules.map(encodeRuleVersion) }, [snapshot]);
}

/** Whether these bytes begin as such a file does. */
export function isKept(bytes: Uint8Array): boolean {
  return isHeaded(MAGIC, bytes);
}

/** `bytes` were proven whole by their checksum (atomicFile.ts). */
export function decodeKept(bytes: Uint8Array): Read<Kept> {
  if (!isKept(bytes)) return { ok: false, error: "was not written by an aggregator with --assigner; start without --assigner, or remove the file" };
  const read = decodeHeaded(MAGIC, bytes, wire);
  if (!read.ok) return read;
  const { header, rest } = read.value;
  const assignment = decodeAssignment(header.assignment);
  if (!assignment.ok) return assignment;
  const rules: RuleVersion[] = [];
  for (const text of header.rules) {
    const version = decodeRuleVersion(text);
    if (!version.ok) return version;
    rules.push(version.value);
  }
  return { ok: true, value: { ...header, assignment: assignment.value, rules, snapshot: rest } };
}
