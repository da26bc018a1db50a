// Plan: requests made by the encoder; what is kept and answered follows research on a real Prometheus without out-of-order window.
import { expect, test } from "@jest/globals";
import { compressSnappy } from "#limpet/base/snappy.js";
import { createReceiver } from "#limpet/http/remoteWriteReceiver.js";
import { WriteRequestEncoder } from "#limpet/metric/remoteWrite.js";
import { RowReader } from "#limpet/metric/rowBlock.js";
import { blockOf, staleBytes, type TestRow, testRow } from "../metric/blocks.js";

function body(...rows: readonly TestRow[]): Uint8Array {
  const encoder = new WriteRequestEncoder();
  const { bytes } = blockOf(rows);
  const reader = new RowReader(bytes);
  while (reader.next()) encoder.add(bytes, reader.rowStart);
  return compressSnappy(encoder.bytes());
}

test("receiver: new samples, a re-send, another value, an older one -> 204, 204, 400, 400 and counted", () => {
  const receiver = createReceiver();
  expect(receiver.receive(body(testRow("a", 10, 1), testRow("b", 10, 2)))).toEqual({ status: 204, body: "" });
  expect(receiver.receive(body(testRow("a", 10, 1), testRow("b", 20, 2))).status).toBe(204);
  expect(receiver.receive(body(testRow("a", 10, 3)))).toMatchObject({ status: 400, body: expect.stringContaining("duplicate sample for timestamp") });
  expect(receiver.receive(body(testRow("b", 10, 2)))).toMatchObject({ status: 400, body: expect.stringContaining("out of order sample") });
  expect(receiver.stats).toEqual({
    requests: 4,
    samples: 4,
    rowsStored: 3,
    rowsDuplicate: 1,
    conflicts: 1,
    outOfOrder: 1,
    badRequests: 0,
    series: 2,
  });
});

test("receiver: one bad sample in a request -> nothing of it is kept", () => {
  const receiver = createReceiver();
  receiver.receive(body(testRow("a", 10, 1)));
  expect(receiver.receive(body(testRow("b", 10, 1), testRow("a", 10, 2))).status).toBe(400);
  expect(receiver.stats).toMatchObject({ series: 1, rowsStored: 1 });
  expect(receiver.receive(body(testRow("b", 5, 7))).status).toBe(204);
});

test("receiver: a staleness marker and another NaN at one time -> two different values", () => {
  const receiver = createReceiver();
  const stale = { ...testRow("a", 10, 0), valueBytes: staleBytes };
  expect(receiver.receive(body(stale)).status).toBe(204);
  expect(receiver.receive(body(stale)).status).toBe(204);
  expect(receiver.receive(body(testRow("a", 10, Number.NaN))).status).toBe(400);
});

test("receiver: bytes that are no request, too large, too many series -> 400, 413, 429, nothing kept", () => {
  const receiver = createReceiver({ bodyBytesMax: 200, seriesMax: 2 });
  expect(receiver.receive(Buffer.from("not snappy")).status).toBe(400);
  expect(receiver.receive(compressSnappy(Buffer.from("garbage"))).status).toBe(400);
  expect(receiver.receive(body(testRow(`m{x=${"y".repeat(300)}}`, 1, 1))).status).toBe(413);
  expect(receiver.receive(body(testRow("a", 1, 1), testRow("b", 1, 1), testRow("c", 1, 1))).status).toBe(429);
  expect(receiver.stats).toMatchObject({ badRequests: 4, series: 0 });
});

test("receiver: latest -> the newest rows stored, oldest first, as many as asked for", () => {
  const receiver = createReceiver();
  for (let i = 1; i <= 300; i++) receiver.receive(body(testRow("a{x=1}", i, i)));
  expect(receiver.latest(2)).toEqual([299, 300].map((i) => ({ name: "a", labels: { x: "1" }, timestamp: i, value: i })));
  expect([receiver.latest(0).length, receiver.latest(1000).length]).toEqual([0, 256]);
});
