// The four paths every Limpet server has. What says more than "fine" or "not fine" may ask for a token.
import type { Tokens } from "./auth.js";
import { type HttpAnswer, jsonAnswer, type RequestHead, type Route, textAnswer } from "./server.js";

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
  /** Who may read metrics and status; everybody without. */
  readonly tokens?: Tokens | undefined;
}

export function probeRoutes(probes: Probes): readonly Route[] {
  const admit = ({ headers, query }: RequestHead): HttpAnswer | undefined => {
    if (probes.tokens?.admits(headers, query) !== false) return undefined;
    const error = "unauthorized: a token of --admin-token-file is wanted, as `Authorization: Bearer ...`";
    return jsonAnswer(401, { error }, { "www-authenticate": 'Bearer realm="limpet admin"' });
  };
  return [
    { method: "GET", path: "/healthz", answer: () => healthAnswer(probes.healthy()) },
    { method: "GET", path: "/readyz", answer: () => healthAnswer(probes.ready()) },
    {
      method: "GET",
      path: "/metrics",
      admit,
      answer: async () => ({ status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: await probes.metrics() }),
    },
    { method: "GET", path: "/api/v1/status", admit, answer: () => jsonAnswer(200, probes.status()) },
  ];
}

function healthAnswer(health: Health): HttpAnswer {
  return health.ok ? textAnswer(200, "ok\n") : textAnswer(503, `${health.reason}\n`);
}
