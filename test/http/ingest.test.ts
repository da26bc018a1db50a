// The doors as Telegraf's outputs, InfluxDB clients and Prometheus knock: right requests, wrong requests word for word, tokens,
// TLS, bounds, and what happens at the edges of the process' life. A real engine behind a real listener on loopback.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientRequest, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { request as tlsRequest } from "node:https";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { InfluxDB, Point } from "@influxdata/influxdb-client";
import { afterEach, describe, expect, test } from "@jest/globals";
import { Engine } from "#limpet/aggregate/engine.js";
import type { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import type { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { compressSnappy } from "#limpet/base/snappy.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { Tokens } from "#limpet/http/auth.js";
import { createIngest, type Ingest, type IngestOptions } from "#limpet/http/ingest.js";
import { type RunningServer, type ServerOptions, startServer } from "#limpet/http/server.js";
import { encodeRequest, encodeRequest2, type SentSeries } from "./writeRequest.js";

const NOW_MS = 1_763_870_000_000;
const LINE = "cpu,host=a idle=1\n";
const LIMIT = 100_000;
const outputs = await loadOutputs();

interface Running {
  readonly server: RunningServer;
  readonly engine: Engine;
  readonly ingest: Ingest;
  readonly warnings: string[];
}

let running: Running | undefined;

afterEach(async () => {
  await running?.server.close(0);
  running?.engine.dispose();
  running = undefined;
});

async function start(options: Partial<IngestOptions> = {}, server: Partial<ServerOptions> = {}): Promise<Running> {
  const text = "- match: '{__name__=~\"cpu.+\"}'\n  interval: 10s\n  by: [host, db]\n  outputs: [sum_samples]\n";
  const { rules } = readRules([{ name: "rules.yaml", text }], { outputs, env: {}, naming: "telegraf" });
  const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: NOW_MS, maxFutureMs: 60_000, memoryBytesMax: 1 << 28 });
  const warnings: string[] = [];
  const read = async (document: LineDocument | SeriesDocument): Promise<void> => {
    while (!document.done) {
      engine.step(NOW_MS, { kind: "document", document });
      await new Promise(setImmediate);
    }
  };
  const warn = (message: string): void => void warnings.push(message);
  const ingest = createIngest({ read, warn, version: "1.2.3", bodyBytesMax: LIMIT, ...options });
  ingest.open();
  const limits = { bodyBytesMax: LIMIT, lingerMs: 50, ...server.limits };
  const result = await startServer({ host: "127.0.0.1", port: 0, routes: ingest.routes, warn, ...server, limits });
  if (!result.ok) throw new Error(result.message);
  running = { server: result.server, engine, ingest, warnings };
  return running;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve).once("error", reject);
  });
}

async function send(path: string, body: string | Uint8Array = "", headers: OutgoingHttpHeaders = {}, method = "POST"): Promise<Answer> {
  const url = new URL(path, running?.server.url);
  const ca = url.protocol === "https:" ? readFileSync("test/fixtures/tls/cert.pem") : undefined;
  const request = url.protocol === "https:" ? tlsRequest(url, { method, headers, ca }) : httpRequest(url, { method, headers });
  request.end(body);
  const response = await responseTo(request);
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}

const received = (): number => running?.engine.ledger().samplesReceived ?? -1;
const GZIP = { "content-encoding": "gzip" };
const WRITE = { "content-encoding": "snappy", "content-type": "application/x-protobuf", "x-prometheus-remote-write-version": "0.1.0" };
const WRITE2 = {
  ...WRITE,
  "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
  "x-prometheus-remote-write-version": "2.0.0",
};
const CPU: SentSeries = { labels: [["__name__", "cpu_x"]], samples: [{ value: 1, timestamp: NOW_MS }] };
const TWICE: SentSeries = { ...CPU, labels: [...CPU.labels, ["a", "1"], ["a", "2"]] };
const seriesBody = (...values: number[]): Uint8Array =>
  compressSnappy(encodeRequest([{ labels: [["__name__", "cpu_x"]], samples: values.map((value, i) => ({ value, timestamp: NOW_MS + i })) }]));

