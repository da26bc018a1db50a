import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { canonicalMatch, matchesSelector, type Selector } from "#limpet/metric/selector.js";
import { parseSelector } from "#limpet/metric/selectorParse.js";
import { compileLabelRegex } from "#limpet/metric/selectorRegex.js";
import type { Series } from "#limpet/metric/series.js";

/** `name a=1 b=2` */
function series(text: string): Series {
  const [name = "", ...labels] = text.split(" ");
  return { name, labels: labels.map((label) => label.split("=")).map(([key = "", value = ""]) => [key, value] as const) };
}

function selector(text: string): Selector {
  const parsed = parseSelector(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error.message}`);
  return parsed.selector;
}

describe("selector: what it takes", () => {
  test.each([
    ["m", "m a=1", true],
    ["m", "mm", false],
    ["m{}", "m", true],
    ["{}", "anything", true],
    ["http:x_total", "http:x_total", true],
    ["my.metric", "my.metric", true],
    ["my\\-metric", "my-metric", true],
    ["größe", "größe", true],
    ['{"my.metric"}', "my.metric", true],
    ["{'my.metric', a=\"1\"}", "my.metric a=1", true],
    ['{"my.metric" or a="1"}', "x a=1", true],
    ['m{"a.b"="1"}', "m a.b=1", true],
    ["m{'a'='1',}", "m a=1", true],
    ["m{a=`x\\d`}", "m a=x\\d", true],
    ['m{a="x\\\\d"}', "m a=x\\d", true],
    ['m{a="\\x41\\u0042\\U00000043\\104\\t"}', "m a=ABCD\t", true],
    ["m{a='it\\'s'}", "m a=it's", true],
    ['{a="1" or b="2"}', "m b=2", true],
    ['{a="1" or b="2"}', "m c=2", false],
    ['m{a="1" OR b="2"}', "n b=2", false],
    ['{a="1",b="2" or c="3"}', "m a=1 c=3", true],
    ['{a="1", or c="3"}', "m c=3", true],
    ['{or="1"}', "m or=1", true],
    ['{a="1", or="2"}', "m a=1 or=2", true],
    ['{region=""}', "m", true],
    ['{region=""}', "m region=eu", false],
    ['{nolabel!="x"}', "m", true],
    ['{nolabel!=""}', "m", false],
    ['{a=~"x.*"}', "m a=xyz", true],
    ['{a=~"x"}', "m a=xyz", false],
    ['{a=~"a|ab"}', "m a=ab", true],
    ['{a=~"x|y|"}', "m", true],
    ['{a=~"(x|y)"}', "m a=y", true],
    ['{a=~"(?i)GET"}', "m a=get", true],
    ['{a=~"x.y"}', "m a=x\ny", true],
    ['{a=~"x\\\\.y"}', "m a=x.y", true],
    ['{a=~"x\\\\.y"}', "m a=xzy", false],
    ['{a=~".*"}', "m", true],
    ['{a=~".+"}', "m", false],
    ['{a!~"x.*"}', "m a=y", true],
    ['{a!~"x.*"}', "m", true],
    ['{a!~"x|y"}', "m a=y", false],
    ['{__name__=~"http_.+"}', "http_x", true],
    ['m{__name__="n"}', "m", false],
    [' \n m { a = "1" , b != "2" } ', "m a=1", true],
  ])("selector: %s on %j -> %s", (text, of, expected) => {
    expect(matchesSelector(selector(text), series(of))).toBe(expected);
  });
});

describe("selector: what it refuses, and where", () => {
  test.each([
    ["m[5m]", 1, "a range such as [5m] cannot stand here"],
    ["m{} [5m]", 4, "a range such as [5m] cannot stand here"],
    ["m offset 5m", 2, "offset cannot stand here"],
    ["m @ 100", 2, "@ cannot stand here"],
    ["sum(m)", 3, "a function cannot stand here"],
    ['{a="1"} or {b="2"}', 8, "or stands outside the braces"],
    ["m n", 2, 'unexpected "n" after the selector'],
    ["", 0, "the selector is empty"],
    ["  ", 0, "the selector is empty"],
    ["9m", 0, '"9m" does not start a selector'],
    ['"m"', 0, '"\\"m\\"" does not start a selector'],
    ["m{", 1, "the { is not closed"],
    ['m{a="1"', 1, "the { is not closed"],
    ['m{a="1', 4, "the string is not closed"],
    ["m{a}", 3, "=, !=, =~ or !~ is expected after a"],
    ["m{a=1}", 4, "the value of a is not quoted"],
    ['m{a=="1"}', 3, "== is not an operator here"],
    ['m{a="1" b="2"}', 8, 'unexpected "b=\\"2\\""'],
    ['m{="1"}', 2, "a label name is expected here"],
    ['m{""="1"}', 2, "the label name is empty"],
    ['m{,a="1"}', 2, "a label name is expected here"],
    ['{or a="1"}', 1, "nothing stands before or"],
    ['{a="1" or}', 7, "nothing stands after or"],
    ['{a="\\d"}', 4, "\\d is not an escape"],
    ['{a=~"("}', 4, "bad regular expression: missing closing ): `(`"],
    ['{a=~"(?=x)"}', 4, "bad regular expression: invalid or unsupported Perl syntax: `(?=`"],
    ['{a=~"x)|(y"}', 4, "bad regular expression: unexpected ): `x)|(y`"],
  ])("selector: %j -> offset %d", (text, at, message) => {
    const parsed = parseSelector(text);
    expect(parsed.ok ? undefined : [parsed.error.at, parsed.error.message]).toEqual([at, message]);
  });

  test("selector: any text -> an answer, with an offset inside it", () => {
    const pieces = fc.constantFrom(
      "m",
      "{",
      "}",
      '"',
      "'",
      "`",
      "a",
      "=",
      "=~",
      "!~",
      "!=",
      ",",
      " or ",
      "\\",
      "x",
      "(",
      "[",
      "é",
      "\u0000",
      "\ud800",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
        const text = parts.join("");
        const parsed = parseSelector(text);
        if (!parsed.ok) expect(parsed.error.at).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 500 },
    );
  });
});

