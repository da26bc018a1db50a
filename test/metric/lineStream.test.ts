// Plan: positions over several lines, the 1 MiB bound and what follows it, the end of the stream; then random bytes in random pieces.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodeLine } from "#limpet/metric/lineDecoder.js";
import { LINE_BYTES_MAX } from "#limpet/metric/lineStream.js";
import { resultsOf } from "./lineText.js";

const pieces = (text: string, size: number): Uint8Array[] => {
  const bytes = Buffer.from(text, "latin1");
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
};

describe("stream: positions", () => {
  test("errors: after comments, strings over lines and other errors -> line and column of the whole stream", () => {
    expect(resultsOf([Buffer.from('# c\n\nm f="a\nb" 1\nm,x f=1\n  m f=\nok f=1\nm f=1x')])).toEqual([
      'm f="a\\nb" @1',
      "✗ tag @5:4",
      "✗ field @6:7",
      "ok f=1",
      "✗ field @8:6",
    ]);
  });
  test("end of stream: nothing, blanks, a comment without LF -> no results", () => {
    for (const text of ["", " \t", "\n\r\n", "#c", "\r"]) expect(resultsOf([Buffer.from(text)])).toEqual([]);
  });
});

describe.each([1 << 24, 65536, 4099])("stream: the bound, in chunks of %i", (size) => {
  const line = (bytes: number): string => `m s="${"x".repeat(bytes - 6)}"`;
  test("a metric of 1 MiB -> read, with LF, CRLF and at the end of the stream", () => {
    for (const end of ["", "\n", "\r\n"]) {
      const results = resultsOf(pieces(line(LINE_BYTES_MAX) + end, size));
      expect(results.map((text) => text.length)).toEqual([LINE_BYTES_MAX]);
    }
  });
  test.each([1, 2, 3, 100000, 5_000_000])("%i bytes over -> one error where it starts, the next line is read", (over) => {
    for (const end of ["\n", "\r\n"]) {
      expect(resultsOf(pieces(`a f=1\n${line(LINE_BYTES_MAX + over)}${end}b f=2\nbad`, size))).toEqual([
        "a f=1",
        "✗ line longer than 1048576 bytes @2:1",
        "b f=2",
        "✗ tag @4:4",
      ]);
    }
  });
  test("an open quote -> takes lines up to the bound, then reading goes on at the next line", () => {
    const results = resultsOf(pieces(`m s="${"x f=1\n".repeat(200_000)}b f=2\n`, size));
    expect(results[0]).toBe("✗ line longer than 1048576 bytes @1:1");
    expect(results.at(-1)).toBe("b f=2");
    expect(results.length).toBe(200_000 - Math.floor((LINE_BYTES_MAX - 5) / 6) + 1);
  });
  test("a comment over the bound -> no error", () => {
    expect(resultsOf(pieces(`#${"x".repeat(LINE_BYTES_MAX * 2)}\nb f=2`, size))).toEqual(["b f=2"]);
  });
  test("a bad escape before a string that never ends -> Telegraf's error, at its place", () => {
    const results = resultsOf(pieces(`m s="\\x\n${"y f=1\n".repeat(200_000)}`, size));
    expect(results.length).toBe(200_001);
    expect(results.slice(0, 2)).toEqual(["✗ field @1:7", "y f=1"]);
  });
});

describe("stream: where Telegraf's own parser (run beside this one) decides", () => {
  test.each([
    ["\rm f=1", "✗ parse error @1:2"],
    ["m\vf=1", "m f=1"],
    ["m,a\vb=c f=1", "✗ tag @1:4"],
    ["m\\\vf=1", "✗ parse error @1:3"],
    ['m f=1e"5', "✗ field @1:9"],
    ['m f="a\fb\rc"', 'm f="a\fb\\rc"'],
    ['m f="\\\n"\nn f=1', 'm f="\\\\\\n" ; n f=1'],
    ["m,a=\\ f=1", "✗ tag @1:8"],
    ["\xef\xbb\xbfm f=1", "\xef\xbb\xbfm f=1"],
  ])("%j -> %s", (input, expected) => expect(resultsOf([Buffer.from(input, "latin1")]).join(" ; ")).toBe(expected));
});

describe("stream: random input", () => {
  const alphabet = fc.constantFrom(...'mf=1,, \\\\""\n\r\t\v\f#\x00\xff-.eiutT09'.split(""), "m f=1\n", 'a,b=c d="', " 12\n");
  const text = fc.array(alphabet, { maxLength: 60 }).map((parts) => Buffer.from(parts.join(""), "latin1"));

  test("any bytes, any cuts -> the results of the whole, and every line moves on", () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 8 }), { maxLength: 40 }), (bytes, cuts) => {
        for (let at = 0; at < bytes.length; ) {
          const result = decodeLine(bytes, at, bytes.length, true);
          if (result.kind === "incomplete" || result.next <= at) throw new Error("stuck");
          at = result.next;
        }
        const parts: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          parts.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        parts.push(bytes.subarray(at));
        expect(resultsOf(parts)).toEqual(resultsOf([bytes]));
      }),
      { numRuns: 1000 },
    );
  });
});
