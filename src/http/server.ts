// The HTTP server of every long-running command: a table of exact paths over node:http, with bounds on everything a client
// controls (body bytes, header and request time, connections). JSON errors: {"error": "..."}, unless the route words its own.
// An answer may be a stream that goes on; a body is always read whole first.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex, Writable } from "node:stream";
import { systemErrorCode } from "../base/systemError.js";
import type { AnswerCounts } from "./answerCounts.js";
import { answerBroken, brokenRequestOf, HEADERS_BYTES_MAX } from "./brokenRequest.js";
import { BodyBudget, readBody } from "./requestBody.js";

/** A request before its body. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export interface HttpRequest extends RequestHead {
  readonly body: Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the connection over after `body` was written: it writes on, minds the bound of what waits, and ends it. */
  readonly stream?: (out: Writable) => void;
}

/** `GET` answers `HEAD` too. The body of a request is read, and bounded, before `answer` is called. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT";
  /** Exact, or ending in `/*`: one more segment. */
  readonly path: string;
  /** Longest body; without, the server's bound, and next to nothing for GET. */
  readonly bodyBytesMax?: number;
  /** Looks at a request before its body is asked for; an answer turns it away. */
  admit?(head: RequestHead): HttpAnswer | undefined;
  /** How this path words what the server refuses (405, 413, 503). */
  refuse?(status: number, message: string): HttpAnswer;
  answer(request: HttpRequest): HttpAnswer | Promise<HttpAnswer>;
}

export interface ServerLimits {
  readonly bodyBytesMax: number;
  /** Of all bodies held at one time, as they were sent. */
  readonly bodiesBytesMax: number;
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  /** How long the rest of a refused body is still read. */
  readonly lingerMs: number;
  readonly connectionsMax: number;
  /** How often headersMs and requestMs are looked at. */
  readonly checkMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  bodyBytesMax: 32 << 20,
  bodiesBytesMax: 128 << 20,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  lingerMs: 2000,
  connectionsMax: 512,
  checkMs: 1000,
};

/**
 * For whom a body is of no use: what asks for no token must not hold the memory that the bodies of others need, not even on all
 * connections at once.
 */
export const NO_BODY_BYTES = 1024;

/** An answer up to here may wait for its reader: the system's own buffer takes most of it. */
const UNREAD_BYTES_MAX = 65_536;

export interface ServerOptions {
  readonly host: string;
  /** 0: any free port; RunningServer.port tells which. */
  readonly port: number;
  readonly routes: readonly Route[];
  readonly warn: (message: string) => void;
  readonly limits?: Partial<ServerLimits>;
  /** PEM. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** Whether routes ask for a token: without, a listener that others can reach is warned about. */
  readonly guarded?: boolean;
  /** Told of every answer. */
  readonly counts?: AnswerCounts;
}

interface Serving {
  readonly options: ServerOptions;
  readonly limits: ServerLimits;
  readonly budget: BodyBudget;
  /** Connections on which an answer has begun. */
  readonly answering: WeakSet<Duplex>;
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
  const serving = { options, limits, budget: new BodyBudget(limits.bodiesBytesMax), answering: new WeakSet<Duplex>() };
  const listener: RequestListener = (request, response) => {
    void serve(serving, request, response);
  };
  const timing = {
    maxHeaderSize: HEADERS_BYTES_MAX,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: limits.checkMs,
  };
  const server =
    options.tls === undefined
      ? createServer(timing, listener)
      : createTlsServer({ ...timing, ...options.tls, handshakeTimeout: limits.headersMs }, listener);
  // With Expect: 100-continue the client waits; it is asked for the body only after admission.
  server.on("checkContinue", listener);
  server.on("clientError", (error, socket) => {
    refuseBroken(serving, error, socket);
  });
  server.maxConnections = limits.connectionsMax;
  const close = closer(server, options.tls !== undefined);
  const failure = await bind(server, options.host, options.port);
  if (failure !== undefined) return listenFailure(options, failure);
  server.on("error", (error) => {
    options.warn(`http: ${error.message}`);
  });

  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;
  const shown = options.host.includes(":") ? `[${options.host}]` : options.host;
  if (!isLoopback(options.host) && options.guarded !== true) {
    options.warn(
      `http: ${shown}:${port} can be reached from other machines and asks for no token; --token-file asks for one, --listen 127.0.0.1:${port} keeps it on this one`,
    );
  }
  return { ok: true, server: { host: options.host, port, url: `${options.tls === undefined ? "http" : "https"}://${shown}:${port}`, close } };
}

function refuseBroken({ options, limits, answering }: Serving, error: Error, socket: Duplex): void {
  const broken = brokenRequestOf(error, limits);
  if (broken !== undefined) options.counts?.add("other", broken.status);
  if (broken === undefined || !socket.writable || answering.has(socket)) socket.destroy();
  else answerBroken(socket, broken);
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
function closer(server: Server, tls: boolean): (deadlineMs: number) => Promise<void> {
  const open = new Set<Socket>();
  const waiting = new Set<Socket>();
  let closing = false;
  const follow = (into: Set<Socket>) => (socket: Socket) => {
    into.add(socket);
    socket.on("close", () => into.delete(socket));
  };
  server.on("connection", follow(open));
  // Under TLS requests come from another socket than the connection's own.
  server.on(tls ? "secureConnection" : "connection", follow(waiting));
  const busy = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    waiting.delete(socket);
    response.on("close", () => {
      if (socket.destroyed) return;
      if (closing) socket.end();
      waiting.add(socket);
    });
  };
  server.on("request", busy);
  server.on("checkContinue", busy);
  return (deadlineMs) =>
    new Promise((resolve) => {
      closing = true;
      const cut = setTimeout(() => {
        for (const socket of open) socket.destroy();
      }, deadlineMs);
      server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      for (const socket of waiting) socket.destroy();
    });
}

