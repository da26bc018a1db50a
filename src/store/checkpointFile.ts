// The clean-stop checkpoint in a locked `--data` folder. It is good for exactly one start: taking it moves it aside, so that a
// process that dies later never comes back with state that was already sent on.
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { readAtomicFile, writeAtomicFile } from "./atomicFile.js";

const NAME = "checkpoint";
const TAKEN = "checkpoint.taken";

export interface CheckpointFile {
  take(): Promise<Uint8Array | undefined>;
  put(snapshot: Uint8Array): Promise<void>;
}

/** The checkpoint of `folder`, which the caller has locked. `warn` hears of a damaged one, which is kept aside and not used. */
export function checkpointFile(folder: string, warn: (message: string) => void): CheckpointFile {
  const path = join(folder, NAME);
  return {
    take: async () => {
      const result = await readAtomicFile(path);
      if (result.state === "missing") return undefined;
      await rename(path, join(folder, TAKEN));
      if (result.state === "ok") return result.bytes;
      warn(`${result.message}; starting without it (kept as ${join(folder, TAKEN)})`);
      return undefined;
    },
    put: (snapshot) => writeAtomicFile(path, snapshot),
  };
}
