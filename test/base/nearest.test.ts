import { expect, test } from "@jest/globals";
import { nearest } from "#limpet/base/nearest.js";

const words = ["interval", "outputs", "output_name", "by", "without", "match"];

test.each([
  ["intervall", "interval"],
  ["intreval", "interval"],
  ["Output-Name", "output_name"],
  ["output", "outputs"],
  ["outp", "outputs"],
  ["bye", "by"],
  ["zzz", undefined],
  ["", undefined],
  ["x".repeat(1000), undefined],
])("nearest: %s -> %s", (word, expected) => {
  expect(nearest(word, words)).toBe(expected);
});
