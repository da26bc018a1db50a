// A file that is either the old one or the new one, whatever happens in between, and that proves it on reading.
//
//   file = payload, u64 XXH64 of the payload (little-endian)
//
// Write: PATH.tmp, fsync, rename over PATH, fsync of the folder. A crash leaves at most a PATH.tmp, which the next write
// replaces. One writer per path: the folder is locked (lock.ts).
import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import xxhash from "xxhash-wasm";
import { systemErrorCode } from "../base/systemError.js";

export type ReadResult =
  | { readonly state: "ok"; readonly bytes: Buffer }
  | { readonly state: "missing" }
  /** Cut short or changed since it was written. */
  | { readonly state: "corrupt"; readonly message: string };

const CHECKSUM_BYTES = 8;

/** Replaces the file at `path`. When this returns the bytes are on disk. Throws the system's error (ENOSPC, EACCES), and then the old file is untouched. */
export async function writeAtomicFile(path: string, payload: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const checksum = await checksumOf(payload);
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(payload);
      await file.writeFile(checksum);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Reads what writeAtomicFile wrote. Throws only what is neither "not there" nor "damaged" (EACCES, EISDIR). */
export async function readAtomicFile(path: string): Promise<ReadResult> {
  let file: Buffer;
  try {
    file = await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return { state: "missing" };
    throw error;
  }
  const payloadBytes = file.length - CHECKSUM_BYTES;
  if (payloadBytes < 0) return { state: "corrupt", message: `${path}: ${file.length} bytes are too few to hold a checksum` };
  const bytes = file.subarray(0, payloadBytes);
  if (!file.subarray(payloadBytes).equals(await checksumOf(bytes))) {
    return { state: "corrupt", message: `${path}: checksum does not match its ${payloadBytes} bytes` };
  }
  return { state: "ok", bytes };
}

async function checksumOf(payload: Uint8Array): Promise<Buffer> {
  const hasher = await xxhash();
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeBigUInt64LE(hasher.h64Raw(payload));
  return checksum;
}

/** Renames within a folder. When this returns the new name is on disk. */
export async function renameDurably(path: string, to: string): Promise<void> {
  await rename(path, to);
  await syncFolder(dirname(path));
}

/** The same before anything else happens in this process. */
export function renameDurablyNow(path: string, to: string): void {
  renameSync(path, to);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Makes the rename itself durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
