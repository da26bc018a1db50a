// Plan: both InfluxDB sinks against real servers (influxd 1.6; VictoriaMetrics for the API of 2.x), then against servers that
// misbehave on purpose: the library's own retries and messages must not stand in the way of the queue's.
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "@jest/globals";
import { openSink } from "#limpet/sink/openSink.js";
import { fixedSecret } from "#limpet/sink/secret.js";
import type { BlockOutcome, Sink, SinkOptions } from "#limpet/sink/sink.js";
import { blockOf, type TestRow, testRow } from "../metric/blocks.js";
import { startInfluxDb } from "../servers/influxdb.js";
import { requireBinary } from "../servers/server.js";
import { startVictoriaMetrics } from "../servers/victoriaMetrics.js";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const startMs = Math.floor(Date.now() / 60_000) * 60_000 - 1_800_000;

async function open(url: string, options: Partial<SinkOptions> = {}): Promise<Sink> {
  const sink = await openSink(url, { log: () => undefined, ...options });
  closing.push(async () => {
    await sink.close(0);
  });
  return sink;
}

function offer(sink: Sink, rows: readonly TestRow[]): Promise<BlockOutcome> {
  return new Promise((resolve) => sink.offer(blockOf(rows), resolve));
}

const texts = 'é "q" = , \\ü';
const values = [0, 0.1, 1 / 3, 1e21, 5e-324, -123456.789, 2 ** 53];

