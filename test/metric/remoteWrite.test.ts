// Plan: protobufjs with Prometheus' own message definitions decodes what the encoder wrote, for random rows of every size that
// changes the width of a length; our decoder must read the same; value bits are compared as bytes, not as numbers.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import protobuf from "protobufjs";
import { compressSnappy, SnappyError, uncompressSnappy } from "#limpet/base/snappy.js";
import { WriteRequestEncoder } from "#limpet/metric/remoteWrite.js";
import { decodeWriteRequest, WriteRequestError } from "#limpet/metric/remoteWriteDecode.js";
import { type RowBlock, RowReader } from "#limpet/metric/rowBlock.js";
import { blockOf, staleBytes, type TestRow, testRow } from "./blocks.js";

const proto = protobuf
  .parse(`syntax = "proto3";
message WriteRequest { repeated TimeSeries timeseries = 1; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }`)
  .root.lookupType("WriteRequest");

interface OracleSeries {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly samples: readonly { readonly value: number; readonly timestamp: string }[];
}

function oracle(bytes: Uint8Array): readonly OracleSeries[] {
  // toObject has no type of its own; arrays: true makes every repeated field present.
  return (proto.toObject(proto.decode(bytes), { longs: String, arrays: true, defaults: true }) as { timeseries: OracleSeries[] }).timeseries;
}

function encode(blocks: readonly RowBlock[], encoder = new WriteRequestEncoder()): Uint8Array {
  encoder.reset();
  for (const block of blocks) {
    const reader = new RowReader(block.bytes);
    while (reader.next()) encoder.add(block.bytes, reader.rowStart);
  }
  return encoder.bytes();
}

