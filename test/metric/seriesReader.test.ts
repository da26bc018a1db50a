import { expect, test } from "@jest/globals";
import { SeriesReader } from "#limpet/metric/seriesReader.js";

/** A WriteRequest of one series with nothing but `samples` empty samples, two bytes each. */
function emptySamples(samples: number): Buffer {
  const message = Buffer.alloc(samples * 2);
  for (let i = 0; i < samples; i++) message[i * 2] = 0x12;
  const length: number[] = [];
  for (let rest = message.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), message]);
}

test("series reader: 100 000 samples in one series -> read; one more -> refused, as the body's bound alone would allow millions", () => {
  const reader = new SeriesReader(emptySamples(100_000));
  expect([reader.next(), reader.count]).toEqual([true, 100_000]);
  expect(() => new SeriesReader(emptySamples(100_001)).next()).toThrow("a series has more than 100000 samples; send them in several requests");
});
