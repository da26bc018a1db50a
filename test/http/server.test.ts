import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "@jest/globals";
import { AnswerCounts } from "#limpet/http/answerCounts.js";
import { parseListenAddress } from "#limpet/http/listenAddress.js";
import { probeRoutes } from "#limpet/http/probes.js";
import { jsonAnswer, type Route, type RunningServer, type ServerLimits, startServer, textAnswer } from "#limpet/http/server.js";

const warnings: string[] = [];
let server: RunningServer | undefined;

afterEach(async () => {
  await server?.close(0);
  server = undefined;
  warnings.length = 0;
});

async function start(routes: readonly Route[], limits: Partial<ServerLimits> = {}, host = "127.0.0.1"): Promise<RunningServer> {
  const result = await startServer({ host, port: 0, routes, limits, warn: (message) => warnings.push(message) });
  if (!result.ok) throw new Error(result.message);
  server = result.server;
  return result.server;
}

async function rawSocket(to: RunningServer): Promise<Socket> {
  const socket = connect(to.port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

async function textUntilClosed(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on("error", () => undefined);
  // Not once(): it rejects when the connection is reset, which is one way to be cut.
  await new Promise((resolve) => socket.on("close", resolve));
  return text;
}

const ECHO: Route = {
  method: "POST",
  path: "/echo",
  answer: (request) => jsonAnswer(200, { body: request.body.toString(), a: request.query.get("a"), method: request.method }),
};

describe("http server: answers", () => {
  test("known path and method -> the route, with query and body", async () => {
    const { url } = await start([ECHO]);
    const response = await fetch(`${url}/echo?a=1`, { method: "POST", body: "hello" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({ body: "hello", a: "1", method: "POST" });
  });

  test("unknown path -> 404 as JSON with the paths there are", async () => {
    const { url } = await start([ECHO]);
    const response = await fetch(`${url}/nope?x`);
    expect([response.status, await response.json()]).toEqual([404, { error: "no such path: /nope", paths: ["/echo"] }]);
  });

  test("other method -> 405 with Allow, and the connection is not confused by the unread body", async () => {
    const { url } = await start([ECHO]);
    const response = await fetch(`${url}/echo`, { method: "PUT", body: "x".repeat(200_000) });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    expect(await response.json()).toEqual({ error: "/echo answers POST, not PUT" });
  });

  test("HEAD of a GET path -> headers only", async () => {
    const { url } = await start([{ method: "GET", path: "/a", answer: () => textAnswer(200, "four") }]);
    const response = await fetch(`${url}/a`, { method: "HEAD" });
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "4", ""]);
  });

  test("route throws -> 500 without the reason, which is warned about; the server lives on", async () => {
    const broken: Route = {
      method: "GET",
      path: "/broken",
      answer: () => {
        throw new Error("secret reason");
      },
    };
    const { url } = await start([broken, ECHO]);
    const response = await fetch(`${url}/broken`);
    expect([response.status, await response.json()]).toEqual([500, { error: "internal error, see the log" }]);
    expect(warnings).toEqual(["http: GET /broken: secret reason"]);
    expect((await fetch(`${url}/echo`, { method: "POST" })).status).toBe(200);
  });
});

describe("http server: bounds", () => {
  test.each([
    ["with a length", "content-length: 1001\r\n\r\n"],
    ["in chunks", `transfer-encoding: chunked\r\n\r\n3e9\r\n${"x".repeat(1001)}\r\n`],
  ])("body over the bound %s -> 413 before the rest is read", async (_how, rest) => {
    const socket = await rawSocket(await start([ECHO], { bodyBytesMax: 1000, lingerMs: 50 }));
    socket.write(`POST /echo HTTP/1.1\r\nhost: a\r\n${rest}`);
    const text = await textUntilClosed(socket);
    expect(text).toMatch(/^HTTP\/1.1 413 /);
    expect(text).toContain("body over 1000 bytes");
  });

  test("body exactly at the bound -> taken", async () => {
    const { url } = await start([ECHO], { bodyBytesMax: 1000 });
    expect((await fetch(`${url}/echo`, { method: "POST", body: "x".repeat(1000) })).status).toBe(200);
  });

  test("headers never end (slow loris) -> 408 and cut", async () => {
    const socket = await rawSocket(await start([ECHO], { headersMs: 50, requestMs: 60_000, checkMs: 20 }));
    socket.write("GET /echo HTTP/1.1\r\nhost:");
    expect(await textUntilClosed(socket)).toMatch(/^HTTP\/1.1 408 /);
  });

  test("body never ends -> 408 or cut", async () => {
    const socket = await rawSocket(await start([ECHO], { headersMs: 50, requestMs: 100, checkMs: 20 }));
    socket.write("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n123");
    expect(await textUntilClosed(socket)).not.toContain("200");
  });

  test("more connections than allowed -> the surplus is cut, the others served", async () => {
    const running = await start([ECHO], { connectionsMax: 1 });
    const first = await rawSocket(running);
    const second = await rawSocket(running);
    expect(await textUntilClosed(second)).toBe("");
    first.write("POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx");
    expect(await textUntilClosed(first)).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe("http server: life", () => {
  test("port taken -> a result that names the cure, no exception", async () => {
    const running = await start([]);
    const second = await startServer({ host: "127.0.0.1", port: running.port, routes: [], warn: () => undefined });
    expect(second).toEqual({
      ok: false,
      reason: "port_taken",
      message: `127.0.0.1:${running.port} is taken by another process; choose another port with --listen`,
    });
  });

  test("address of another machine -> a result", async () => {
    const result = await startServer({ host: "192.0.2.1", port: 0, routes: [], warn: () => undefined });
    expect(result).toMatchObject({ ok: false, reason: "address_unavailable" });
  });

  test("loopback -> silent; all interfaces -> warns with the cure", async () => {
    await start([]);
    expect(warnings).toEqual([]);
    await server?.close(0);
    const { port } = await start([], {}, "0.0.0.0");
    expect(warnings).toEqual([
      `http: 0.0.0.0:${port} can be reached from other machines and asks for no token; --token-file asks for one, --listen 127.0.0.1:${port} keeps it on this one`,
    ]);
  });

  test("close: a request runs -> it ends; idle connections do not hold it up", async () => {
    let release: () => void = () => undefined;
    let entered: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const wait = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: Route = {
      method: "GET",
      path: "/slow",
      answer: async () => {
        entered();
        await wait;
        return textAnswer(200, "done");
      },
    };
    const running = await start([slow]);
    await rawSocket(running);
    const response = fetch(`${running.url}/slow`);
    await inside;
    const closed = running.close(3_600_000);
    release();
    expect(await (await response).text()).toBe("done");
    await closed;
  }, 5000);

  test("close: a request never ends -> cut at the deadline", async () => {
    let entered: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const never: Route = {
      method: "GET",
      path: "/never",
      answer: () => {
        entered();
        return new Promise<never>(() => undefined);
      },
    };
    const running = await start([never]);
    const socket = await rawSocket(running);
    socket.write("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    const text = textUntilClosed(socket);
    await inside;
    await running.close(20);
    expect(await text).toBe("");
  });
});

describe("probes", () => {
  test("healthy, not ready -> 200, 503 with the reason; metrics and status as given", async () => {
    const routes = probeRoutes({
      healthy: () => ({ ok: true }),
      ready: () => ({ ok: false, reason: "no rules yet" }),
      metrics: () => Promise.resolve("# HELP a b\n"),
      status: () => ({ rules: 3 }),
    });
    const { url } = await start(routes);
    const seen = await Promise.all(
      ["/healthz", "/readyz", "/metrics", "/api/v1/status"].map(async (path) => {
        const response = await fetch(url + path);
        return [path, response.status, response.headers.get("content-type"), await response.text()];
      }),
    );
    expect(seen).toEqual([
      ["/healthz", 200, "text/plain; charset=utf-8", "ok\n"],
      ["/readyz", 503, "text/plain; charset=utf-8", "no rules yet\n"],
      ["/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "# HELP a b\n"],
      ["/api/v1/status", 200, "application/json", '{"rules":3}\n'],
    ]);
  });
});

describe("listen address", () => {
  test.each([
    ["127.0.0.1:4581", "127.0.0.1", 4581],
    ["localhost:0", "localhost", 0],
    ["[::1]:4581", "::1", 4581],
    [":4581", "127.0.0.1", 4581],
    ["4581", "127.0.0.1", 4581],
    ["0.0.0.0:65535", "0.0.0.0", 65535],
  ])("%s -> %s %i", (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ ok: true, host, port });
  });

  test.each(["", "host", "host:", "host:65536", "::1:4581", "a b:1", "host:-1", "http://host:1"])("%p -> error with examples", (text) => {
    const result = parseListenAddress(text);
    expect(result.ok ? "" : result.message).toContain("HOST:PORT is wanted");
  });
});

describe("http server: counts", () => {
  test("answers -> counted by path and status; what is no route, or no HTTP, as other", async () => {
    const counts = new AnswerCounts();
    const result = await startServer({ host: "127.0.0.1", port: 0, routes: [ECHO], counts, warn: () => undefined });
    if (!result.ok) throw new Error(result.message);
    server = result.server;
    for (const [path, method] of [
      ["/echo", "POST"],
      ["/echo", "POST"],
      ["/echo", "GET"],
      ["/secret-1", "GET"],
      ["/secret-2", "GET"],
    ])
      await fetch(server.url + (path ?? ""), { method: method ?? "" });
    const socket = await rawSocket(server);
    socket.write("\x16\x03\x01 hello");
    expect(await textUntilClosed(socket)).toMatch(/^HTTP\/1.1 400 Bad Request\r\n.*is TLS on at both ends or at neither\?\n$/s);
    expect([...counts.all()]).toEqual([
      { path: "/echo", status: 200, count: 2 },
      { path: "/echo", status: 405, count: 1 },
      { path: "other", status: 404, count: 2 },
      { path: "other", status: 400, count: 1 },
    ]);
  });

  test("no HTTP behind a request whose answer is under way -> the answer is not cut into", async () => {
    const gate = new EventEmitter();
    const slow: Route = {
      method: "GET",
      path: "/slow",
      answer: async () => {
        gate.emit("entered");
        await once(gate, "go");
        return textAnswer(200, "x".repeat(4 << 20));
      },
    };
    const running = await start([slow]);
    const socket = await rawSocket(running);
    socket.pause();
    const entered = once(gate, "entered");
    socket.write("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    await entered;
    gate.emit("go");
    await new Promise(setImmediate);
    socket.write("\x16\x03\x01 hello");
    const text = textUntilClosed(socket);
    socket.resume();
    const answer = await text;
    expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    expect(answer).not.toContain("400 Bad Request");
  });

  test("client that does not read a large answer -> cut", async () => {
    const gate = new EventEmitter();
    const entered = once(gate, "entered");
    const large: Route = {
      method: "GET",
      path: "/large",
      answer: () => {
        gate.emit("entered");
        return textAnswer(200, "x".repeat(16 << 20));
      },
    };
    const running = await start([large], { headersMs: 200, requestMs: 200 });
    const socket = await rawSocket(running);
    socket.pause();
    socket.write("GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
    await entered;
    let cut = false;
    socket.on("error", () => (cut = true));
    // A paused connection learns that it is cut when it writes; blank lines are no request.
    while (!cut) {
      socket.write("\r\n");
      await delay(20);
    }
  });
});
