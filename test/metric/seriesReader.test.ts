// Plan: protobufjs writes requests of both versions from random series; the reader must find them, and their label bytes must not
// depend on the version. What is wrong with one series costs that series alone.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { SeriesReader, seriesOf, type WriteVersion } from "#limpet/metric/seriesReader.js";
import { SeriesWriter } from "#limpet/metric/seriesWriter.js";
import { encodeRequest, encodeRequest2, type SentSeries } from "../http/writeRequest.js";

interface Found {
  readonly labels: readonly (readonly [string, string])[] | undefined;
  readonly bytes: string;
  readonly samples: readonly (readonly [value: number, timestamp: number, start: number, stale: number])[];
  readonly histograms: number;
  readonly exemplars: number;
  readonly type: number;
}

function readAll(bytes: Uint8Array, version: WriteVersion): { readonly good: Found[]; readonly problems: string[] } {
  const reader = new SeriesReader(bytes, version);
  if (reader.fault !== undefined) throw new Error(reader.fault);
  const good: Found[] = [];
  const problems: string[] = [];
  let count = 0;
  for (; reader.next(); count++) {
    if (reader.problem !== "") {
      problems.push(reader.problem);
      continue;
    }
    const { samples, histograms, exemplars, type } = reader;
    const target = Buffer.alloc(reader.labelsLength + 7);
    reader.writeLabels(target, 7);
    const own = Array.from({ length: samples.count }, (_, i) => i);
    good.push({
      labels: reader.labels(),
      bytes: target.toString("hex", 7),
      samples: own.map((i) => [samples.values[i] ?? 0, samples.timestamps[i] ?? 0, samples.starts[i] ?? 0, samples.stale[i] ?? 0]),
      histograms,
      exemplars,
      type,
    });
  }
  expect(count).toBe(reader.seriesCount);
  return { good, problems };
}

const text = fc.oneof(
  { weight: 9, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom("v".repeat(127), "v".repeat(128), "w".repeat(20_000)) },
);
const timestamp = fc.oneof(fc.integer({ min: 0, max: 2 ** 42 }), fc.constantFrom(0, 1, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 52, -1, -(2 ** 41)));
const seriesArbitrary: fc.Arbitrary<SentSeries> = fc.record({
  labels: fc.array(fc.tuple(text, text), { maxLength: 6 }),
  samples: fc.array(fc.record({ value: fc.double(), timestamp, start: timestamp }), { maxLength: 20 }),
  stale: fc.boolean(),
  type: fc.integer({ min: 0, max: 7 }),
  histograms: fc.nat(2),
  exemplars: fc.nat(2),
});