describe("selector: regular expressions", () => {
  test("regex: literals and prefix -> agree with what RE2 accepts", () => {
    const pieces = fc.constantFrom(
      "a",
      "b",
      "ab",
      "|",
      "\\.",
      ".",
      ".*",
      "(a|b)",
      "(?i)",
      "b?",
      "[ab]",
      "[(]",
      "(?:b|ab).",
      "\\(",
      "(",
      ")",
      "^",
      "$",
      "{2}",
      "\\d",
      "+",
    );
    const values = fc.array(fc.constantFrom("a", "b", "ab", ".", "A", "1", ""), { maxLength: 4 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 5 }), fc.array(values, { minLength: 20, maxLength: 20 }), (parts, tries) => {
        // The class accepts nothing: behind the text it changes no answer, but keeps the literal shortcut out of the oracle.
        const text = parts.join("");
        const compiled = compileLabelRegex(text);
        const oracle = compileLabelRegex(`(?:${text})[^\\x00-\\x{10FFFF}]*`);
        if (!compiled.ok || !oracle.ok) return;
        for (const value of tries) {
          expect([text, value, compiled.regex.accepts(value)]).toEqual([text, value, oracle.regex.accepts(value)]);
          if (compiled.regex.literals !== undefined) expect(compiled.regex.literals.includes(value)).toBe(compiled.regex.accepts(value));
          if (compiled.regex.accepts(value)) expect(value.startsWith(compiled.regex.prefix)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ["a|b|c", ["a", "b", "c"], ""],
    ["(?:a|b)", ["a", "b"], ""],
    ["http_.*", undefined, "http_"],
    ["ab*", undefined, "a"],
    ["😀?", undefined, ""],
    ["(?i)abc", undefined, ""],
    ["a\\.b", ["a.b"], ""],
    ["a\\db", undefined, "a"],
    ["ab|c.*", undefined, ""],
    ["ab(?:c|d).*", undefined, "ab"],
    ["ab\\(|c.*", undefined, ""],
    ["ab[(]|c.*", undefined, ""],
    ["ab(c|d)|e", undefined, ""],
  ])("regex: %s -> what the index may use", (text, literals, prefix) => {
    const compiled = compileLabelRegex(text);
    expect(compiled.ok ? [compiled.regex.literals, compiled.regex.prefix] : undefined).toEqual([literals, prefix]);
  });
});

test("canonical match: spelling, order and repetition -> one text", () => {
  const canonical = (...texts: string[]): string => canonicalMatch(texts.map(selector));
  expect(canonical("m{a='1', b=\"2\"}")).toBe(canonical('{b="2",a=`1`,__name__="m"}'));
  expect(canonical("m", "n")).toBe(canonical('{"n" or "m" or "n"}'));
  expect(canonical("m", "{}")).toBe(canonical());
  expect(canonical("m")).not.toBe(canonical('{__name__=~"m"}'));
});