describe("doors: data", () => {
  test.each([
    ["/api/v2/write?bucket=b&org=o", { "content-type": "text/plain; charset=utf-8", "user-agent": "Telegraf/1.38 Go/1.25" }],
    ["/write?db=telegraf&rp=&consistency=any", {}],
    ["/telegraf", {}],
  ])("%s: gzip, identity, chunked -> 204 without a body, all applied", async (path, headers) => {
    await start();
    const answers = [
      await send(path, gzipSync(LINE.repeat(3)), { ...headers, ...GZIP }),
      await send(path, LINE, { ...headers, "content-encoding": "identity" }),
      await send(path, LINE, { ...headers, "transfer-encoding": "chunked" }),
      await send(path, "", headers),
    ];
    for (const { status, body, headers: got } of answers) expect([status, body, got["content-type"]]).toEqual([204, "", undefined]);
    expect(received()).toBe(5);
  });

  test("good and bad lines -> 204, the bad ones counted, named in a header and logged with their place", async () => {
    const { engine, warnings } = await start();
    for (const path of ["/api/v2/write", "/write", "/telegraf"]) {
      const { status, headers } = await send(path, `${LINE}bad\n${LINE}worse\n`);
      expect([status, headers["limpet-lines-invalid"]]).toEqual([204, "2"]);
    }
    expect(engine.ledger()).toMatchObject({ samplesReceived: 6, linesInvalid: { syntax: 6 }, linesRead: 12 });
    expect(warnings[0]).toBe("POST /api/v2/write: 2 of 4 lines are not line protocol; line 2, column 4: expected tag");
  });

  test("PUT on /telegraf, as outputs.http may be told -> as POST; on the others 405", async () => {
    await start();
    expect((await send("/telegraf", LINE, {}, "PUT")).status).toBe(204);
    expect([(await send("/api/v2/write", LINE, {}, "PUT")).status, received()]).toEqual([405, 1]);
  });

  test("bad lines only -> /telegraf 204: its output would send them for ever", async () => {
    await start();
    expect((await send("/telegraf", '{"metrics":[]}')).status).toBe(204);
    expect(running?.engine.ledger().linesInvalid).toEqual({ syntax: 1 });
  });

  test("the InfluxDB 2 client -> writes as it does to InfluxDB", async () => {
    const { server, engine } = await start({ tokens: new Tokens(["secret"]) });
    const write = new InfluxDB({ url: server.url, token: "secret" }).getWriteApi("o", "b", "ms");
    for (let i = 0; i < 50; i++)
      write.writePoint(
        new Point("cpu")
          .tag("host", "a")
          .floatField("idle", i)
          .timestamp(NOW_MS + i),
      );
    await write.close();
    expect(engine.ledger()).toMatchObject({ samplesMatched: 50, rules: [{ pairsApplied: 50 }] });
  });

  test("--db-label -> database and bucket become a label", async () => {
    const { engine } = await start({ dbLabel: "db" });
    await send("/write?db=one", LINE);
    await send("/api/v2/write?bucket=two", LINE);
    await send("/write", LINE);
    expect(engine.ledger().rules[0]?.groups).toBe(3);
  });

  test("remote write 1.0 -> 204, applied", async () => {
    await start();
    expect(await send("/api/v1/write", seriesBody(1, 2), WRITE)).toMatchObject({ status: 204, body: "" });
    expect(received()).toBe(2);
  });

  const written = ({ headers }: Answer): unknown[] =>
    ["samples", "histograms", "exemplars"].map((what) => headers[`x-prometheus-remote-write-${what}-written`]);

  test("remote write 2.0 -> 204 with what was written, applied; unmatched samples are taken too", async () => {
    await start();
    const other: SentSeries = { labels: [["__name__", "mem"]], samples: CPU.samples, histograms: 1, exemplars: 1 };
    const answer = await send("/api/v1/write", compressSnappy(encodeRequest2([CPU, other])), WRITE2);
    expect([answer.status, written(answer)]).toEqual([204, ["2", "0", "0"]]);
    expect(running?.engine.ledger()).toMatchObject({ samplesReceived: 3, samplesMatched: 1, samplesIgnored: { unmatched: 1, histogram: 1 } });
    expect(running?.warnings).toEqual(["POST /api/v1/write: 1 native histograms are not aggregated; send classic ones"]);
  });

  test.each([
    ["1.0", WRITE, encodeRequest, [undefined, undefined, undefined]],
    ["2.0", WRITE2, encodeRequest2, ["2", "0", "0"]],
  ] as const)(
    "remote write %s with a series that cannot be -> the others applied, 400 with counts, counted and logged",
    async (_version, headers, encode, counts) => {
      const { engine, warnings } = await start();
      const answer = await send("/api/v1/write", compressSnappy(encode([CPU, TWICE, CPU])), headers);
      const problem = "1 of 3 series cannot be taken; series 2: label a stands twice in cpu_x";
      expect(answer).toMatchObject({ status: 400, body: `${problem}\n`, headers: { "limpet-series-invalid": "1" } });
      expect(written(answer)).toEqual(counts);
      expect(engine.ledger()).toMatchObject({ samplesReceived: 2, linesInvalid: { series: 1 } });
      expect(warnings).toEqual([`POST /api/v1/write: ${problem}`]);
    },
  );

  test("the same from Telegraf's outputs.http, which repeats every refusal -> 204 with the count; what is no message -> 400 all the same", async () => {
    await start();
    const telegraf = { ...WRITE, "user-agent": "Telegraf/1.38.0 Go/1.25.1" };
    const answer = await send("/api/v1/write", compressSnappy(encodeRequest([CPU, TWICE])), telegraf);
    expect(answer).toMatchObject({ status: 204, body: "", headers: { "limpet-series-invalid": "1" } });
    expect((await send("/api/v1/write", compressSnappy(Buffer.from("hello")), telegraf)).status).toBe(400);
    expect(received()).toBe(1);
  });

  test("2.0 message that is cut off -> 400, zeroes written, nothing applied", async () => {
    await start();
    const answer = await send("/api/v1/write", compressSnappy(encodeRequest2([CPU, CPU]).subarray(0, -1)), WRITE2);
    expect([answer.status, written(answer), received()]).toEqual([400, ["0", "0", "0"], 0]);
  });

  test("a metric whose type a rule contradicts -> said once", async () => {
    await start();
    for (const host of ["a", "b"])
      await send("/api/v1/write", compressSnappy(encodeRequest2([{ ...CPU, labels: [...CPU.labels, ["host", host]], type: 1 }])), WRITE2);
    expect(running?.warnings).toEqual([expect.stringContaining("makes sum_samples of cpu_x, which its sender calls a counter")]);
  });

  test("200 posts over 50 connections with a stream beside them -> every sample once, the books balance", async () => {
    const { engine } = await start();
    engine.feed(NOW_MS, Buffer.from("cpu,host=stream id"));
    const body = gzipSync('cpu,host=a idle=1,busy=2,note="x"\n'.repeat(230));
    const post = async (): Promise<void> => {
      for (let i = 0; i < 4; i++) expect((await send("/api/v2/write", body, GZIP)).status).toBe(204);
    };
    await Promise.all(Array.from({ length: 50 }, post));
    engine.feed(NOW_MS, Buffer.from("le=5\n"), true);
    const { samplesReceived, samplesMatched, samplesIgnored, rules } = engine.ledger();
    expect([samplesReceived, samplesMatched, samplesIgnored]).toEqual([200 * 230 * 3 + 1, 200 * 230 * 2 + 1, { string: 200 * 230 }]);
    expect(rules[0]).toMatchObject({ pairsMatched: samplesMatched, pairsApplied: samplesMatched, groups: 4 });
  });
});