describe("series reader", () => {
  test("random requests by protobufjs, 1.0 and 2.0 -> every series as sent, label bytes equal in both", () => {
    fc.assert(
      fc.property(fc.array(seriesArbitrary, { maxLength: 8 }), (sent) => {
        const first = readAll(encodeRequest(sent), "1.0");
        const second = readAll(encodeRequest2(sent), "2.0");
        const expected = (version: WriteVersion): unknown =>
          sent.map(({ labels, samples, stale, histograms, exemplars, type }) => ({
            labels,
            bytes: expect.any(String),
            samples: samples.map(({ value, timestamp: time, start = 0 }) => [
              stale === true ? Number.NaN : value,
              time,
              version === "1.0" ? 0 : start,
              Number(stale),
            ]),
            histograms,
            exemplars,
            type: version === "1.0" ? 0 : type,
          }));
        expect(first).toEqual({ good: expected("1.0"), problems: [] });
        expect(second).toEqual({ good: expected("2.0"), problems: [] });
        expect(second.good.map(({ bytes }) => bytes)).toEqual(first.good.map(({ bytes }) => bytes));
      }),
      { numRuns: 200 },
    );
  });

  test("written for an owner, 1.0 and 2.0 -> read again the same, but for samples that are no numbers", () => {
    const writer = new SeriesWriter();
    // Times of 2^63 - 1, -2^63 and 1. What no double holds is rounded up on reading, and must not come out as a negative number.
    const times = [[...new Array<number>(8).fill(0xff), 0x7f], [...new Array<number>(9).fill(0x80), 0x01], [1]];
    const label = [0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62];
    const far = Buffer.from([...label, ...times.flatMap((time) => [0x12, 1 + time.length, 0x10, ...time])]);
    const roundTrip = (request: Uint8Array, version: WriteVersion): void => {
      const reader = new SeriesReader(request, version);
      const pieces: Uint8Array[] = [];
      while (reader.next()) pieces.push(writer.write(reader).slice());
      const most = 2 ** 63 - 1024;
      const expected = readAll(request, version).good.map(({ labels, bytes, samples }) => ({
        ...{ labels, bytes, histograms: 0, exemplars: 0, type: 0 },
        samples: samples
          .filter(([value]) => Number.isFinite(value))
          .map(([value, time, start]) => [value, Math.min(time, most), Math.min(start, most), 0]),
      }));
      expect(readAll(Buffer.concat(pieces), "1.0")).toEqual({ good: expected, problems: [] });
    };
    roundTrip(Buffer.concat([Buffer.of(0x0a, far.length), far]), "1.0");
    fc.assert(
      fc.property(fc.array(seriesArbitrary, { maxLength: 5 }), (sent) => {
        roundTrip(encodeRequest(sent), "1.0");
        roundTrip(encodeRequest2(sent), "2.0");
      }),
    );
  });

  test("start timestamp of the series (2.0-rc.3) -> that of the samples which have none of their own", () => {
    const series = {
      labels: [["a", "b"]] as const,
      samples: [
        { value: 1, timestamp: 9 },
        { value: 2, timestamp: 10, start: 5 },
      ],
      created: 3,
    };
    expect(readAll(encodeRequest2([series]), "2.0").good[0]?.samples.map(([, , start]) => start)).toEqual([3, 5]);
  });

  test("labels and samples woven with each other -> one series, labels in order", () => {
    const label = (name: string, value: string): number[] => [0x0a, 6, 0x0a, 1, name.charCodeAt(0), 0x12, 1, value.charCodeAt(0)];
    const message = [...label("a", "1"), 0x12, 2, 0x10, 7, ...label("b", "2"), 0x12, 2, 0x10, 8];
    const { good } = readAll(Uint8Array.from([0x0a, message.length, ...message]), "1.0");
    expect(good).toMatchObject([
      {
        labels: [
          ["a", "1"],
          ["b", "2"],
        ],
        samples: [
          [0, 7, 0, 0],
          [0, 8, 0, 0],
        ],
      },
    ]);
  });

  const cpu: SentSeries = { labels: [["__name__", "cpu"]], samples: [{ value: 1, timestamp: 2 }] };
  const mem: SentSeries = { labels: [["__name__", "mem"]], samples: [{ value: 1, timestamp: 2 }] };

  test.each([
    ["an odd number of references", [1], "an odd number of label references"],
    ["a symbol that is not there", [1, 7], "label reference 7 of 6 symbols"],
    ["the largest reference", [4_294_967_295, 1], "label reference 4294967295 of 6 symbols"],
    ["too many labels", new Array<number>(8194).fill(1), "more than 4096 labels"],
  ])("2.0, %s -> that series has the problem, the next one is read", (_what, wrong, problem) => {
    const bytes = encodeRequest2([cpu, mem], (refs) => (refs[1] === 2 ? wrong : [1, 2]));
    const { good, problems } = readAll(bytes, "2.0");
    expect([good.length, problems]).toEqual([1, [problem]]);
  });

  test("bytes that are no message inside one series -> its problem with the place, the next one is read", () => {
    const good = encodeRequest([cpu]);
    const bytes = Buffer.concat([good, Buffer.from([0x0a, 2, 0x12, 9]), good]);
    expect(readAll(bytes, "1.0")).toMatchObject({ good: [{}, {}], problems: [expect.stringMatching(/^field 2 at byte \d+$/)] });
  });

  test.each([
    ["1.0", encodeRequest2([cpu]), "not a WriteRequest: it holds series of remote write 2.0; the content-type must say which it is"],
    ["2.0", encodeRequest([cpu]), "not a io.prometheus.write.v2.Request: it holds series of remote write 1.0; the content-type must say which it is"],
    ["1.0", Buffer.from("hello"), "not a WriteRequest: field 13 at byte 3"],
    ["2.0", encodeRequest2([cpu]).subarray(0, -1), expect.stringMatching(/^not a io.prometheus.write.v2.Request: field 5 at byte \d+$/)],
    ["2.0", Buffer.alloc(2 * ((1 << 20) + 1), Buffer.from([0x22, 0])), "more than 1048576 symbols; send smaller requests"],
    [
      "1.0",
      Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]),
      "not a WriteRequest: a number longer than 10 bytes at byte 10",
    ],
    ["1.0", Buffer.from([0x0a]), "not a WriteRequest: a number ends outside its message at byte 1"],
  ] as const)("%s request that is none -> no series, and why", (version, bytes, fault) => {
    const reader = new SeriesReader(bytes, version);
    expect([reader.fault, reader.seriesCount, reader.next()]).toEqual([fault, 0, false]);
  });

  /** A WriteRequest of one series with nothing but `samples` empty samples, two bytes each. */
  function emptySamples(samples: number): Buffer {
    const message = Buffer.alloc(samples * 2, Buffer.from([0x12, 0]));
    const length: number[] = [];
    for (let rest = message.length; ; rest >>>= 7) {
      length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
      if (rest <= 0x7f) break;
    }
    return Buffer.concat([Buffer.from([0x0a, ...length]), message]);
  }

  test("100 000 samples in one series -> read; one more -> refused, as the body's bound alone would allow millions", () => {
    expect(readAll(emptySamples(100_000), "1.0").good[0]?.samples).toHaveLength(100_000);
    expect(readAll(emptySamples(100_001), "1.0").problems).toEqual(["more than 100000 samples; send them in several requests"]);
  });
});

test("series of labels: empty ones left out, sorted by bytes; a label twice -> refused", () => {
  const labels = [
    ["z", "1"],
    ["__name__", "m"],
    ["a", ""],
    ["", "x"],
    ["b", "2"],
  ] as const;
  expect(seriesOf(labels)).toEqual({
    ok: true,
    name: "m",
    labels: [
      ["b", "2"],
      ["z", "1"],
    ],
  });
  expect(seriesOf([...labels, ["z", "2"]])).toEqual({ ok: false, message: "label z stands twice in m" });
});
