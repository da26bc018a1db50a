// Wrong input from right input: a seed of the corpus, changed in a few places by a seeded generator. What was found to break
// parsers is in the dictionary and among the numbers. No coverage guides it.
import type { Rng } from "#limpet/base/rng.js";

const BYTES_MAX = 65_536;
const BYTES = [0, 1, 9, 10, 13, 32, 34, 35, 39, 44, 45, 46, 47, 58, 61, 92, 123, 125, 127, 128, 192, 239, 255];
const NUMBERS = ["0", "-0", "-1", "255", "65536", "2147483647", "2147483648", "4294967295", "4294967296", "9007199254740993", "9223372036854775807"];
const MORE_NUMBERS = [
  "9223372036854775808",
  "18446744073709551616",
  "1e308",
  "1e309",
  "5e-324",
  "1e-999",
  "0x10",
  "NaN",
  "Inf",
  "0.1",
  "00",
  "1_000",
];
const TEXTS = [
  "\\",
  '\\"',
  "\\\n",
  "\r\n",
  "\u0000",
  "é",
  "\u2028",
  "😀",
  "\ud800",
  "%{HOME}",
  "__proto__",
  "constructor",
  "&a",
  "*a",
  "((((",
  "[[[[",
];

function pick<T>(rng: Rng, items: readonly T[]): T {
  const item = items[rng.int(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

type Change = (bytes: Buffer, at: number, rng: Rng) => Buffer;

function put(bytes: Buffer, at: number, inserted: Uint8Array, dropped = 0): Buffer {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + dropped)]);
}

const CHANGES: readonly Change[] = [
  (bytes, at, rng) => put(bytes, at, Uint8Array.of((bytes[at] ?? 0) ^ (1 << rng.int(8))), 1),
  (bytes, at, rng) => put(bytes, at, Uint8Array.of(pick(rng, BYTES)), 1),
  (bytes, at, rng) => put(bytes, at, Uint8Array.of(pick(rng, BYTES))),
  (bytes, at, rng) => put(bytes, at, Uint8Array.of(rng.int(256), rng.int(256), rng.int(256), rng.int(256)), rng.int(5)),
  (bytes, at, rng) => put(bytes, at, new Uint8Array(0), 1 + rng.int(16)),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, rng) => put(bytes, at, bytes.subarray(at, at + 1 + rng.int(64))),
  (bytes, at, rng) => put(bytes, at, Buffer.from(pick(rng, NUMBERS))),
  (bytes, at, rng) => put(bytes, at, Buffer.from(pick(rng, [...NUMBERS, ...MORE_NUMBERS])), rng.int(8)),
  (bytes, at, rng) => put(bytes, at, Buffer.from(pick(rng, TEXTS))),
  (bytes, at, rng) => put(bytes, at, Buffer.alloc(1 + rng.int(300), bytes[at] ?? 120)),
];

/** A new input; `seeds` is not empty. */
export function mutate(rng: Rng, seeds: readonly Buffer[]): Buffer {
  let bytes = pick(rng, seeds);
  if (rng.int(8) === 0) {
    const other = pick(rng, seeds);
    bytes = Buffer.concat([bytes.subarray(0, rng.int(bytes.length + 1)), other.subarray(rng.int(other.length + 1))]);
  }
  for (let left = 1 + rng.int(4); left > 0; left--) bytes = pick(rng, CHANGES)(bytes, rng.int(bytes.length + 1), rng);
  return Buffer.from(bytes.subarray(0, BYTES_MAX));
}
