// Plan: the corpus's encode cases, the differences named; InfluxData's JavaScript client as an oracle; what no grammar can carry;
// then random points: the line reads back as the point, and encoding what was read gives the same line.

import { readFileSync } from "node:fs";
import { Point as ClientPoint } from "@influxdata/influxdb-client";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodeLine, type Field, type Point } from "#limpet/metric/lineDecoder.js";
import { type EncodablePoint, encodePoint, plainFloat } from "#limpet/metric/lineEncoder.js";
import { pointText } from "./lineText.js";

type CorpusValue = Partial<Record<"float" | "int" | "uint" | "bool" | "string", string | number | boolean>>;
interface EncodeCase {
  input: {
    key: string;
    point: { name: string; tags: { key: string; value: string }[]; fields: { key: string; value: CorpusValue }[]; time: string };
  };
  output: { result?: string; error?: string };
}

// The fixture's own shape (its README).
const corpus = JSON.parse(readFileSync(new URL("../fixtures/line-protocol-corpus/corpus.json", import.meta.url), "utf8")) as {
  encode: Record<string, EncodeCase>;
};
const utf8 = (text: unknown): Uint8Array => Buffer.from(String(text));
const encode = (point: EncodablePoint): string | undefined => {
  const bytes = encodePoint(point);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
};

function decode(line: string): Point {
  const bytes = Buffer.from(line);
  const result = decodeLine(bytes, 0, bytes.length, true);
  if (result.kind !== "point" || result.next !== bytes.length) throw new Error(`${line}: ${JSON.stringify(result)}`);
  return result.point;
}

function field(key: string, value: CorpusValue): Field {
  const name = utf8(key);
  if (value.float !== undefined) return { key: name, value: { kind: "float", value: Number(value.float) } };
  if (value.int !== undefined) return { key: name, value: { kind: "int", value: BigInt(value.int) } };
  if (value.uint !== undefined) return { key: name, value: { kind: "uint", value: BigInt(value.uint) } };
  if (value.bool !== undefined) return { key: name, value: { kind: "bool", value: value.bool === true } };
  return { key: name, value: { kind: "string", value: utf8(value.string) } };
}

function corpusPoint({ name, tags, fields, time }: EncodeCase["input"]["point"]): EncodablePoint {
  return {
    measurement: utf8(name),
    tags: tags.map(({ key, value }) => ({ key: utf8(key), value: utf8(value) })),
    fields: fields.map(({ key, value }) => field(key, value)),
    time: BigInt(time),
  };
}

describe("encode: the corpus", () => {
  test("29 cases -> the corpus's line, or a named difference that reads back as the same point", () => {
    const differences: Record<string, string[]> = {};
    const all = Object.values(corpus.encode);
    expect(all).toHaveLength(29);
    for (const { input, output } of all) {
      const point = corpusPoint(input.point);
      const ours = encode(point);
      if (ours === output.result) continue;
      const reads = ours !== undefined && output.result !== undefined && pointText(decode(ours)) === pointText(decode(output.result));
      const name = reads ? "same point" : output.result === undefined ? "the reference refuses" : "other";
      const list = differences[name] ?? [];
      differences[name] = list;
      list.push(/[0-9.]e[+-][0-9]/.test(output.result ?? "") ? "exponent" : `${String(ours)} | ${String(output.result ?? output.error)}`);
    }
    // The reference writes 6.632243e+06; Telegraf never writes an exponent, and neither do we.
    expect(differences).toEqual({ "same point": ["exponent", "exponent", "exponent"] });
  });
});

describe("encode: what a grammar cannot carry", () => {
  const one: Field[] = [field("f", { int: "1" })];
  const named = (measurement: string, key = "a", value = "b"): string | undefined =>
    encode({ measurement: utf8(measurement), tags: [{ key: utf8(key), value: utf8(value) }], fields: one, time: 1n });
  test.each([
    ["#m", "a", "b", "_m,a=b f=1i 1"],
    ["m\\", "a\\", "b\\\\", "m,a=b f=1i 1"],
    ["m\n", "a\t", "b\r", "m\\n,a\\t=b\\r f=1i 1"],
    ["m\v", "a\x00", "b\x7f", "m_,a_=b_ f=1i 1"],
    ["m", "a", "", "m f=1i 1"],
    ["m", "a", "\\", "m f=1i 1"],
    ["m=,x y", "a=,b c", "=,d e", "m=\\,x\\ y,a\\=\\,b\\ c=\\=\\,d\\ e f=1i 1"],
    ["m\\ x", "a", 'q\\"r s', 'm\\ x,a=q"r\\ s f=1i 1'],
  ])("%j %j %j -> %j", (measurement, key, value, line) => expect(named(measurement, key, value)).toBe(line));
  test("fields: NaN and infinite -> left out, a point without fields -> undefined", () => {
    const nan = field("n", { float: NaN });
    expect(encode({ measurement: utf8("m"), tags: [], fields: [nan, ...one], time: undefined })).toBe("m f=1i");
    expect(encode({ measurement: utf8("m"), tags: [], fields: [nan], time: 1n })).toBeUndefined();
    expect(encode({ measurement: utf8(""), tags: [], fields: one, time: 1n })).toBeUndefined();
  });
});