const json = (value: unknown): string => `${JSON.stringify(value)}\n`;
const v2 = (code: string, message: string): string => json({ code, message });
const v1 = (error: string): string => json({ error });
const NOT_LINES = "1 of 1 lines are not line protocol; line 1, column 4: expected tag";
const BOMB = gzipSync(Buffer.alloc(LIMIT * 100));

const WRONG: readonly (readonly [
  what: string,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders,
  body: string | Uint8Array,
  status: number,
  answer: string,
])[] = [
  ["no line good, v2", "POST", "/api/v2/write", {}, "bad", 400, v2("invalid", NOT_LINES)],
  ["no line good, v1", "POST", "/write", {}, "bad", 400, v1(NOT_LINES)],
  ["no gzip, v2", "POST", "/api/v2/write", GZIP, LINE, 400, v2("invalid", "gzip: the body is no gzip, or damaged")],
  ["gzip cut off, v1", "POST", "/write", GZIP, gzipSync(LINE).subarray(0, 20), 400, v1("gzip: the body ends too early")],
  ["gzip empty", "POST", "/telegraf", GZIP, "", 400, v1("gzip: the body is empty")],
  ["gzip bomb, v2", "POST", "/api/v2/write", GZIP, BOMB, 413, v2("request too large", "body over 100000 bytes when unpacked; send smaller batches")],
  ["gzip bomb, v1", "POST", "/write", GZIP, BOMB, 413, v1("body over 100000 bytes when unpacked; send smaller batches")],
  ["too large, v2", "POST", "/api/v2/write", {}, "x".repeat(LIMIT + 1), 413, v2("request too large", "body over 100000 bytes; send smaller batches")],
  [
    "too large in chunks, v1",
    "POST",
    "/write",
    { "transfer-encoding": "chunked" },
    "x".repeat(LIMIT + 1),
    413,
    v1("body over 100000 bytes; send smaller batches"),
  ],
  ["zstd", "POST", "/telegraf", { "content-encoding": "zstd" }, LINE, 415, v1("content-encoding zstd is not taken; send gzip or identity")],
  [
    "zstd, v2",
    "POST",
    "/api/v2/write",
    { "content-encoding": "zstd" },
    LINE,
    415,
    v2("invalid", "content-encoding zstd is not taken; send gzip or identity"),
  ],
  ["v1 precision, v2", "POST", "/api/v2/write?precision=n", {}, LINE, 400, v2("invalid", "precision n is unknown; use ns, us, ms, s")],
  ["precision", "POST", "/write?precision=d", {}, LINE, 400, v1("precision d is unknown; use ns, us, ms, s, n, u, µ, m, h")],
  ["database with a line break", "POST", "/write?db=a%0Ab", {}, LINE, 400, v1("db: at most 1024 characters without a line break")],
  [
    "bucket too long",
    "POST",
    `/api/v2/write?bucket=${"b".repeat(1025)}`,
    {},
    LINE,
    400,
    v2("invalid", "bucket: at most 1024 characters without a line break"),
  ],
  ["GET, v2", "GET", "/api/v2/write", {}, "", 405, v2("method not allowed", "/api/v2/write answers POST, not GET")],
  ["PUT, v1", "PUT", "/write", {}, LINE, 405, v1("/write answers POST, not PUT")],
  ["DELETE query", "DELETE", "/query", {}, "", 405, v1("/query answers GET, POST, not DELETE")],
  ["no query", "POST", "/query", {}, "", 400, v1('missing required parameter "q"')],
  ["another query", "GET", "/query?q=SELECT+1", {}, "", 400, v1("only CREATE DATABASE is answered: Limpet stores nothing that could be queried")],
  ["no Snappy", "POST", "/api/v1/write", WRITE, LINE, 400, "not a Snappy block: it ends inside an element\n"],
  ["Snappy of nonsense", "POST", "/api/v1/write", WRITE, compressSnappy(Buffer.from("hello")), 400, "not a WriteRequest: field 13 at byte 3\n"],
  [
    "Snappy bomb",
    "POST",
    "/api/v1/write",
    WRITE,
    compressSnappy(Buffer.alloc(LIMIT + 1)),
    413,
    "holds 100001 bytes, more than the limit of 100000\n",
  ],
  [
    "remote write 3.0",
    "POST",
    "/api/v1/write",
    { ...WRITE, "content-type": "application/x-protobuf; proto=io.prometheus.write.v3.Request" },
    seriesBody(1),
    415,
    "message io.prometheus.write.v3.request is not taken; send io.prometheus.write.v2.Request or prometheus.WriteRequest\n",
  ],
  [
    "remote write 1.0 that says it is 2.0",
    "POST",
    "/api/v1/write",
    WRITE2,
    seriesBody(1),
    400,
    "not a io.prometheus.write.v2.Request: it holds series of remote write 1.0; the content-type must say which it is\n",
  ],
  [
    "remote write 2.0 that says it is 1.0",
    "POST",
    "/api/v1/write",
    WRITE,
    compressSnappy(encodeRequest2([CPU])),
    400,
    "not a WriteRequest: it holds series of remote write 2.0; the content-type must say which it is\n",
  ],
];

