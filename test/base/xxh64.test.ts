import { expect, test } from "@jest/globals";
import { xxh64, xxh64Halves, xxh64Hex, xxh64High, xxh64Low } from "#limpet/base/xxh64.js";

// Published vectors of XXH64, seed 0 (the xxHash specification and python-xxhash).
test.each([
  ["", 0xef46db3751d8e999n],
  ["a", 0xd24ec4f1a98c6e5bn],
  ["abc", 0x44bc2cf5ad770999n],
])("xxh64: %j -> the published value, in every form", (text, expected) => {
  const bytes = new TextEncoder().encode(text);
  expect(xxh64(bytes)).toBe(expected);
  expect(BigInt(xxh64High(bytes))).toBe(expected >> 32n);
  expect(BigInt(xxh64Low(bytes))).toBe(expected & 0xffff_ffffn);
  const halves = new Uint32Array(3);
  xxh64Halves(bytes, halves, 1);
  expect([...halves]).toEqual([0, xxh64High(bytes), xxh64Low(bytes)]);
  expect(xxh64Hex(text)).toBe(expected.toString(16).padStart(16, "0"));
});
