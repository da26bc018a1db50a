// Plan: the 78 inputs that tell line-protocol parsers apart. `as` says whose result is expected: "both", "telegraf" where only it
// accepts (or values differ), "reference" where only line-protocol/v2 accepts. Each also cut at every byte.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { resultsOf, splitDifferences } from "./lineText.js";

interface Vector {
  id: number;
  input: string;
  expect: string;
  as: string;
}

// Our own fixture, of this shape.
const vectors = JSON.parse(readFileSync(new URL("../fixtures/line-vectors.json", import.meta.url), "utf8")) as Vector[];

test("vectors: the fixture -> all 78", () => {
  expect(vectors.map(({ id }) => id)).toEqual(Array.from({ length: 78 }, (_, i) => i + 1));
});

describe("vectors: each input -> its result, however it is cut", () => {
  test.each(vectors)("$id $as: $expect", ({ input, expect: expected }) => {
    const bytes = Buffer.from(input, "latin1");
    expect(resultsOf([bytes]).join(" ; ")).toBe(expected);
    expect(splitDifferences(bytes)).toEqual([]);
  });
});