describe("doors: wrong requests, word for word", () => {
  test.each(WRONG)("%s", async (_what, method, path, headers, body, status, answer) => {
    await start();
    const got = await send(path, body, headers, method);
    expect([got.status, got.body]).toEqual([status, answer]);
    expect(received()).toBe(0);
    expect((await send("/write", LINE)).status).toBe(204);
  });

  test("another path -> 404 with those there are", async () => {
    await start();
    const { status, body } = await send("/api/v3/write", LINE);
    expect([status, body]).toEqual([
      404,
      expect.stringContaining('"error":"no such path: /api/v3/write","paths":["/api/v2/write","/write","/telegraf"'),
    ]);
  });
});

describe("doors: what clients ask first", () => {
  test("/ping, /health, /ready, CREATE DATABASE -> as InfluxDB, without a token where InfluxDB asks none", async () => {
    await start({ tokens: new Tokens(["secret"]) });
    expect(await send("/ping", "", {}, "GET")).toMatchObject({ status: 204, body: "", headers: { "x-influxdb-version": "1.8.10" } });
    expect(await send("/ping", "", {}, "HEAD")).toMatchObject({ status: 204 });
    expect((await send("/health", "", {}, "GET")).body).toContain('"status":"pass"');
    expect((await send("/ready", "", {}, "GET")).body).toBe('{"status":"ready"}\n');
    const form = { "content-type": "application/x-www-form-urlencoded", authorization: "Token secret" };
    expect(await send("/query", 'q=CREATE+DATABASE+"telegraf"', form)).toMatchObject({ status: 200, body: '{"results":[{}]}\n' });
  });
});

