import { expect, test } from "@jest/globals";
import { judge } from "#limpet/plugins/sinks/remote-write/judge.js";
import type { Answer, Verdict } from "#limpet/sink/answer.js";

const nowMs = Date.UTC(2026, 0, 1, 12, 0, 0);
const stored: Verdict = { kind: "stored" };
const retry = (notBeforeMs = 0): Verdict => ({ kind: "retry", notBeforeMs });
const refused = (as: "conflict" | "unknown" | "bad_request", perRow = true): Verdict => ({ kind: "refused", as, perRow });
const status = (code: number, body = "", retryAfter?: string): Answer => ({ kind: "status", status: code, body, retryAfter });

test.each<[string, Answer, Verdict]>([
  ["204", status(204), stored],
  ["200 with a body", status(200, "out of order"), stored],
  ["no connection", { kind: "failed", reason: "ECONNREFUSED" }, retry()],
  ["500", status(500, "label name duplicated"), retry()],
  ["503, Retry-After in seconds", status(503, "", "120"), retry(nowMs + 120_000)],
  ["429, Retry-After as a date", status(429, "", "Thu, 01 Jan 2026 12:00:30 GMT"), retry(nowMs + 30_000)],
  ["429, Retry-After in the past", status(429, "", "Thu, 01 Jan 2026 11:00:00 GMT"), retry()],
  ["429, Retry-After nonsense", status(429, "", "soon"), retry()],
  ["429, Retry-After of a year", status(429, "", "31536000"), retry(nowMs + 600_000)],
  ["Prometheus: other value at the same time", status(400, "duplicate sample for timestamp\n"), refused("conflict")],
  ["Prometheus: older than the newest", status(400, "out of order sample\n"), refused("unknown")],
  ["Prometheus: older than its head", status(400, "out of bounds\n"), refused("unknown")],
  ["Prometheus 2.4x: beyond its window", status(400, "too old sample"), refused("unknown")],
  ["Mimir: duplicate", status(400, "failed pushing: err-mimir-sample-duplicate-timestamp"), refused("conflict")],
  ["Mimir: out of order", status(400, "err-mimir-sample-out-of-order"), refused("unknown")],
  ["Thanos: conflict", status(409, "store locally: conflict"), refused("conflict")],
  ["Thanos: out of order", status(409, "out of order sample"), refused("unknown")],
  ["400 of another kind", status(400, "invalid metric name"), refused("bad_request")],
  ["413", status(413, "too old"), refused("bad_request")],
  ["401", status(401), refused("bad_request", false)],
  ["404", status(404, "out of order"), refused("bad_request", false)],
  ["302", status(302), refused("bad_request", false)],
])("answer: %s -> its verdict", (_name, answer, verdict) => {
  expect(judge(answer, nowMs)).toEqual(verdict);
});
