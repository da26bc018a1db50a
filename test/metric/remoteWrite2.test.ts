// Plan: protobufjs with the published message definitions decodes what the encoder wrote, for random rows; nothing may be left
// over: encoded anew, its bytes are ours. Value bits are compared as bytes.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { WriteRequestEncoder2 } from "#limpet/metric/remoteWrite2.js";
import { type RowBlock, RowReader, rowTypes } from "#limpet/metric/rowBlock.js";
import { decodeRequest2, requestType } from "../servers/remoteWrite2.js";
import { blockOf, staleBytes, type TestRow, testRow } from "./blocks.js";

function encode(blocks: readonly RowBlock[], encoder = new WriteRequestEncoder2()): Uint8Array {
  encoder.reset();
  for (const block of blocks) {
    const reader = new RowReader(block.bytes);
    while (reader.next()) encoder.add(block.bytes, reader.rowStart);
  }
  return encoder.bytes();
}

const text = fc.oneof(
  fc.constantFrom("a", "b", "region", "eu"),
  fc.string({ minLength: 1, maxLength: 40, unit: "binary" }),
  fc.integer({ min: 100, max: 300 }).map((count) => "v".repeat(count)),
);
const rowArbitrary: fc.Arbitrary<TestRow> = fc.record({
  labels: fc
    .uniqueArray(fc.tuple(text, text), { maxLength: 6, selector: ([name]) => name })
    .map((labels): [string, string][] => [["__name__", "m"], ...labels.filter(([name]) => name !== "__name__")]),
  timestamp: fc.constantFrom(0, 1, 127, 128, 2 ** 31, 2 ** 32, -1, 1_700_000_000_000),
  value: fc.double({ noNaN: true }),
  startMs: fc.constantFrom(0, 1, 1_699_999_990_000),
  type: fc.constantFrom(...rowTypes),
});

describe("remote write 2.0 encoder", () => {
  test("encoder: random rows -> protobufjs reads the same labels, times, starts, values and types, and finds nothing else", () => {
    const encoder = new WriteRequestEncoder2();
    fc.assert(
      fc.property(fc.array(rowArbitrary, { maxLength: 12 }), (rows) => {
        const bytes = encode([blockOf(rows)], encoder);
        expect(decodeRequest2(bytes)).toEqual(
          rows.map((row) => ({
            labels: [...row.labels].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
            timestamp: row.timestamp,
            value: row.value,
            startMs: row.startMs,
            type: row.type,
          })),
        );
        // protobufjs leaves out zeroes, which we write: both are allowed.
        if (rows.some(({ value, timestamp }) => value === 0 || timestamp === 0)) return;
        expect(Buffer.compare(requestType.encode(requestType.decode(bytes)).finish(), bytes)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test("encoder: thousands of symbols, two requests -> each text once per request, none from the one before", () => {
    const encoder = new WriteRequestEncoder2();
    const rows = Array.from({ length: 5000 }, (_, i) => testRow(`requests_total{host=host-${i % 2500},region=eu}`, 1_700_000_000_000, i));
    const symbolsOf = (bytes: Uint8Array): string[] => (requestType.decode(bytes) as unknown as { symbols: string[] }).symbols;
    const symbols = symbolsOf(encode([blockOf(rows)], encoder));
    expect(symbols.slice(0, 6)).toEqual(["", "__name__", "requests_total", "host", "host-0", "region"]);
    expect(symbols).toHaveLength(2500 + 6);
    expect(new Set(symbols).size).toBe(symbols.length);
    expect(symbolsOf(encode([blockOf([testRow("m{a=b}", 1, 1)])], encoder))).toEqual(["", "__name__", "m", "a", "b"]);
  });

  test("encoder: a staleness marker, -0 and infinities -> their eight bytes unchanged", () => {
    const values = [staleBytes, ...[-0, Infinity, -Infinity].map((value) => new Uint8Array(new Float64Array([value]).buffer))];
    const bytes = Buffer.from(encode([blockOf(values.map((valueBytes, i) => ({ ...testRow("m", 1 + i, 0), valueBytes })))]));
    for (const [i, value] of values.entries()) expect(bytes.includes(Buffer.from([0x09, ...value, 0x10, 1 + i]))).toBe(true);
  });
});