describe("doors: tokens", () => {
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

  test.each([
    ["Token secret", "", 204],
    ["Bearer secret", "", 204],
    ["token other", "", 204],
    [basic("user:secret"), "", 204],
    ["", "?u=user&p=secret", 204],
    ["", "", 401],
    ["Token", "", 401],
    ["Token secre", "", 401],
    ["Token secret2", "", 401],
    ["Digest secret", "", 401],
    [basic("secret:user"), "", 401],
    ["", "?p=", 401],
  ])("authorization %p, query %p -> %i", async (authorization, query, status) => {
    await start({ tokens: new Tokens(["secret", "other"]) });
    const headers = authorization === "" ? {} : { authorization };
    const got = await send(`/write${query}`, LINE, headers);
    expect(got.status).toBe(status);
    expect(received()).toBe(status === 204 ? 1 : 0);
    if (status === 401) expect(got.body).toBe(v1("unauthorized: a token of --token-file is wanted, as `Authorization: Token ...`"));
  });

  test("no token: Expect: 100-continue -> 401 and the body is never asked for", async () => {
    const { server } = await start({ tokens: new Tokens(["secret"]) });
    const socket = connect(server.port, "127.0.0.1");
    socket.write("POST /api/v2/write HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 99999\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1.1 401 /);
    expect(text).toContain('{"code":"unauthorized"');
  });

  test.each([
    ["POST", "/ping"],
    ["GET", "/ping"],
    ["GET", "/health"],
    ["GET", "/ready"],
  ])("no token: a large body on %s %s -> 413, it takes no room from senders with one", async (method, path) => {
    await start({ tokens: new Tokens(["secret"]) }, { limits: { bodiesBytesMax: 4000 } });
    expect((await send(path, "x".repeat(4000), { "content-length": 4000 }, method)).status).toBe(413);
    expect((await send(path, "x", { "content-length": 1 }, method)).status).toBeLessThan(300);
  });

  test("token: Expect: 100-continue -> 100, then 204", async () => {
    const { server } = await start();
    const request = httpRequest(`${server.url}/write`, { method: "POST", headers: { expect: "100-continue", "content-length": LINE.length } });
    request.flushHeaders();
    await once(request, "continue");
    request.end(LINE);
    const response = await responseTo(request);
    response.resume();
    expect(response.statusCode).toBe(204);
  });

  test("TLS -> the same doors behind a certificate", async () => {
    const tls = { cert: readFileSync("test/fixtures/tls/cert.pem"), key: readFileSync("test/fixtures/tls/key.pem") };
    const { server } = await start({}, { tls });
    expect(server.url).toMatch(/^https:/);
    expect((await send("/api/v2/write", gzipSync(LINE), GZIP)).status).toBe(204);
    expect(received()).toBe(1);
  });
});

describe("doors: pressure and life", () => {
  test("bodies over the common budget -> 503 with Retry-After, and room again afterwards", async () => {
    const { server } = await start({}, { limits: { bodiesBytesMax: 1000 } });
    const slow = connect(server.port, "127.0.0.1");
    slow.write(`POST /write HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\n${"x".repeat(899)}`);
    let answer = await send("/write", LINE.repeat(20));
    while (answer.status === 204) answer = await send("/write", LINE.repeat(20));
    expect(answer).toMatchObject({ status: 503, headers: { "retry-after": "1" }, body: v1("too many requests at one time; come again") });
    slow.destroy();
    while (answer.status === 503) answer = await send("/write", LINE.repeat(20));
    for (let i = 0; i < 10; i++) expect((await send("/write", LINE.repeat(20))).status).toBe(204);
  });

  test("stop between the headers and the body -> 503, nothing applied", async () => {
    const { server, ingest } = await start();
    const request = httpRequest(`${server.url}/write`, { method: "POST", headers: { expect: "100-continue", "content-length": LINE.length } });
    request.flushHeaders();
    await once(request, "continue");
    await ingest.close();
    request.end(LINE);
    const response = await responseTo(request);
    response.resume();
    expect([response.statusCode, received()]).toEqual([503, 0]);
  });

  test("upload that is cut off -> nothing of it applied, nothing logged", async () => {
    const { server, warnings } = await start();
    const socket = connect(server.port, "127.0.0.1");
    socket.write(`POST /write HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n${LINE}`);
    await once(socket, "connect");
    socket.destroy();
    expect((await send("/write", LINE)).status).toBe(204);
    expect([received(), warnings]).toEqual([1, []]);
  });

  test("before it is open and while it stops -> 503 with Retry-After; close waits for what is under way", async () => {
    let go: () => void = () => undefined;
    let entered: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const read = async (document: LineDocument | SeriesDocument): Promise<void> => {
      entered();
      await new Promise<void>((resolve) => (go = resolve));
      running?.engine.step(NOW_MS, { kind: "document", document });
    };
    const { ingest } = await start({ read });
    expect(ingest.ready()).toEqual({ ok: true });
    const answer = send("/api/v2/write", LINE);
    await inside;
    let closed = false;
    const closing = ingest.close().then(() => (closed = true));
    const refused = await send("/api/v2/write", LINE);
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "1" }, body: v2("unavailable", "this process is stopping; come again") });
    expect([closed, ingest.ready()]).toEqual([false, { ok: false, reason: "stopping" }]);
    go();
    await closing;
    expect([(await answer).status, received()]).toEqual([204, 1]);
    expect(await send("/ready", "", {}, "GET")).toMatchObject({ status: 503, body: '{"status":"stopping"}\n' });
    expect(await send("/health", "", {}, "GET")).toMatchObject({
      status: 503,
      body: expect.stringContaining('"message":"stopping","status":"fail"'),
    });
    const fresh = createIngest({ read, warn: () => undefined, version: "1" });
    expect(fresh.ready()).toEqual({ ok: false, reason: "starting" });
  });
});
