// Plan: whatever our compressor writes, a library's decompressor (snappyjs) reads back, and what its compressor writes, ours does. Sizes
// around the fragment and the margin, input that repeats near, far and never, copies that overlap themselves. Beyond what compressors
// write: every kind of element the format has, in any order, against a model that takes one byte after the other.
import { expect, test } from "@jest/globals";
import { compress, uncompress } from "snappyjs";
import { compressSnappy, SnappyError, uncompressSnappy } from "#limpet/base/snappy.js";
import { seededRandom } from "../reference/seededRandom.js";

const FRAGMENT = 65_536;

/** Text of words drawn from `words`, cut to `bytes`. */
function textOf(bytes: number, words: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const list = Array.from({ length: words }, () => Math.floor(random() * 2 ** 40).toString(36));
  let text = "";
  while (text.length < bytes) text += `${list[Math.floor(random() * words)] ?? ""},`;
  return Buffer.from(text.slice(0, bytes));
}

function noise(bytes: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256));
}

const sizes = [0, 1, 4, 14, 15, 16, 17, 60, 61, 64, 65, 255, 256, 257, 1000, FRAGMENT - 1, FRAGMENT, FRAGMENT + 1, FRAGMENT + 15, 200_000];

test.each(sizes)("snappy: %i bytes of text, noise and zeroes -> the same bytes back", (size) => {
  for (const bytes of [textOf(size, 20, size + 1), textOf(size, 5000, size + 2), noise(size, size + 3), new Uint8Array(size)]) {
    const packed = compressSnappy(bytes);
    expect(Buffer.compare(uncompressSnappy(packed, size), bytes)).toBe(0);
    expect(Buffer.compare(uncompressSnappy(compress(bytes), size), bytes)).toBe(0);
    expect(Buffer.compare(uncompress(packed), bytes)).toBe(0);
    expect(packed.length).toBeLessThanOrEqual(32 + size + size / 6);
  }
});

test("snappy: runs of every length -> the same bytes back", () => {
  for (let run = 1; run < 140; run++) {
    const bytes = Buffer.from(`start${"ab".repeat(run)}middle of it${"x".repeat(run)}${"ab".repeat(run)}the end of all of it`);
    expect(Buffer.compare(uncompressSnappy(compressSnappy(bytes), bytes.length), bytes)).toBe(0);
  }
});

test("snappy: a view into a larger buffer -> its bytes alone; the one before is left as it is", () => {
  const whole = Buffer.from(textOf(5000, 20, 1));
  const first = compressSnappy(whole.subarray(100, 2000));
  const before = Buffer.from(first);
  compressSnappy(whole);
  expect(Buffer.compare(first, before)).toBe(0);
  expect(Buffer.compare(uncompressSnappy(first, 1900), whole.subarray(100, 2000))).toBe(0);
});

test("snappy: text that repeats -> a small part of it", () => {
  expect(compressSnappy(textOf(100_000, 20, 1)).length).toBeLessThan(35_000);
  expect(compressSnappy(new Uint8Array(100_000)).length).toBeLessThan(6000);
});

interface Stream {
  readonly packed: Buffer;
  readonly plain: Buffer;
}

/** Elements of every kind and length, and the bytes they make. */
function streamOf(seed: number): Stream {
  const random = seededRandom(seed);
  const upTo = (n: number): number => Math.floor(random() * n);
  const elements: Buffer[] = [];
  const plain: number[] = [];
  const little = (value: number, count: number): number[] => Array.from({ length: count }, (_, i) => (value >>> (8 * i)) & 255);
  for (let i = 0; i < 60; i++) {
    const kind = plain.length === 0 ? 0 : upTo(4);
    if (kind === 0) {
      const bytes = noise(1 + upTo([5, 20, 70, 300][upTo(4)] ?? 1), seed + i);
      const fits = bytes.length <= 60 ? 0 : bytes.length <= 256 ? 1 : 2;
      const extra = upTo(3) === 0 ? Math.max(fits, 1 + upTo(4)) : fits;
      elements.push(Buffer.from([(extra === 0 ? bytes.length - 1 : 59 + extra) << 2, ...little(bytes.length - 1, extra)]), Buffer.from(bytes));
      plain.push(...bytes);
      continue;
    }
    const back = 1 + upTo(Math.min(plain.length, kind === 1 ? 2047 : 65_535, [3, 8, 100, 65_535][upTo(4)] ?? 1));
    const length = kind === 1 ? 4 + upTo(8) : 1 + upTo(64);
    if (kind === 1) elements.push(Buffer.of(((back >>> 8) << 5) | ((length - 4) << 2) | 1, back & 255));
    else elements.push(Buffer.from([((length - 1) << 2) | kind, ...little(back, kind === 2 ? 2 : 4)]));
    for (let k = 0; k < length; k++) plain.push(plain[plain.length - back] ?? 0);
  }
  return { packed: Buffer.concat([lengthOf(plain.length), ...elements]), plain: Buffer.from(plain) };
}

function lengthOf(bytes: number): Buffer {
  return bytes < 128 ? Buffer.of(bytes) : Buffer.of((bytes & 127) | 128, bytes >> 7);
}

test("snappy: elements of every kind in any order -> the bytes they make; cut anywhere, or one more announced -> an error", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const { packed, plain } = streamOf(seed);
    expect(Buffer.compare(uncompressSnappy(packed, plain.length), plain)).toBe(0);
    const head = lengthOf(plain.length).length;
    for (let end = 0; end < packed.length; end += 1 + (seed % 7)) expect(() => uncompressSnappy(packed.subarray(0, end), 1e6)).toThrow(SnappyError);
    for (const off of [-1, 1]) {
      const wrong = Buffer.concat([lengthOf(plain.length + off), packed.subarray(head)]);
      expect(() => uncompressSnappy(wrong, 1e6)).toThrow(off < 0 ? "and holds more" : `and holds ${String(plain.length)}`);
    }
  }
});

test.each([
  ["a copy of what is not there yet", [4, 0x04, 1, 2, 0x09, 3], "a copy refers to nothing"],
  ["a copy of itself", [5, 0x00, 1, 0x01, 0], "a copy refers to nothing"],
  ["a copy from before 2^31", [8, 0x00, 1, 0x0f, 0xff, 0xff, 0xff, 0xff], "a copy refers to nothing"],
  ["30 bytes that announce 32 MiB", [0x80, 0x80, 0x80, 0x10, ...new Array<number>(26).fill(0)], "more than 30 can make"],
  ["a length of six bytes", [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], "its length header does not end"],
] as const)("snappy: %s -> SnappyError", (_what, bytes, message) => {
  expect(() => uncompressSnappy(Uint8Array.from(bytes), 1 << 25)).toThrow(message);
});
