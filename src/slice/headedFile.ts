// The form of files that a process of a cluster leaves for the next one: what it is, a header in JSON, bytes that it speaks of.
//
//   8 bytes  u32 header bytes  header (JSON)  the rest
//
// That such a file is whole is proven by whoever reads it (store/atomicFile.ts).
import type * as z from "zod";
import { type Read, readJson } from "./wire.js";

/** `magic`: 8 characters. */
export function encodeHeaded(magic: string, header: unknown, rest: readonly Uint8Array[]): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  return Buffer.concat([Buffer.from(magic), size, text, ...rest]);
}

/** Whether these bytes begin as such a file does. */
export function isHeaded(magic: string, bytes: Uint8Array): boolean {
  return Buffer.from(magic).equals(bytes.subarray(0, magic.length));
}

/** Of bytes that isHeaded; `rest` points into them. */
export function decodeHeaded<T>(magic: string, bytes: Uint8Array, schema: z.ZodType<T>): Read<{ readonly header: T; readonly rest: Uint8Array }> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = magic.length + 4;
  const end = start + file.readUInt32LE(magic.length);
  const header = readJson(file.toString("utf8", start, end), schema);
  return header.ok ? { ok: true, value: { header: header.value, rest: bytes.subarray(end) } } : header;
}
