// The HTTP server of every long-running command: a table of exact paths over node:http, with bounds on everything a client
// controls (body bytes, header and request time, connections). JSON errors: {"error": "..."}.
//
// What it does not do: TLS, tokens, streaming bodies.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { systemErrorCode } from "../base/systemError.js";

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `GET` answers `HEAD` too. The body of a request is read, and bounded, before `answer` is called. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  answer(request: HttpRequest): HttpAnswer | Promise<HttpAnswer>;
}

export interface ServerLimits {
  readonly bodyBytesMax: number;
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  readonly connectionsMax: number;
  /** How often headersMs and requestMs are looked at. */
  readonly checkMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  bodyBytesMax: 32 << 20,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  connectionsMax: 512,
  checkMs: 1000,
};

export interface ServerOptions {
  readonly host: string;
  /** 0: any free port; RunningServer.port tells which. */
  readonly port: number;
  readonly routes: readonly Route[];
  readonly warn: (message: string) => void;
  readonly limits?: Partial<ServerLimits>;
}

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Takes no new connection, lets running requests end until `deadlineMs` from now, then cuts them. */
  close(deadlineMs: number): Promise<void>;
}

export type ListenResult =
  | { readonly ok: true; readonly server: RunningServer }
  | { readonly ok: false; readonly reason: "port_taken" | "not_permitted" | "address_unavailable"; readonly message: string };

export function jsonAnswer(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return { status, contentType: "application/json", body: `${JSON.stringify(value)}\n`, headers };
}

export function textAnswer(status: number, body: string): HttpAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

/** Binds and serves. A port that cannot be had is a result, not an exception: stdin modes go on without it. */
export async function startServer(options: ServerOptions): Promise<ListenResult> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkMs,
    },
    (request, response) => {
      void serve(options, limits, request, response);
    },
  );
  server.maxConnections = limits.connectionsMax;
  const close = closer(server);
  const failure = await bind(server, options.host, options.port);
  if (failure !== undefined) return listenFailure(options, failure);
  server.on("error", (error) => {
    options.warn(`http: ${error.message}`);
  });

  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;
  const shown = options.host.includes(":") ? `[${options.host}]` : options.host;
  if (!isLoopback(options.host)) {
    options.warn(`http: ${shown}:${port} can be reached from other machines and asks for no token; --listen 127.0.0.1:${port} keeps it on this one`);
  }
  return { ok: true, server: { host: options.host, port, url: `http://${shown}:${port}`, close } };
}

function bind(server: Server, host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen({ host, port }, () => {
      server.off("error", resolve);
      resolve(undefined);
    });
  });
}

function listenFailure(options: ServerOptions, error: Error): ListenResult {
  const where = `${options.host}:${options.port}`;
  const code = systemErrorCode(error);
  if (code === "EADDRINUSE")
    return { ok: false, reason: "port_taken", message: `${where} is taken by another process; choose another port with --listen` };
  if (code === "EACCES") return { ok: false, reason: "not_permitted", message: `${where} is not permitted; choose a port above 1023 with --listen` };
  return { ok: false, reason: "address_unavailable", message: `${where}: ${error.message}; --listen takes an address of this machine` };
}

/**
 * Closing. Node counts a connection that never sent a request as busy, and would wait for it: here only a running request is
 * waited for.
 */
function closer(server: Server): (deadlineMs: number) => Promise<void> {
  const waiting = new Set<Socket>();
  let closing = false;
  server.on("connection", (socket) => {
    waiting.add(socket);
    socket.on("close", () => waiting.delete(socket));
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    waiting.delete(socket);
    response.on("close", () => {
      if (socket.destroyed) return;
      if (closing) socket.end();
      waiting.add(socket);
    });
  });
  return (deadlineMs) =>
    new Promise((resolve) => {
      closing = true;
      const cut = setTimeout(() => {
        server.closeAllConnections();
      }, deadlineMs);
      server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      for (const socket of waiting) socket.destroy();
    });
}

async function serve(options: ServerOptions, limits: ServerLimits, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let answer: HttpAnswer;
  try {
    answer = await answerTo(options.routes, limits, request);
  } catch (error) {
    // The one catch of this driver: a route that throws costs its own request only.
    options.warn(`http: ${request.method ?? ""} ${pathOf(request)}: ${error instanceof Error ? error.message : String(error)}`);
    answer = jsonAnswer(500, { error: "internal error, see the log" });
  }
  if (response.destroyed) return;
  const body = typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body;
  // An unread body would be taken for the next request.
  const unread = request.complete ? {} : { connection: "close" };
  response.writeHead(answer.status, {
    "content-type": answer.contentType,
    "content-length": body.length,
    "x-content-type-options": "nosniff",
    ...unread,
    ...answer.headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function answerTo(routes: readonly Route[], limits: ServerLimits, request: IncomingMessage): Promise<HttpAnswer> {
  const path = pathOf(request);
  const here = routes.filter((route) => route.path === path);
  if (here.length === 0) return jsonAnswer(404, { error: `no such path: ${path}`, paths: [...new Set(routes.map((route) => route.path))] });
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = here.find((candidate) => candidate.method === method);
  if (route === undefined) {
    const allowed = here.map((candidate) => candidate.method).join(", ");
    return jsonAnswer(405, { error: `${path} answers ${allowed}, not ${request.method ?? ""}` }, { allow: allowed });
  }
  const body = await bodyOf(request, limits.bodyBytesMax);
  if (body === undefined) return jsonAnswer(413, { error: `body over ${limits.bodyBytesMax} bytes; send smaller batches` });
  const target = request.url ?? "/";
  const query = new URLSearchParams(target.includes("?") ? target.slice(target.indexOf("?") + 1) : "");
  return route.answer({ method: request.method ?? "GET", path, query, headers: request.headers, body });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

/** The whole body, undefined when it is over the bound. Throws when the client goes away. */
async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Buffer)) continue;
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
