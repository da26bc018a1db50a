import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { chunksOf, floatSpellings, linesText, lineText, plainFloat, telegrafLine } from "./lineText.js";
import type { Point } from "./point.js";
import { seededRandom } from "./seededRandom.js";

const plain = (): number => 0.5;

function point(changes: Partial<Point>): Point {
  return { measurement: "m", tags: {}, fields: [["f", { kind: "float", value: 1 }]], timeNs: 5n, ...changes };
}

describe("lineText", () => {
  test("escapes: measurement, tag and field keys, values -> as both grammars want", () => {
    const line = lineText(
      point({
        measurement: "a,b c=d",
        tags: { "k =": 'v,= "x' },
        fields: [
          ["f g", { kind: "string", value: 'say "\\"\n' }],
          ["i", { kind: "int", value: -3n }],
          ["u", { kind: "uint", value: 3n }],
          ["b", { kind: "bool", value: true }],
        ],
      }),
      plain,
    );
    expect(line).toBe('a\\,b\\ c=d,k\\ \\==v\\,\\=\\ "x f\\ g="say \\"\\\\\\"\n",i=-3i,u=3u,b=true 5\n');
  });

  test("floats: any spelling of any double -> reads back as that double", () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));
    fc.assert(
      fc.property(finite, (value) => {
        const spellings = floatSpellings(value);
        expect(spellings.length).toBeGreaterThan(0);
        for (const text of spellings) expect(Number(text)).toBe(value);
      }),
    );
  });

  test("floats: 0.5 -> with exponent, without leading zero, with more zeros", () => {
    expect(floatSpellings(0.5)).toEqual(expect.arrayContaining(["0.5", "5e-1", "5E-1", ".5", "000.5", "0.5000"]));
  });

  test("telegraf: tags and floats -> sorted, without exponent", () => {
    const fields: Point["fields"] = [
      ["f", { kind: "float", value: 1e-7 }],
      ["g", { kind: "float", value: 1e21 }],
    ];
    expect(telegrafLine(point({ tags: { b: "2", "a.b": "1" }, fields }))).toBe("m,a.b=1,b=2 f=0.0000001,g=1000000000000000000000 5\n");
  });

  test("telegraf: any double -> reads back as that double", () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(fc.property(finite, (value) => Object.is(Number(plainFloat(value)), value)));
  });

  test("lines: one seed -> one text; comments and empty lines only between lines", () => {
    const points = Array.from({ length: 200 }, (_, i) => point({ timeNs: BigInt(i) }));
    const text = linesText(points, seededRandom(3));
    expect(linesText(points, seededRandom(3))).toBe(text);
    const kept = text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
    expect(kept).toHaveLength(200);
    expect(kept.length).toBeLessThan(text.split("\n").length - 1);
  });

  test("chunks: cut anywhere -> together the same bytes", () => {
    const text = "m f=1 1\nhöst f=2 2\n";
    for (let seed = 0; seed < 50; seed++) {
      expect(Buffer.concat(chunksOf(text, seededRandom(seed))).toString()).toBe(text);
    }
  });
});
