// Batches of a router (PROTOCOL P1, P2): each key range of one is judged by the cursor of the Part that holds it.
//
//   Part is a copy, or none holds the range ─▶ elsewhere
//   frozen, or installed ─────────────────────▶ wait
//   applied < prev, still kept by the router ─▶ gap: it goes back to applied + 1
//   applied < prev, given up by the router ───▶ loss: counted, no longer complete; goes on as if prev had been applied
//   no body: a heartbeat ─────────────────────▶ applied; what it says of the backlog is taken unless something newer was said
//   applied >= seq ───────────────────────────▶ duplicate
//   else ─────────────────────────────────────▶ applied: the pairs of the Parts that take it, and no others
//
// A batch is applied in one step, so that cursors and Cells never disagree between two steps.
import {
  IGNORED_MEMORY,
  LEDGER_ACCEPTS,
  LEDGER_COMPLETE,
  ROOT_ARRIVAL,
  ROOT_FUTURE,
  ROOT_IGNORED,
  ROOT_INEXACT,
  ROOT_LINES,
  ROOT_PASS_USED,
  ROOT_PASSED,
  ROOT_RECEIVED,
} from "../kernel/layout.js";
import type { Answer, BatchHead, BatchRange } from "../slice/batch.js";
import { type KeyRange, overlap } from "../slice/keyRange.js";
import { type Invalid, invalidOf, type Piece, piecesOf } from "./laneBody.js";
import { readLines } from "./lineDocument.js";
import type { Intake } from "./lines.js";
import type { Part } from "./part.js";
import type { Parts } from "./parts.js";
import type { PassedOn } from "./passed.js";
import { readSeries } from "./seriesDocument.js";

/** What a batch came to in a key range. */
export interface BatchAnswer extends KeyRange {
  readonly answer: Answer;
  /** Highest batch of this router applied there; 0 where the range is not served. */
  readonly applied: number;
}

/** What a batch came to. */
export interface BatchResult {
  /** They cover the ranges of the batch exactly; adjacent equal ones are joined. */
  readonly answers: readonly BatchAnswer[];
  /** Ranges that lost batches which the router had given up. */
  readonly losses: number;
  /** Lines and series in it that are none. */
  readonly invalid: Invalid;
}

/** What one Part makes of a batch. */
interface Verdict {
  readonly answer: Answer;
  readonly applied: number;
  /** Its cursor changes: the Part must lie within the range. */
  readonly changes: boolean;
  readonly lost: boolean;
  readonly takesLines: boolean;
}

/** What of a batch's head decides. */
export type BatchSaid = Pick<BatchHead, "router" | "seq" | "ranges" | "statedMs">;

/** Applies a batch, in one step. `body`: as laneBody.ts has it; of an empty one only what the head says counts. */
export function applyBatch(intake: Intake, nowMs: number, head: BatchSaid, body: Uint8Array): BatchResult {
  const { parts } = intake;
  const answers: BatchAnswer[] = [];
  const takers = new Set<Part>();
  const after: (() => void)[] = [];
  let losses = 0;
  const empty = body.length === 0;
  for (const range of head.ranges) {
    const refused = cutFor(parts, head, range, empty);
    let at = range.low;
    for (const part of parts.within(range)) {
      const piece = overlap(part, range) ?? range;
      const { changes, lost, takesLines, answer, applied } = refused ? WAIT : judge(part, head, range, empty);
      if (lost) losses += lose(part, nowMs);
      if (takesLines) takers.add(part);
      if (changes) after.push(() => part.cursors.set(head.router, { applied, oldestMs: range.oldestMs, statedMs: head.statedMs, heardMs: nowMs }));
      else hear(part, head.router, nowMs);
      add(answers, { low: at, high: piece.low, answer: "elsewhere", applied: 0 });
      add(answers, { ...piece, answer, applied });
      at = piece.high;
    }
    add(answers, { low: at, high: range.high, answer: "elsewhere", applied: 0 });
  }
  const pieces = takers.size > 0 ? piecesOf(body) : [];
  if (takers.size > 0) applyTo(intake, takers, pieces);
  for (const set of after) set();
  return { answers, losses, invalid: invalidOf(pieces) };
}

const WAIT: Verdict = { answer: "wait", applied: 0, changes: false, lost: false, takesLines: false };