describe("influx1 sink, real InfluxDB", () => {
  const run = requireBinary("influxd") ? test : test.skip;

  run("influxdb: rows of two windows with awkward labels -> exactly those, under their names, as the field value", async () => {
    const server = await startInfluxDb();
    closing.push(server.stop);
    const { user, password, database } = server;
    const sink = await open(`influx1+${server.url.replace("//", `//${user}:${password}@`)}/${database}`);
    expect(sink.name).toBe(`influx1+${server.url}/${database}`);
    for (const window of [0, 1]) {
      const rows = values.map((value, i) => ({
        ...testRow("m:10s_max", startMs + window * 10_000, value + window),
        labels: [
          ["__name__", "m:10s_max"],
          ["i", String(i)],
          ["text", texts],
        ] as const,
      }));
      expect(await offer(sink, rows)).toEqual({ stored: values.length, conflict: 0, unknown: 0, moved: 0, dropped: {} });
    }
    const series = await server.query('SELECT value FROM "m:10s_max" GROUP BY *');
    expect(series.map(({ tags, values: points }) => [tags, points])).toEqual(
      values.map((value, i) => [{ i: String(i), text: texts }, [0, 1].map((window) => [startMs + window * 10_000, value + window])]),
    );
  });

  run("influxdb: NaN, a line break, a field that is text there -> dropped by reason, the rows around them stored", async () => {
    const server = await startInfluxDb();
    closing.push(server.stop);
    const access = { username: server.user, secret: fixedSecret(server.password) };
    await fetch(`${server.url}/write?db=${server.database}&u=${server.user}&p=${server.password}`, { method: "POST", body: 'texts,i=1 value="a"' });
    const sink = await open(`influx1+${server.url}/${server.database}`, { access });
    const broken: TestRow = {
      ...testRow("m", startMs, 1),
      labels: [
        ["__name__", "m"],
        ["text", "a\nb"],
      ],
    };
    const rows = [
      testRow("m{i=1}", startMs, 1),
      testRow("m{i=2}", startMs, Number.NaN),
      broken,
      testRow("texts{i=2}", startMs, 1),
      testRow("m{i=3}", startMs, 3),
    ];
    expect(await offer(sink, rows)).toEqual({ stored: 2, conflict: 0, unknown: 0, moved: 0, dropped: { invalid: 2, bad_request: 1 } });
    expect((await server.query("SELECT value FROM m GROUP BY i")).map(({ tags }) => tags?.["i"])).toEqual(["1", "3"]);
  });

  run("influxdb: a wrong password -> refused with the cure, the password nowhere", async () => {
    const server = await startInfluxDb();
    closing.push(server.stop);
    const logs: string[] = [];
    const log = (_level: string, message: string): number => logs.push(message);
    const sink = await open(`influx1+${server.url.replace("//", "//limpet:wr0ng@")}/${server.database}`, { log });
    expect(await offer(sink, [testRow("m", startMs, 1)])).toMatchObject({ stored: 0, dropped: { bad_request: 1 } });
    expect(logs.join("\n")).toMatch(/HTTP 401 .*check the sink's credentials/);
    expect(logs.join("\n") + sink.name).not.toContain("wr0ng");
  });
});

describe("influx2 sink, real VictoriaMetrics", () => {
  const run = requireBinary("victoria-metrics") ? test : test.skip;

  run("victoria-metrics: rows of two windows -> exactly those, as name_value", async () => {
    const server = await startVictoriaMetrics();
    closing.push(server.stop);
    const sink = await open(`influx2+${server.url}/limpet/metrics`);
    const kept = [0, 0.1, -123456.789, 2 ** 53];
    for (const window of [0, 1]) {
      const rows = kept.map((value, i) => testRow(`m{i=${i},text=é}`, startMs + window * 10_000, value + window));
      expect(await offer(sink, rows)).toMatchObject({ stored: kept.length });
    }
    for (const [i, value] of kept.entries()) {
      const [series] = await server.exportSeries(`m_value{i="${i}"}`);
      expect(series?.metric).toMatchObject({ i: String(i), text: "é" });
      expect(series?.timestamps).toEqual([startMs, startMs + 10_000]);
      expect(series?.values[1]).toBeCloseTo(value + 1, 10);
    }
  });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

describe.each(["influx1", "influx2"])("%s sink over sockets", (kind) => {
  const path = kind === "influx1" ? "metrics" : "my%20org/metrics";

  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ["503", (_request, response) => void response.writeHead(503).end("later")],
    ["429 with Retry-After: 0", (_request, response) => void response.writeHead(429, { "retry-after": "0" }).end("slow down")],
    ["the connection is closed", (request) => void request.socket.destroy()],
  ])("sink: at first %s -> the same rows again, in order, nothing on the console", async (_name, bad) => {
    let seen = 0;
    const lines: string[] = [];
    const url = await serve((request, response) => {
      if (seen++ < 3) return bad(request, response);
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        lines.push(...Buffer.concat(chunks).toString().split("\n"));
        response.writeHead(204).end();
      });
    });
    const sink = await open(`${kind}+${url}/${path}`);
    const outcomes = [1, 2, 3].map((window) => offer(sink, [testRow("m{i=1}", window * 1000, window)]));
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ stored: 1 });
    expect(lines).toEqual([1, 2, 3].map((window) => `m,i=1 value=${window} ${window * 1000}`));
  });

  test("sink: no answer at all, then close -> the rows come back, and no connection is left", async () => {
    const url = await serve(() => undefined);
    const sink = await openSink(`${kind}+${url}/${path}`, { log: () => undefined });
    const outcome = offer(sink, [testRow("m", 1000, 1)]);
    const unsent = await sink.close(200);
    expect(unsent.map(({ rowCount }) => rowCount)).toEqual([1]);
    expect(await outcome).toMatchObject({ dropped: { stop: 1 } });
  });

  test("sink: where it goes and who it says it is", async () => {
    const asked: string[] = [];
    const url = await serve((request, response) => {
      asked.push(`${request.url ?? ""} ${String(request.headers.authorization)} ${String(request.headers["x-tenant"])}`);
      request.resume().on("end", () => response.writeHead(204).end());
    });
    const options = { headers: { "x-tenant": "a" }, access: { username: kind === "influx1" ? "u" : undefined, secret: fixedSecret("p") } };
    await offer(await open(`${kind}+${url}/base/${path}`, options), [testRow("m", 1000, 1)]);
    const basic = `Basic ${Buffer.from("u:p").toString("base64")}`;
    expect(asked).toEqual([
      kind === "influx1"
        ? `/base/write?db=metrics&precision=ms&rp= ${basic} a`
        : "/base/api/v2/write?org=my%20org&bucket=metrics&precision=ms Token p a",
    ]);
  });
});

test.each([
  ["influx1+http://me:secret@host:8086", 'sink "influx1+http://host:8086" names no database'],
  ["influx2+https://me:secret@host/org", "names no organisation and bucket"],
])("openSink: %s -> SinkUrlError with the cure, without credentials", async (url, text) => {
  const error: unknown = await openSink(url, { log: () => undefined }).catch((thrown: unknown) => thrown);
  expect(String(error)).toContain(text);
  expect(String(error)).not.toContain("secret");
});
