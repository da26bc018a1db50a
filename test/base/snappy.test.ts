// Plan: whatever our compressor writes, the library's decompressor reads back, and the checks in front of it accept. Sizes around the
// fragment and the margin, input that repeats near, far and never, copies that overlap themselves.
import { expect, test } from "@jest/globals";
import { compressSnappy, uncompressSnappy } from "#limpet/base/snappy.js";
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
