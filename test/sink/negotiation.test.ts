// Plan: which version a receiver is sent, by what it answered; then over sockets, that a change of version loses and doubles nothing.
import { createServer, type RequestListener } from "node:http";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createReceiver } from "#limpet/http/remoteWriteReceiver.js";
import { Negotiation } from "#limpet/plugins/sinks/remote-write/negotiation.js";
import type { Reply } from "#limpet/plugins/sinks/remote-write/post.js";
import { openSink } from "#limpet/sink/openSink.js";
import type { BlockOutcome, Sink, SinkOptions } from "#limpet/sink/sink.js";
import { blockOf, testRow } from "../metric/blocks.js";
import { receiver2 } from "../servers/remoteWrite2.js";

const reply = (status: number, written = false): Reply => ({ answer: { kind: "status", status, body: "" }, written });
const failed: Reply = { answer: { kind: "failed", reason: "ECONNREFUSED" }, written: false };
const hour = 3_600_000;

describe("negotiation", () => {
  test.each<[string, readonly Reply[], "2.0" | "1.0"]>([
    ["nothing yet", [], "2.0"],
    ["204 and Written", [reply(204, true)], "2.0"],
    ["204 without Written: Thanos, VictoriaMetrics, Prometheus 2", [reply(204)], "1.0"],
    ["415", [reply(415)], "1.0"],
    ["400 of one that choked on the body", [reply(400)], "1.0"],
    ["500 of one that choked on the body", [reply(500)], "1.0"],
    ["400 and Written: some rows refused", [reply(400, true)], "2.0"],
    ["a request refused by one that has understood 2.0", [reply(204, true), reply(400)], "2.0"],
    ["500 of one that has understood 2.0", [reply(204, true), reply(500)], "2.0"],
    ["204 without Written after some with: its version was rolled back", [reply(204, true), reply(204)], "1.0"],
    ["not reachable", [failed], "2.0"],
    ["503, 429, 401: says nothing of the body", [reply(503), reply(429), reply(401)], "2.0"],
  ])("negotiation: %s -> goes on as said", (_name, replies, then) => {
    const negotiation = new Negotiation("auto");
    for (const each of replies) negotiation.fellBack(negotiation.version(0), each, 0);
    expect(negotiation.version(1)).toBe(then);
  });

  test("negotiation: fell back -> one request asks again after an hour, the others go on; an understood one changes all", () => {
    const negotiation = new Negotiation("auto");
    expect(negotiation.fellBack("2.0", reply(415), 0)).toBe(true);
    expect([negotiation.version(hour - 1), negotiation.version(hour), negotiation.version(hour + 1)]).toEqual(["1.0", "2.0", "1.0"]);
    expect(negotiation.fellBack("1.0", reply(204), hour + 1)).toBe(false);
    expect(negotiation.version(hour + 2)).toBe("1.0");
    expect(negotiation.fellBack("2.0", reply(204, true), hour + 3)).toBe(false);
    expect(negotiation.version(hour + 4)).toBe("2.0");
  });

  test("negotiation: a version was asked for -> nothing changes it", () => {
    for (const version of ["1.0", "2.0"] as const) {
      const negotiation = new Negotiation(version);
      expect(negotiation.fellBack(version, reply(415), 0)).toBe(false);
      expect(negotiation.version(2 * hour)).toBe(version);
    }
  });
});

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openAt(listener: RequestListener, options: Partial<SinkOptions> = {}): Promise<Sink> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  const sink = await openSink(`http://127.0.0.1:${address.port}/api/v1/write`, { log: () => undefined, ...options });
  closing.push(async () => {
    await sink.close(0);
  });
  return sink;
}

function offer(sink: Sink, timestamp: number, count = 50): Promise<BlockOutcome> {
  const rows = Array.from({ length: count }, (_, i) => ({
    ...testRow(`m{i=${i}}`, timestamp, i),
    ...(i % 2 === 0 ? { type: "counter" as const, startMs: 500 } : { type: "gauge" as const }),
  }));
  return new Promise((resolve) => sink.offer(blockOf(rows), resolve));
}

describe("remote write versions over sockets", () => {
  test("sink: a strict 2.0 receiver -> rows once, with types, and start timestamps where there are some", async () => {
    const { listener, rows, refused } = receiver2();
    const sink = await openAt(listener);
    for (const time of [1000, 2000]) expect(await offer(sink, time)).toEqual({ stored: 50, conflict: 0, unknown: 0, moved: 0, dropped: {} });
    expect(refused).toEqual([]);
    expect(rows).toHaveLength(100);
    const texts = rows.map(({ labels, timestamp, value, startMs, type }) => `${labels.join(" ")} ${timestamp} ${value} ${startMs} ${type}`);
    expect(new Set(texts).size).toBe(100);
    expect(texts).toContain("__name__,m i,7 2000 7 0 gauge");
    expect(texts).toContain("__name__,m i,8 2000 8 500 counter");
  });

  test.each<[string, (respond: (status: number) => void) => void]>([
    ["415", (respond) => respond(415)],
    ["204 without Written", (respond) => respond(204)],
    ["500", (respond) => respond(500)],
  ])("sink: a 1.0 receiver that answers 2.0 with %s -> the same rows in 1.0, once, and 1.0 from then on", async (_name, answer) => {
    const receiver = createReceiver();
    const logs: string[] = [];
    let asked = 0;
    const sink = await openAt(
      (request, response) => {
        if (request.headers["content-type"]?.includes("proto=") !== true) return receiver.handler(request, response);
        asked++;
        request.resume().on("end", () => answer((status) => response.writeHead(status).end()));
      },
      { log: (level, message) => logs.push(`${level}: ${message}`) },
    );
    for (const time of [1000, 2000, 3000]) expect(await offer(sink, time)).toMatchObject({ stored: 50 });
    expect(receiver.stats).toMatchObject({ rowsStored: 150, rowsDuplicate: 0, conflicts: 0, outOfOrder: 0 });
    // At most one per lane.
    expect(asked).toBeLessThanOrEqual(4);
    expect(logs).toEqual([expect.stringContaining("remote write 1.0")]);
  });

  test("sink: protocol 1.0 -> 2.0 is never asked; protocol 2.0 and a receiver that does not say Written -> nothing counts as stored", async () => {
    const receiver = createReceiver();
    const versions: (string | undefined)[] = [];
    const listener: RequestListener = (request, response) => {
      versions.push(String(request.headers["x-prometheus-remote-write-version"]));
      receiver.handler(request, response);
    };
    expect(await offer(await openAt(listener, { protocol: "1.0" }), 1000)).toMatchObject({ stored: 50 });
    expect(new Set(versions)).toEqual(new Set(["0.1.0"]));
    expect(await offer(await openAt(listener, { protocol: "2.0" }), 2000)).toMatchObject({ stored: 0, dropped: { bad_request: 50 } });
  });
});
