// Where text goes: a stream that exists (standard output), or a file that is appended to.
import { appendFile, closeSync, fstat, fstatSync, fsync, ftruncate, openSync } from "node:fs";
import type { Writable } from "node:stream";
import { promisify } from "node:util";
import type { TextOutput } from "./textSink.js";

// On descriptors, not FileHandles: those can only be made asynchronously, and a path that cannot be opened is a configuration error.
const append = promisify(appendFile);
const stat = promisify(fstat);
const sync = promisify(fsync);
const truncate = promisify(ftruncate);

/** Writes to a stream and never ends it. */
export function streamOutput(stream: Writable): TextOutput {
  // A closed pipe is reported to the write that meets it; without a listener the same error would end the process.
  const ignore = (): void => undefined;
  stream.on("error", ignore);
  return {
    write: (text) => new Promise((resolve, reject) => stream.write(text, (error) => (error ? reject(error) : resolve()))),
    close: async () => void stream.off("error", ignore),
  };
}

/** Appends to a file, made when absent; throws as openSync does. On disk for certain only after close(). */
export function fileOutput(path: string): TextOutput {
  const file = openSync(path, "a");
  const isFile = fstatSync(file).isFile();
  return {
    async write(text) {
      const { size } = await stat(file);
      try {
        await append(file, text);
      } catch (error) {
        // A full disk takes part of it: leave no half line behind.
        if (isFile) await truncate(file, size);
        throw error;
      }
    },
    async close() {
      if (isFile) await sync(file);
      closeSync(file);
    },
  };
}
