import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { regexNeeds } from "#limpet/metric/regexNeeds.js";

test.each([
  ["abc", ["abc"]],
  [".*_total", ["_total"]],
  ["(?:foo|bar)_.*_total", ["_total"]],
  ["http_(?:foo|bar).*", ["http_foo", "http_bar"]],
  [".*(foo|quux).*", ["foo", "quux"]],
  ["a.*bcd?", ["bc"]],
  ["[abc]def[xyz]gh", ["def"]],
  ["a\\.b\\.c", ["a.b.c"]],
  ["(abc)+", ["abc"]],
  ["(abc){2,3}d", ["abc"]],
  ["^abc$", ["abc"]],
  ["x.*|y", ["x", "y"]],
  ["", undefined],
  [".*", undefined],
  ["a?b*", undefined],
  ["(abc|).*", undefined],
  ["(abc){0,2}", undefined],
  ["(?i)abc", undefined],
  ["(?i:abc)d", undefined],
  ["\\Qa.b\\E", undefined],
  ["\\bfoo\\b", undefined],
  ["[[:alpha:]]foo", undefined],
  ["(?:abc|.*)x?", undefined],
])("regex needs: %s -> %j", (regex, needs) => {
  expect(regexNeeds(regex)).toEqual(needs);
});

const { regex: anyRegex } = fc.letrec<{ regex: string }>((tie) => ({
  regex: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom("a", "b", "ab", "abc", ".", "[ab]", "[^a]", "\\.", "\\d", "c", ""),
    fc.tuple(tie("regex"), tie("regex")).map(([a, b]) => a + b),
    fc.tuple(tie("regex"), tie("regex")).map(([a, b]) => `(${a}|${b})`),
    fc.tuple(tie("regex"), fc.constantFrom("*", "+", "?", "{2}", "{0,1}", "{1,}", "+?")).map(([a, quantifier]) => `(?:${a})${quantifier}`),
    fc.tuple(tie("regex"), tie("regex")).map(([a, b]) => `${a}|${b}`),
  ),
}));

test("regex needs: random expressions -> every text they accept contains a piece", () => {
  let known = 0;
  fc.assert(
    fc.property(
      anyRegex,
      fc.array(fc.array(fc.constantFrom("a", "b", "c", ".", "1"), { maxLength: 8 }), { minLength: 20, maxLength: 20 }),
      (regex, texts) => {
        const needs = regexNeeds(regex);
        if (needs === undefined) return;
        known++;
        const compiled = new RegExp(`^(?:${regex})$`, "su");
        for (const text of texts.map((chars) => chars.join(""))) {
          if (compiled.test(text)) expect(needs.some((piece) => text.includes(piece))).toBe(true);
        }
      },
    ),
    { numRuns: 5000 },
  );
  expect(known).toBeGreaterThan(500);
});