async function serve(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let answer: HttpAnswer;
  try {
    answer = await answerTo(serving, request, response);
  } catch (error) {
    // The client went away in mid-body: nothing of it was used.
    if (request.destroyed && !request.complete) return;
    // The one catch of this driver: a route that throws costs its own request only.
    serving.options.warn(`http: ${request.method ?? ""} ${pathOf(request)}: ${error instanceof Error ? error.message : String(error)}`);
    answer = jsonAnswer(500, { error: "internal error, see the log" });
  }
  const { counts, routes } = serving.options;
  const path = pathOf(request);
  counts?.add(routes.find((route) => isAt(route, path))?.path ?? "other", answer.status);
  if (response.destroyed) return;
  const { socket } = request;
  serving.answering.add(socket);
  response.once("close", () => serving.answering.delete(socket));
  const body = typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body;
  // Who was not told to go on with a body may send it or not: after that nothing can be read.
  const unasked = request.headers.expect !== undefined && !request.complete;
  const close = unasked ? { connection: "close" } : {};
  if (!unasked && !request.complete) linger(request, serving.limits.lingerMs);
  const goesOn = answer.stream !== undefined && request.method !== "HEAD";
  const length = goesOn ? {} : { "content-length": body.length };
  const content = answer.status === 204 ? {} : { "content-type": answer.contentType, ...length };
  response.writeHead(answer.status, { ...content, "x-content-type-options": "nosniff", ...close, ...answer.headers });
  if (goesOn) {
    if (body.length > 0) response.write(body);
    answer.stream?.(response);
    return;
  }
  if (body.length > UNREAD_BYTES_MAX) cutUnread(response, serving.limits.requestMs);
  response.end(request.method === "HEAD" || answer.status === 204 ? undefined : body);
}

/** A client that does not read its answer must not hold the memory of it for ever. */
function cutUnread(response: ServerResponse, afterMs: number): void {
  const cut = setTimeout(() => response.destroy(), afterMs);
  response.once("close", () => {
    clearTimeout(cut);
  });
}

/** Reads over the rest of a body nobody wants, for a while: cutting the connection at once could cut the answer off too. */
function linger(request: IncomingMessage, lingerMs: number): void {
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), lingerMs);
  const done = (): void => {
    clearTimeout(cut);
  };
  request.once("end", done);
  request.once("close", done);
}

async function answerTo({ options, limits, budget }: Serving, request: IncomingMessage, response: ServerResponse): Promise<HttpAnswer> {
  const path = pathOf(request);
  const here = options.routes.filter((route) => isAt(route, path));
  if (here.length === 0) return jsonAnswer(404, { error: `no such path: ${path}`, paths: [...new Set(options.routes.map((route) => route.path))] });
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = here.find((candidate) => candidate.method === method);
  if (route === undefined) {
    const allowed = here.map((candidate) => candidate.method).join(", ");
    const answer = refusalOf(here[0], 405, `${path} answers ${allowed}, not ${request.method ?? ""}`);
    return { ...answer, headers: { ...answer.headers, allow: allowed } };
  }
  const target = request.url ?? "/";
  const query = new URLSearchParams(target.includes("?") ? target.slice(target.indexOf("?") + 1) : "");
  const head = { method: request.method ?? "GET", path, query, headers: request.headers };
  const turnedAway = route.admit?.(head);
  if (turnedAway !== undefined) return turnedAway;
  const bytesMax = Math.min(limits.bodyBytesMax, route.bodyBytesMax ?? (route.method === "GET" ? NO_BODY_BYTES : limits.bodyBytesMax));
  const unsent = Number(request.headers["content-length"] ?? 0) > bytesMax;
  if (!unsent && request.headers.expect !== undefined) response.writeContinue();
  const result = await readBody(request, bytesMax, budget);
  if (!result.ok) return result.reason === "too_large" ? tooLarge(route, bytesMax) : tooBusy(route);
  try {
    return await route.answer({ ...head, body: result.body });
  } finally {
    budget.bytes -= result.body.length;
  }
}

function refusalOf(route: Route | undefined, status: number, message: string): HttpAnswer {
  return route?.refuse?.(status, message) ?? jsonAnswer(status, { error: message });
}

function tooLarge(route: Route, bytesMax: number): HttpAnswer {
  return refusalOf(route, 413, `body over ${bytesMax} bytes; send smaller batches`);
}

/** 503, because Telegraf's outputs.influxdb throws a batch away at 429. */
function tooBusy(route: Route): HttpAnswer {
  const answer = refusalOf(route, 503, "too many requests at one time; come again");
  return { ...answer, headers: { ...answer.headers, "retry-after": "1" } };
}

function isAt({ path }: Route, asked: string): boolean {
  if (!path.endsWith("/*")) return path === asked;
  const base = path.slice(0, -1);
  return asked.startsWith(base) && asked.length > base.length && !asked.includes("/", base.length);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
