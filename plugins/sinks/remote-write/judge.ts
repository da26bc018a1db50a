// How remote write receivers word a refusal. The policy is the table in test/sink/answer.test.ts.
import { type Answer, judgeStatus, type Verdict } from "#limpet/sink/answer.js";

// As Prometheus, Mimir and Thanos word it.
const conflictText = /duplicate sample|duplicate-timestamp|different value|conflict/i;
const unknownText = /out of order|out-of-order|out of bounds|too old|too far|outside the time window|timestamp-too-old|older than/i;

export function judge(answer: Answer, nowMs: number): Verdict {
  const verdict = judgeStatus(answer, nowMs);
  if (verdict.kind !== "refused" || !verdict.perRow || answer.kind === "failed" || answer.status === 413) return verdict;
  if (conflictText.test(answer.body)) return { ...verdict, as: "conflict" };
  if (unknownText.test(answer.body)) return { ...verdict, as: "unknown" };
  return answer.status === 409 ? { ...verdict, as: "conflict" } : verdict;
}
