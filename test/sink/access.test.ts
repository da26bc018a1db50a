// Plan: what a sink shows to be let in, over real sockets: credentials, a token file that is replaced, TLS in both directions. And
// that a sink nobody answers for does not hold up another.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps, type ServerOptions } from "node:https";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { createReceiver } from "#limpet/http/remoteWriteReceiver.js";
import { openSink } from "#limpet/sink/openSink.js";
import { fileSecret, fixedSecret } from "#limpet/sink/secret.js";
import type { BlockOutcome, Sink, SinkOptions } from "#limpet/sink/sink.js";
import { blockOf, testRow } from "../metric/blocks.js";

const folder = mkdtempSync(join(tmpdir(), "limpet-access-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const cert = readFileSync("test/fixtures/tls/cert.pem", "utf8");
const key = readFileSync("test/fixtures/tls/key.pem", "utf8");

async function serve(listener: RequestListener, tls?: ServerOptions): Promise<string> {
  const server = tls === undefined ? createHttp(listener) : createHttps(tls, listener);
  await new Promise<void>((resolve) => (server as Server).listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return `${tls === undefined ? "http" : "https"}://127.0.0.1:${address.port}/api/v1/write`;
}

async function open(url: string, options: Partial<SinkOptions> = {}): Promise<Sink> {
  const sink = await openSink(url, { log: () => undefined, protocol: "1.0", ...options });
  closing.push(async () => {
    await sink.close(0);
  });
  return sink;
}

function offer(sink: Sink, timestamp: number): Promise<BlockOutcome> {
  return new Promise((resolve) => sink.offer(blockOf([testRow("m{i=1}", timestamp, 1)]), resolve));
}

describe("sink access", () => {
  test("token file: replaced while we run -> the refused request goes again with the new token, nothing is lost", async () => {
    const file = join(folder, "token");
    writeFileSync(file, "old\n");
    const receiver = createReceiver();
    let wanted = "Bearer old";
    const url = await serve((request, response) => {
      if (request.headers.authorization === wanted) return receiver.handler(request, response);
      request.resume().on("end", () => response.writeHead(401).end());
    });
    const sink = await open(url, { access: { secret: fileSecret(file) } });
    expect(await offer(sink, 1000)).toMatchObject({ stored: 1 });
    wanted = "Bearer new";
    writeFileSync(file, "new\n");
    expect(await offer(sink, 2000)).toMatchObject({ stored: 1 });
    wanted = "Bearer newer";
    expect(await offer(sink, 3000)).toMatchObject({ dropped: { bad_request: 1 } });
    expect(receiver.stats.rowsStored).toBe(2);
  });

  test("credentials of the options -> win over the URL's; user headers beside them, the protocol's own not replaced", async () => {
    let seen: Record<string, unknown> = {};
    const url = await serve((request, response) => {
      seen = request.headers;
      request.resume().on("end", () => response.writeHead(204).end());
    });
    const access = { username: "a", secret: fixedSecret("b") };
    const headers = { "x-scope-orgid": "t", "content-encoding": "gzip", "content-type": "text/plain" };
    const sink = await open(url.replace("//", "//x:y@"), { access, headers, name: "mine" });
    await offer(sink, 1000);
    expect(sink.name).toBe("mine");
    expect(seen).toMatchObject({
      authorization: `Basic ${Buffer.from("a:b").toString("base64")}`,
      "x-scope-orgid": "t",
      "content-encoding": "snappy",
      "content-type": "application/x-protobuf",
    });
  });

  test.each<[string, SinkOptions["tls"], boolean]>([
    ["nothing said: the certificate is not trusted", undefined, false],
    ["its CA and a certificate of our own", { ca: cert, cert, key }, true],
    ["its CA, no certificate of our own, which it asks for", { ca: cert }, false],
    ["its CA, and the name it has", { ca: cert, cert, key, serverName: "localhost" }, true],
    ["its CA, and a name it has not", { ca: cert, cert, key, serverName: "elsewhere" }, false],
    ["any certificate will do", { insecure: true, cert, key }, true],
  ])("tls: %s", async (_name, tls, good) => {
    const receiver = createReceiver();
    const url = await serve(receiver.handler, { cert, key, ca: cert, requestCert: true, rejectUnauthorized: true });
    const logs: string[] = [];
    const sink = await open(url, { ...(tls === undefined ? {} : { tls }), log: (_level, message) => logs.push(message) });
    const outcome = offer(sink, 1000);
    if (!good) await sink.close(300);
    expect(await outcome).toMatchObject(good ? { stored: 1 } : { dropped: { stop: 1 } });
    expect(logs.some((message) => message.includes("takes any certificate"))).toBe(tls?.insecure === true);
  });

  test("several sinks: one never answers -> the other gets every block at once", async () => {
    const receiver = createReceiver();
    const [deaf, good] = [await open(await serve(() => undefined)), await open(await serve(receiver.handler))];
    const block = blockOf([testRow("m{i=1}", 1000, 1)]);
    deaf.offer(block, () => undefined);
    for (let i = 1; i <= 20; i++) {
      deaf.offer(block, () => undefined);
      expect(await offer(good, i * 1000)).toMatchObject({ stored: 1 });
    }
    expect(deaf.stats()).toMatchObject({ queueRows: 21, stored: 0 });
    expect(good.stats()).toMatchObject({ queueRows: 0, stored: 20 });
  });
});
