// The four paths every Limpet server has.
import { type HttpAnswer, jsonAnswer, type Route, textAnswer } from "./server.js";

/** What a health question gets: fine, or why not. */
export type Health = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export interface Probes {
  /** The process works at all. Not ok: restart it. */
  healthy(): Health;
  /** It can do its job now. Not ok: send nothing here. */
  ready(): Health;
  /** Prometheus text exposition 0.0.4. */
  metrics(): Promise<string>;
  /** Anything JSON can hold. */
  status(): unknown;
}

export function probeRoutes(probes: Probes): readonly Route[] {
  return [
    { method: "GET", path: "/healthz", answer: () => healthAnswer(probes.healthy()) },
    { method: "GET", path: "/readyz", answer: () => healthAnswer(probes.ready()) },
    {
      method: "GET",
      path: "/metrics",
      answer: async () => ({ status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: await probes.metrics() }),
    },
    { method: "GET", path: "/api/v1/status", answer: () => jsonAnswer(200, probes.status()) },
  ];
}

function healthAnswer(health: Health): HttpAnswer {
  return health.ok ? textAnswer(200, "ok\n") : textAnswer(503, `${health.reason}\n`);
}
