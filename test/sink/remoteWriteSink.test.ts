// Plan: the driver over real sockets, against the in-memory receiver and against servers that misbehave on purpose.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createReceiver } from "#limpet/http/remoteWriteReceiver.js";
import { openSink } from "#limpet/sink/openSink.js";
import type { BlockOutcome, Sink, SinkOptions } from "#limpet/sink/sink.js";
import { blockOf, testRow } from "../metric/blocks.js";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return `http://127.0.0.1:${address.port}/api/v1/write`;
}

async function open(url: string, options: Partial<SinkOptions> = {}): Promise<Sink> {
  const sink = await openSink(url, { log: () => undefined, ...options });
  closing.push(async () => {
    await sink.close(0);
  });
  return sink;
}

function offer(sink: Sink, timestamp: number, count = 50): Promise<BlockOutcome> {
  const rows = Array.from({ length: count }, (_, i) => testRow(`m{i=${i}}`, timestamp, i));
  return new Promise((resolve) => sink.offer(blockOf(rows), resolve));
}

/** Misbehaves on the first `times` requests, then is a good receiver. */
function badFirst(
  times: number,
  bad: (request: IncomingMessage, response: ServerResponse) => void,
): { listener: RequestListener; receiver: ReturnType<typeof createReceiver> } {
  const receiver = createReceiver();
  let seen = 0;
  return { receiver, listener: (request, response) => (seen++ < times ? bad(request, response) : receiver.handler(request, response)) };
}

describe("remote-write sink over sockets", () => {
  test("sink: several windows -> all rows once, with the protocol's headers and credentials that show nowhere", async () => {
    const receiver = createReceiver();
    const seen: IncomingMessage["headers"][] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers);
      receiver.handler(request, response);
    });
    const sink = await open(url.replace("//", "//me:p%40ss@"), { headers: { "x-scope-orgid": "t1" } });
    expect(sink.name).toBe(url);
    for (const time of [1000, 2000, 3000]) expect(await offer(sink, time)).toEqual({ stored: 50, conflict: 0, unknown: 0, moved: 0, dropped: {} });
    expect(receiver.stats).toMatchObject({ rowsStored: 150, rowsDuplicate: 0, conflicts: 0, series: 50 });
    expect(seen.at(-1)).toMatchObject({
      authorization: `Basic ${Buffer.from("me:p@ss").toString("base64")}`,
      "content-encoding": "snappy",
      "content-type": "application/x-protobuf",
      "x-prometheus-remote-write-version": "0.1.0",
      "x-scope-orgid": "t1",
    });
  });

  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ["429 with Retry-After: 0", (_request, response) => void response.writeHead(429, { "retry-after": "0" }).end("slow down")],
    ["503", (_request, response) => void response.writeHead(503).end()],
    ["the connection is closed before an answer", (request) => void request.socket.destroy()],
    [
      "500, the connection is closed within its body",
      (request, response) => {
        response.writeHead(500, { "content-length": "100" });
        response.write("only this", () => request.socket.destroy());
      },
    ],
  ])("sink: at first %s -> sent again, every row stored once", async (_name, bad) => {
    const { listener, receiver } = badFirst(6, bad);
    const sink = await open(await serve(listener));
    expect(await offer(sink, 1000)).toMatchObject({ stored: 50 });
    expect(await offer(sink, 2000)).toMatchObject({ stored: 50 });
    expect(receiver.stats).toMatchObject({ rowsStored: 100, outOfOrder: 0, conflicts: 0 });
  });

  test("sink: 204 and the connection is closed -> stored, not sent again", async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests++;
      request.resume().on("end", () => {
        response.writeHead(204, { connection: "close" }).end();
      });
    });
    const sink = await open(url);
    expect(await offer(sink, 1000, 1)).toMatchObject({ stored: 1 });
    // One in 2.0 that nobody read, and one in 1.0.
    expect(requests).toBe(2);
    expect(await offer(sink, 2000, 1)).toMatchObject({ stored: 1 });
    expect(requests).toBe(3);
  });

  test("sink: a receiver that never answers -> each request ends at the timeout, close() at its deadline, rows dropped{stop}", async () => {
    let requests = 0;
    const url = await serve(() => {
      requests++;
    });
    const sink = await open(url, { timeoutMs: 20 });
    const outcome = offer(sink, 1000, 1);
    await sink.close(300);
    expect(await outcome).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { stop: 1 } });
    expect(requests).toBeGreaterThan(1);
  });

  test("sink: close while rows wait -> sends them first", async () => {
    const { listener, receiver } = badFirst(1, (_request, response) => void response.writeHead(500).end());
    const sink = await open(await serve(listener));
    const outcomes = [1000, 2000, 3000].map((time) => offer(sink, time));
    await sink.close(10_000);
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ stored: 50 });
    expect(receiver.stats.rowsStored).toBe(150);
  });
});
