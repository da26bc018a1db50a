import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { acceptsField, acceptsLine, type TelegrafFilter } from "#limpet/metric/telegrafFilter.js";
import { compileGlobs } from "#limpet/metric/telegrafGlob.js";

function accepts(patterns: readonly string[], text: string): boolean {
  const compiled = compileGlobs(patterns);
  if (!compiled.ok) throw new Error(compiled.error);
  return compiled.accepts(text);
}

describe("globs", () => {
  test.each([
    [["cpu"], ["cpu"], ["cpu0", "xcpu", "", "CPU"]],
    [["cpu*"], ["cpu", "cpu_total", "cpu.a/b", "cpu\n1"], ["xcpu", ""]],
    [["*"], ["", "anything at all"], []],
    [["cpu?"], ["cpu0", "cpuß", "cpu😀"], ["cpu", "cpu10"]],
    [["[abc]x*"], ["ax", "cxy"], ["dx", "x", "-x"]],
    [["[!abc]x*"], ["dx", "éx"], ["ax", "x"]],
    [["cpu[0-3]"], ["cpu0", "cpu3"], ["cpu4", "cpu-", "cpu"]],
    [["cpu[!0-3]"], ["cpu4", "cpux"], ["cpu0"]],
    [["{a,b*}?"], ["ax", "bx", "bxyz"], ["a", "cx"]],
    [["{a,{b,c}d}*"], ["a", "bd", "cdx"], ["b", "c"]],
    // Telegraf looks for * ? [ alone: a list without them is plain text.
    [["{a,b}"], ["{a,b}"], ["a", "b"]],
    [["a\\*b*"], ["a*b", "a*bc"], ["axb"]],
    [
      ["a.b*", "(x)|y"],
      ["a.bc", "(x)|y"],
      ["axb", "x", "y"],
    ],
    [
      ["net*", "disk"],
      ["net", "network", "disk"],
      ["disks", "mem"],
    ],
    // Several patterns are joined by commas, so one's own comma separates too.
    [["a,b", "c*"], ["a", "b", "c", "cd"], ["a,b"]],
    [["a}b*"], ["a}b", "a}bc"], ["ab"]],
  ] as const)("globs: %j -> takes %j, not %j", (patterns, taken, left) => {
    expect([taken.filter((text) => !accepts(patterns, text)), left.filter((text) => accepts(patterns, text))]).toEqual([[], []]);
  });

  test.each(["[", "a[b", "[]*", "[a-zA-Z]*", "[z-a]*", "{a*", "{a,{b}*"])("globs: %s -> refused", (pattern) => {
    expect(compileGlobs([pattern]).ok).toBe(false);
  });

  test("globs: any text, escaped -> takes that text alone", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 12 }), fc.string({ maxLength: 4 }), (text, more) => {
        const escaped = text.replace(/[\\*?[\]{},!-]/gu, "\\$&");
        expect(accepts([`${escaped}*`], text + more)).toBe(true);
        expect(accepts([`?${escaped}`], text)).toBe(false);
      }),
    );
  });

  test("globs: many stars over a long text -> linear, not exponential", () => {
    expect(accepts([`${"a*".repeat(30)}b`], "a".repeat(20_000))).toBe(false);
  });
});

describe("filters", () => {
  const none: TelegrafFilter = {
    canonical: "",
    namepass: undefined,
    namedrop: undefined,
    tagpass: undefined,
    tagdrop: undefined,
    fieldinclude: undefined,
    fieldexclude: undefined,
  };
  const is = (wanted: string) => (text: string) => text === wanted;
  const line = { measurement: "cpu", tags: [["host", "a"] as const, ["cpu", "0"] as const] };

  test.each<[string, Partial<TelegrafFilter>, boolean]>([
    ["nothing", {}, true],
    ["namepass of it", { namepass: is("cpu") }, true],
    ["namepass of another", { namepass: is("mem") }, false],
    ["namedrop of it", { namedrop: is("cpu") }, false],
    ["namepass and namedrop of it", { namepass: is("cpu"), namedrop: is("cpu") }, false],
    ["tagpass, one of two", { tagpass: [["host", is("b")], ["cpu", is("0")]] }, true], // biome-ignore format: a row
    ["tagpass, none", { tagpass: [["host", is("b")]] }, false],
    ["tagpass on a tag that is not there", { tagpass: [["region", () => true]] }, false],
    ["tagdrop, one of two", { tagdrop: [["host", is("b")], ["cpu", is("0")]] }, false], // biome-ignore format: a row
    ["tagdrop on a tag that is not there", { tagdrop: [["region", () => true]] }, true],
    ["tagpass and tagdrop both", { tagpass: [["host", is("a")]], tagdrop: [["cpu", is("0")]] }, false],
    ["namepass holds, tagpass does not", { namepass: is("cpu"), tagpass: [["host", is("b")]] }, false],
  ])("filter: %s -> as Telegraf", (_what, filter, passes) => {
    expect(acceptsLine({ ...none, ...filter }, line)).toBe(passes);
  });

  test.each<[string, Partial<TelegrafFilter>, boolean]>([
    ["nothing", {}, true],
    ["fieldinclude of it", { fieldinclude: is("usage") }, true],
    ["fieldinclude of another", { fieldinclude: is("idle") }, false],
    ["fieldexclude of it", { fieldexclude: is("usage") }, false],
    ["both of it", { fieldinclude: is("usage"), fieldexclude: is("usage") }, false],
  ])("filter: %s -> the field as Telegraf", (_what, filter, passes) => {
    expect(acceptsField({ ...none, ...filter }, "usage")).toBe(passes);
  });
});
