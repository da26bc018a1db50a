// What InfluxDB clients ask before and beside writing: is it there, is it well, and (outputs.influxdb) "create my database".
// Limpet stores nothing, so there is nothing to create and nothing to query.
import type { Health } from "./probes.js";
import { type HttpAnswer, type HttpRequest, jsonAnswer, NO_BODY_BYTES, type RequestHead, type Route } from "./server.js";

/** Clients choose their protocol by it: 1.8 also answers /api/v2/write. */
const INFLUX_VERSION = "1.8.10";

export interface InfluxDoors {
  readonly version: string;
  readonly admit: (head: RequestHead) => HttpAnswer | undefined;
  /** Whether data is taken now. */
  readonly ready: () => Health;
}

export function influxRoutes({ version, admit, ready }: InfluxDoors): readonly Route[] {
  const named = { "x-influxdb-version": INFLUX_VERSION, "x-influxdb-build": "limpet" };
  const pong: HttpAnswer = { status: 204, contentType: "", body: "", headers: named };
  const query = (request: HttpRequest): HttpAnswer => queryAnswer(request, named);
  return [
    { method: "GET", path: "/ping", answer: () => pong },
    { method: "POST", path: "/ping", bodyBytesMax: NO_BODY_BYTES, answer: () => pong },
    { method: "GET", path: "/query", admit, answer: query },
    { method: "POST", path: "/query", admit, answer: query },
    {
      method: "GET",
      path: "/health",
      answer: () => {
        const health = ready();
        const said = health.ok ? { message: "ready for writes", status: "pass" } : { message: health.reason, status: "fail" };
        return jsonAnswer(health.ok ? 200 : 503, { name: "limpet", ...said, checks: [], version });
      },
    },
    {
      method: "GET",
      path: "/ready",
      answer: () => {
        const health = ready();
        return health.ok ? jsonAnswer(200, { status: "ready" }) : jsonAnswer(503, { status: health.reason });
      },
    },
  ];
}

function queryAnswer({ query, headers, body }: HttpRequest, named: Readonly<Record<string, string>>): HttpAnswer {
  const form = (headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded");
  const text = query.get("q") ?? (form ? new URLSearchParams(body.toString()).get("q") : null);
  if (text === null) return jsonAnswer(400, { error: 'missing required parameter "q"' }, named);
  if (/^\s*create\s+database\b/i.test(text)) return jsonAnswer(200, { results: [{}] }, named);
  return jsonAnswer(400, { error: "only CREATE DATABASE is answered: Limpet stores nothing that could be queried" }, named);
}
