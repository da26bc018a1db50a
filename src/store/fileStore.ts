// `--store file:DIR`: an assigner's store in a folder that it locks.
//
//   DIR/assignment    the newest Assignment, as JSON    DIR/rules    the versions of the rules, as JSON    DIR/lock.*    who has it
//
// The lock keeps other processes out; the file is read again before every write all the same, because people restore folders from
// backups under running processes. A damaged file is set aside and counts as none: Slicelets know the Assignment too.
import { join } from "node:path";
import * as z from "zod";
import { type AssignerStore, isExpected } from "../assign/store.js";
import type { Assignment } from "../slice/assignment.js";
import { decodeAssignment, encodeAssignment } from "../slice/assignmentWire.js";
import { decodeRuleVersion, encodeRuleVersion, type RuleVersion } from "../slice/ruleVersion.js";
import { type Read, readJson } from "../slice/wire.js";
import { readAtomicFile, renameDurably, writeAtomicFile } from "./atomicFile.js";
import { lockFolder } from "./lock.js";

export type StoreResult = { readonly ok: true; readonly store: AssignerStore } | { readonly ok: false; readonly message: string };

/** Locks the folder, creating it if needed. `warn` hears of damaged files. Throws the system's error. */
export async function openFileStore(folder: string, warn: (message: string) => void): Promise<StoreResult> {
  const locked = await lockFolder(folder);
  if (!locked.ok) return { ok: false, message: locked.message };
  const paths = { assignment: join(folder, "assignment"), rules: join(folder, "rules") };
  const readFile = async <T>(path: string, decode: (text: string) => Read<T>): Promise<T | undefined> => {
    const file = await readAtomicFile(path);
    if (file.state === "missing") return undefined;
    const read: Read<T> = file.state === "ok" ? decode(Buffer.from(file.bytes).toString("utf8")) : { ok: false, error: file.message };
    if (read.ok) return read.value;
    await renameDurably(path, `${path}.damaged`);
    warn(`${path}: ${read.error}; going on without it (kept as ${path}.damaged)`);
    return undefined;
  };
  const read = (): Promise<Assignment | undefined> => readFile(paths.assignment, decodeAssignment);
  return {
    ok: true,
    store: {
      read,
      write: async (expected, assignment) => {
        const stored = await read();
        if (!isExpected(stored?.generation, expected)) return { ok: false, stored };
        await writeAtomicFile(paths.assignment, Buffer.from(encodeAssignment(assignment)));
        return { ok: true };
      },
      readRules: async () => (await readFile(paths.rules, decodeRules)) ?? [],
      writeRules: (versions) => writeAtomicFile(paths.rules, Buffer.from(JSON.stringify(versions.map(encodeRuleVersion)))),
      close: async () => {
        locked.lock.release();
      },
    },
  };
}

/** A list of encoded versions. */
function decodeRules(text: string): Read<readonly RuleVersion[]> {
  const list = readJson(text, z.array(z.string()));
  if (!list.ok) return list;
  const versions: RuleVersion[] = [];
  for (const item of list.value) {
    const version = decodeRuleVersion(item);
    if (!version.ok) return version;
    versions.push(version.value);
  }
  return { ok: true, value: versions };
}
