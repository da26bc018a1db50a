// A clean-stop checkpoint in a locked `--data` folder. It is good for exactly one start:
//
//   put() ──▶ checkpoint ──read(), the engine has taken it──▶ discard() ──▶ checkpoint.taken (for people; no start reads it)
//
// A start discards it before the first row leaves, so that a process that dies later never comes back with state that was
// already sent on. A start that cannot use it (another version, too little memory) ends before that and leaves it as it is.
import { join } from "node:path";
import { readAtomicFile, renameDurably, renameDurablyNow, writeAtomicFile } from "./atomicFile.js";

export interface CheckpointFile {
  /** The last clean stop's bytes; undefined when there is none, or only a damaged one, which is set aside. */
  read(): Promise<Uint8Array | undefined>;
  /** What read() gave is in use: no later start may read it. */
  discard(): Promise<void>;
  /** The same without waiting: for who must not go on before, not even to the next event. */
  discardNow(): void;
  /** Throws the system's error (ENOSPC, EACCES). */
  put(snapshot: Uint8Array): Promise<void>;
}

/** The checkpoint `name` of `folder`, which the caller has locked. `warn` hears of a damaged one. */
export function checkpointFile(folder: string, warn: (message: string) => void, name = "checkpoint"): CheckpointFile {
  const path = join(folder, name);
  const taken = `${path}.taken`;
  return {
    read: async () => {
      const result = await readAtomicFile(path);
      if (result.state === "ok") return result.bytes;
      if (result.state === "missing") return undefined;
      const aside = `${path}.damaged`;
      await renameDurably(path, aside);
      warn(`${result.message}; starting without the state of the last stop (the file is kept as ${aside})`);
      return undefined;
    },
    discard: () => renameDurably(path, taken),
    discardNow: () => {
      renameDurablyNow(path, taken);
    },
    put: (snapshot) => writeAtomicFile(path, snapshot),
  };
}