describe("encode: floats", () => {
  test.each([
    [1e21, "1000000000000000000000"],
    [-1.5e-7, "-0.00000015"],
    [1.25e22, "12500000000000000000000"],
    [-0, "-0"],
    [0.1, "0.1"],
  ])("%d -> %s", (value, text) => expect(plainFloat(value)).toBe(text));
  test("any double -> no exponent, reads back as it was", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(plainFloat(value)).toMatch(/^-?\d+(\.\d+)?$/);
        expect(Number(plainFloat(value))).toBe(value);
      }),
    );
  });
});

// Names both grammars carry unchanged: no control characters, no backslash, no leading `#`.
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).filter((text) => !/[\p{Cc}\\]|^#/u.test(text) && !/\p{Cs}/u.test(text));
const text = fc.string({ unit: "binary", maxLength: 12 }).filter((value) => !/\p{Cs}/u.test(value));
const value = fc.oneof(
  fc.record({ float: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
  fc.record({ int: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
  fc.record({ uint: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String) }),
  fc.record({ bool: fc.boolean() }),
  fc.record({ string: text }),
);

describe("encode: random points", () => {
  test("a point both grammars can carry -> reads back the same, and encodes the same again", () => {
    fc.assert(
      fc.property(
        name,
        fc.uniqueArray(fc.tuple(name, name), { selector: ([key]) => key, maxLength: 4 }),
        fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, minLength: 1, maxLength: 4 }),
        fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { nil: undefined }),
        (measurement, tags, fields, time) => {
          const point: EncodablePoint = {
            measurement: utf8(measurement),
            tags: tags.map(([key, of]) => ({ key: utf8(key), value: utf8(of) })).sort((a, b) => Buffer.compare(a.key, b.key)),
            fields: fields.map(([key, of]) => field(key, of)),
            time,
          };
          const line = encode(point) ?? "";
          const read = decode(line);
          expect(pointText(read)).toBe(pointText({ ...point, keyStart: 0, keyEnd: 0 }));
          expect(encode(read)).toBe(line);
        },
      ),
      { numRuns: 500 },
    );
  });
  test("any bytes as names -> what is written is read by both grammars alike, and is stable", () => {
    const bytes = fc.array(fc.constantFrom(...Buffer.from('mx\\\\ ,="#\n\t\r\v\x00\xff', "latin1")), { maxLength: 8 }).map((a) => Uint8Array.from(a));
    fc.assert(
      fc.property(bytes, bytes, bytes, bytes, (measurement, key, of, fieldKey) => {
        const line = encode({ measurement, tags: [{ key, value: of }], fields: [{ key: fieldKey, value: { kind: "string", value: of } }], time: 5n });
        if (line === undefined) return;
        const read = decode(line);
        expect(read.time).toBe(5n);
        expect(encode(read)).toBe(line);
        // A separator only Telegraf knows would have shown the reference a different line; a name with a control byte, none.
        expect([...line.replace(/".*"/s, "")].filter((char) => char < " " || char === "\x7f")).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
  test("InfluxData's client -> the same line, names and strings escaped alike", () => {
    const plain = fc.string({ unit: fc.constantFrom(..."abé ,=".split("")), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(plain, plain, plain, plain, fc.string({ unit: fc.constantFrom(...'ab"\\ é'.split("")), maxLength: 6 }), (m, key, of, f, s) => {
        const client = new ClientPoint(m).tag(key, of).stringField(f, s).timestamp("42").toLineProtocol();
        expect(encode({ measurement: utf8(m), tags: [{ key: utf8(key), value: utf8(of) }], fields: [field(f, { string: s })], time: 42n })).toBe(
          client,
        );
      }),
      { numRuns: 300 },
    );
  });
});