const rowArbitrary: fc.Arbitrary<TestRow> = fc.record({
  labels: fc
    .uniqueArray(
      fc.tuple(
        fc.oneof(fc.string({ minLength: 1, maxLength: 12, unit: "binary" }), fc.constant("l".repeat(200))),
        fc.oneof(
          { weight: 8, arbitrary: fc.string({ minLength: 1, maxLength: 40, unit: "binary" }) },
          { weight: 1, arbitrary: fc.integer({ min: 100, max: 200 }).map((count) => "v".repeat(count)) },
          { weight: 1, arbitrary: fc.integer({ min: 16_300, max: 16_500 }).map((count) => "w".repeat(count)) },
        ),
      ),
      { maxLength: 6, selector: ([name]) => name },
    )
    .map((labels): [string, string][] => [["__name__", "m"], ...labels.filter(([name]) => name !== "__name__")]),
  timestamp: fc.oneof(
    fc.integer({ min: -(2 ** 40), max: 2 ** 42 }),
    fc.constantFrom(0, 1, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  ),
  value: fc.double(),
});

describe("remote write encoder", () => {
  test("encoder: random rows -> protobufjs and our decoder read the same labels, times and values", () => {
    const encoder = new WriteRequestEncoder();
    fc.assert(
      fc.property(fc.array(rowArbitrary, { maxLength: 12 }), (rows) => {
        const bytes = encode([blockOf(rows)], encoder);
        const expected = rows.map((row) => {
          const labels = [...row.labels].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
          return { labels, timestamp: row.timestamp, value: row.value };
        });
        const theirs = oracle(bytes).map((series) => ({
          labels: series.labels.map((label) => [label.name, label.value]),
          timestamp: Number(series.samples[0]?.timestamp),
          value: series.samples[0]?.value,
        }));
        expect(theirs).toEqual(expected);
        const ours = decodeWriteRequest(bytes).map((series) => ({
          labels: series.labels,
          timestamp: series.samples[0]?.timestamp,
          value: series.samples[0]?.value,
        }));
        expect(ours).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("encoder: a staleness marker, another NaN, -0 and both infinities -> their eight bytes unchanged", () => {
    const payload = Uint8Array.from([1, 2, 3, 4, 5, 6, 0xf8, 0xff]);
    const values = [staleBytes, payload, ...[-0, 0, Infinity, -Infinity, 5e-324].map((value) => new Uint8Array(new Float64Array([value]).buffer))];
    const bytes = Buffer.from(encode([blockOf(values.map((valueBytes, i) => ({ ...testRow("m", 1 + i, 0), valueBytes })))]));
    // The sample's last bytes: tag 09, value, tag 10, time (one byte).
    for (const [i, value] of values.entries()) expect(bytes.includes(Buffer.from([0x09, ...value, 0x10, 1 + i]))).toBe(true);
    expect(decodeWriteRequest(bytes).map((series) => series.samples[0]?.stale)).toEqual([true, ...values.slice(1).map(() => false)]);
  });

  test("encoder: rows of several blocks, then a second request -> each request holds only its own rows", () => {
    const encoder = new WriteRequestEncoder();
    const first = blockOf([testRow("a{x=1}", 1, 1), testRow("b{x=1}", 1, 2)]);
    const second = blockOf([testRow("c", 2, 3)]);
    expect(oracle(encode([first, second], encoder))).toHaveLength(3);
    expect(oracle(encode([second], encoder)).map((series) => series.labels[0]?.value)).toEqual(["c"]);
  });

  test("encoder: a request larger than its buffer -> grows, survives snappy", () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => testRow(`requests_total{host=host-${i},region=eu}`, 1_700_000_000_000 + i, i / 7));
    const bytes = encode([blockOf(rows)]);
    const back = uncompressSnappy(compressSnappy(bytes), 8_000_000);
    expect(Buffer.compare(back, bytes)).toBe(0);
    expect(decodeWriteRequest(back)[19_999]).toEqual({
      labels: [
        ["__name__", "requests_total"],
        ["host", "host-19999"],
        ["region", "eu"],
      ],
      samples: [{ timestamp: 1_700_000_019_999, value: 19_999 / 7, stale: false }],
    });
  });
});

describe("remote write decoder", () => {
  test("decoder: metadata, exemplars and unknown fields -> skipped", () => {
    const series = Buffer.from([0x1a, 0x02, 0x09, 0x09, 0x0a, 0x06, 0x0a, 0x01, 0x61, 0x12, 0x01, 0x62, 0x25, 1, 2, 3, 4]);
    const bytes = Buffer.concat([Buffer.from([0x1a, 0x03, 1, 2, 3, 0x0a, series.length]), series, Buffer.from([0x48, 0x80, 0x01])]);
    expect(decodeWriteRequest(bytes)).toEqual([{ labels: [["a", "b"]], samples: [] }]);
  });

  test("decoder: any bytes, and any prefix of a good request -> a result or WriteRequestError, nothing else", () => {
    const good = Buffer.from(encode([blockOf([testRow("m{a=b}", 1_700_000_000_000, 1)])]));
    const check = (bytes: Uint8Array): void => {
      try {
        decodeWriteRequest(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(WriteRequestError);
      }
    };
    for (let end = 0; end < good.length; end++) check(good.subarray(0, end));
    expect(() => decodeWriteRequest(good.subarray(0, good.length - 1))).toThrow(WriteRequestError);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check));
  });
});

describe("snappy", () => {
  test("snappy: random bytes -> equal after a round trip", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(1, 2, 3, 255), { maxLength: 3000 }), (values) => {
        const bytes = Uint8Array.from(values);
        expect(uncompressSnappy(compressSnappy(bytes), 3000)).toEqual(bytes);
      }),
    );
  });

  test("snappy: any bytes, cut or changed streams -> a result or SnappyError, and an end", () => {
    const good = compressSnappy(Buffer.from("limpet limpet limpet limpet 0123456789 limpet limpet"));
    const check = (bytes: Uint8Array): void => {
      try {
        uncompressSnappy(bytes, 1000);
      } catch (error) {
        expect(error).toBeInstanceOf(SnappyError);
      }
    };
    for (let end = 0; end < good.length; end++) expect(() => uncompressSnappy(good.subarray(0, end), 1000)).toThrow(SnappyError);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), check));
    fc.assert(fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => check(Buffer.from(good).fill(byte, at, at + 1))));
  });

  test("snappy: a literal of length 2^32-16, which sends snappyjs backwards for ever -> SnappyError", () => {
    expect(() => uncompressSnappy(Uint8Array.from([100, 0xfc, 0xf0, 0xff, 0xff, 0xff, 0, 0, 0, 0]), 1000)).toThrow("ends inside an element");
  });

  test("snappy: more than the limit announced -> refused before it is unpacked", () => {
    expect(() => uncompressSnappy(compressSnappy(new Uint8Array(5000)), 4999)).toThrow("holds 5000 bytes, more than the limit of 4999");
  });
});