function judge(part: Part, { router, seq, statedMs }: BatchSaid, { prev, kept }: BatchRange, empty: boolean): Verdict {
  if (part.mode === "copy") return { ...WAIT, answer: "elsewhere" };
  if (part.mode !== "serving") return WAIT;
  const cursor = part.cursors.get(router);
  const known = cursor?.applied ?? 0;
  if (known < prev && prev >= kept) return { ...WAIT, answer: "gap", applied: known };
  const lost = known < prev;
  const applied = Math.max(known, prev);
  if (empty) {
    const fresh = applied <= seq && (cursor?.statedMs ?? Number.NEGATIVE_INFINITY) <= statedMs;
    return { answer: "applied", applied, changes: fresh || lost, lost, takesLines: false };
  }
  if (applied >= seq) return { answer: "duplicate", applied, changes: lost, lost, takesLines: false };
  return { answer: "applied", applied: seq, changes: true, lost, takesLines: true };
}

/** Cuts Parts at the ends of a range where only one side of the cut is to change. True: there is no memory for it. */
function cutFor(parts: Parts, head: BatchSaid, range: BatchRange, empty: boolean): boolean {
  for (const part of parts.within(range)) {
    if (part.low >= range.low && part.high <= range.high) continue;
    if (judge(part, head, range, empty).changes && parts.cut(range) === undefined) return true;
  }
  return false;
}

function lose(part: Part, nowMs: number): number {
  for (const { at } of part.ledgers) f64.store(at + LEDGER_COMPLETE, Math.max(nowMs, f64.load(at + LEDGER_COMPLETE)));
  return 1;
}

/** A router has spoken, if only to repeat itself. */
function hear(part: Part, router: string, nowMs: number): void {
  const cursor = part.cursors.get(router);
  if (cursor !== undefined) part.cursors.set(router, { ...cursor, heardMs: nowMs });
}

function add(answers: BatchAnswer[], answer: BatchAnswer): void {
  if (answer.low >= answer.high) return;
  const last = answers.at(-1);
  if (last !== undefined && last.high === answer.low && last.answer === answer.answer && last.applied === answer.applied)
    answers[answers.length - 1] = { ...last, high: answer.high };
  else answers.push(answer);
}

/** Applies the lines to some Parts and to no other. The samples were counted, and passed on, by the router that read them first. */
function applyTo(intake: Intake, takers: ReadonlySet<Part>, pieces: readonly Piece[]): void {
  const { root, parts } = intake;
  const others = parts.list.filter((part) => part.mode === "serving" && !takers.has(part)).flatMap((part) => part.ledgers);
  const counts = COUNTS.map((at) => f64.load(root + at));
  const lacking = f64.load(root + LACKING);
  for (const { at } of others) i32.store(at + LEDGER_ACCEPTS, 0);
  for (const piece of pieces) applyPiece({ ...intake, passed: notPassed(root) }, piece);
  for (const { at } of others) i32.store(at + LEDGER_ACCEPTS, 1);
  // What memory was too short for is lost here and nowhere else.
  const lost = f64.load(root + LACKING) - lacking;
  for (const [i, at] of COUNTS.entries()) f64.store(root + at, counts[i] ?? 0);
  for (const at of [root + LACKING, root + ROOT_RECEIVED]) f64.store(at, f64.load(at) + lost);
}

/** Its samples arrived when their router took them; not later than what is from the future, whatever the router's clock says. */
function applyPiece(intake: Intake, { document, arrivedMs }: Piece): void {
  const arrival = intake.root + ROOT_ARRIVAL;
  const nowMs = f64.load(arrival);
  f64.store(arrival, Math.min(arrivedMs ?? nowMs, f64.load(intake.root + ROOT_FUTURE)));
  while (!document.done) {
    if (document.kind === "series") readSeries(intake, document);
    else readLines(intake, document);
  }
  f64.store(arrival, nowMs);
}

const LACKING = ROOT_IGNORED + IGNORED_MEMORY * 8;
/** What the process counts of samples. */
const COUNTS = [...Array.from({ length: (ROOT_INEXACT - ROOT_LINES) / 8 + 1 }, (_, i) => ROOT_LINES + i * 8), ROOT_PASSED];

function notPassed(root: number): PassedOn {
  return {
    asLines: false,
    drain: () => {
      i32.store(root + ROOT_PASS_USED, 0);
    },
    line: () => undefined,
    series: () => undefined,
  };
}
