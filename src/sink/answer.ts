// What came of a request, and what that means for its rows. Receivers differ in how they word a refusal: a sink's own judge
// refines this one. The policy is the table in test/sink/answer.test.ts.

/** What came of one request. `failed`: no status line arrived, for the reason named by a Node error code or in words. */
export type Answer =
  | { readonly kind: "status"; readonly status: number; readonly body: string; readonly retryAfter?: string | undefined }
  | { readonly kind: "failed"; readonly reason: string };

export type Verdict =
  | { readonly kind: "stored" }
  /** The same request again, not sooner than `notBeforeMs` (ms since the epoch, 0 when the receiver names no time). */
  | { readonly kind: "retry"; readonly notBeforeMs: number }
  /** Never again as it is. `perRow`: one bad row may have spoiled the others, so that smaller requests can store those. */
  | { readonly kind: "refused"; readonly as: "conflict" | "unknown" | "bad_request"; readonly perRow: boolean };

export type Judge = (answer: Answer, nowMs: number) => Verdict;

/** A receiver that asks for more is misconfigured, or not ours. */
const retryAfterMsMax = 600_000;

/** 400: any receiver. 409: Thanos for conflicts. 413: too much at once. 422: InfluxDB and others for points they cannot take. */
const perRowStatus = new Set([400, 409, 413, 422]);

/** 2xx is stored whatever the body, 5xx and 429 must come again, no other 4xx may (remote write 1.0; InfluxDB means the same). */
export function judgeStatus(answer: Answer, nowMs: number): Verdict {
  if (answer.kind === "failed") return { kind: "retry", notBeforeMs: 0 };
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: "stored" };
  if (status >= 500 || status === 429) return { kind: "retry", notBeforeMs: parseRetryAfter(answer.retryAfter, nowMs) };
  return { kind: "refused", as: "bad_request", perRow: perRowStatus.has(status) };
}

/** Seconds, or an HTTP date (RFC 9110 §10.2.3), as ms since the epoch; 0 when absent or nonsense. At most 10 min ahead. */
export function parseRetryAfter(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0;
  const trimmed = text.trim();
  const atMs = /^\d+$/.test(trimmed) ? nowMs + Number(trimmed) * 1000 : /GMT$/.test(trimmed) ? Date.parse(trimmed) : Number.NaN;
  return Number.isNaN(atMs) || atMs <= nowMs ? 0 : Math.min(atMs, nowMs + retryAfterMsMax);
}
