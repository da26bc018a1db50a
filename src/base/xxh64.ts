// XXH64 (seed 0), the one hash of ids and keys that leave a process: published test vectors, the same in every language.
// A thin layer over xxhash-wasm, instantiated once when this module loads.
import xxhash from "xxhash-wasm";

const api = await xxhash();
const encoder = new TextEncoder();
/** One hash as the library yields it, and the same eight bytes as two halves (little-endian, as every platform of Node is). */
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);

/** The 64-bit hash of the bytes. */
export function xxh64(bytes: Uint8Array): bigint {
  return api.h64Raw(bytes);
}

/** The upper 32 bits of xxh64, unsigned. (The library yields a bigint; it does not outlive the call.) */
export function xxh64High(bytes: Uint8Array): number {
  return Number(api.h64Raw(bytes) >> 32n);
}

/** The lower 32 bits of xxh64, unsigned. */
export function xxh64Low(bytes: Uint8Array): number {
  return Number(api.h64Raw(bytes) & 0xffff_ffffn);
}

/** Writes both halves, unsigned: `[high, low]` at `into[at]`, `into[at + 1]`. One hash, no allocation kept. */
export function xxh64Halves(bytes: Uint8Array, into: Uint32Array, at: number): void {
  whole[0] = api.h64Raw(bytes);
  into[at] = halves[1] ?? 0;
  into[at + 1] = halves[0] ?? 0;
}

/** 16 lower-case hex digits of the hash of the text's UTF-8. */
export function xxh64Hex(text: string): string {
  return api.h64Raw(encoder.encode(text)).toString(16).padStart(16, "0");
}
