// What the sink says to people: one warning per kind and half minute, each with its cure, and one line when all is well again.

import type { Answer } from "./answer.js";
import type { DropReason, SinkLog } from "./sink.js";

const silenceMs = 30_000;
/** A receiver that is back within this time is nobody's business. */
const patienceMs = 1000;

export interface QueueLevel {
  readonly rows: number;
  readonly bytes: number;
  readonly bytesMax: number;
}

export class Complaints {
  readonly #name: string;
  readonly #pathCure: string;
  readonly #log: SinkLog;
  readonly #nextMs = new Map<string, number>();
  /** Rows a kind of warning has not told about yet. */
  readonly #untold = new Map<string, number>();
  #failingSinceMs: number | undefined;
  #complained = false;

  constructor({ name, pathCure }: { readonly name: string; readonly pathCure: string }, log: SinkLog) {
    this.#name = name;
    this.#pathCure = pathCure;
    this.#log = log;
  }

  /** A request failed and will be repeated in `retryMs`. */
  failing(nowMs: number, answer: Answer, retryMs: number, level: QueueLevel): void {
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs + retryMs < patienceMs || !this.#due("failing", nowMs)) return;
    this.#complained = true;
    const queued = `${count(level.rows)} rows queued (${mebibytes(level.bytes)} of ${mebibytes(level.bytesMax)} MiB)`;
    this.#log("warn", `sink ${this.#name}: ${describe(answer)}; ${queued}, retrying in ${seconds(retryMs)}; ${cure(answer, this.#pathCure)}`);
  }

  /** A request was answered for good. */
  answered(nowMs: number): void {
    if (this.#complained) this.#log("info", `sink ${this.#name}: answers again after ${seconds(nowMs - (this.#failingSinceMs ?? nowMs))}`);
    if (this.#complained) this.#nextMs.delete("failing");
    this.#complained = false;
    this.#failingSinceMs = undefined;
  }

  /** The receiver refused rows and they will not be sent again. */
  refused(nowMs: number, rows: number, as: string, answer: Answer): void {
    const total = this.#tell(`refused ${as}`, nowMs, rows);
    if (total === 0) return;
    const why =
      as === "bad_request"
        ? cure(answer, this.#pathCure)
        : "two senders may write the same series, or rows were sent once before: check that only one process runs this rule";
    this.#log("warn", `sink ${this.#name}: ${count(total)} rows refused (${as}), last: ${describe(answer)}; ${why}`);
  }

  /** Not told: rows of a stop, of which only the caller of close() knows whether they are kept. */
  dropped(nowMs: number, rows: number, reason: DropReason): void {
    if (reason === "stop") return;
    const total = this.#tell(`dropped ${reason}`, nowMs, rows);
    if (total > 0) this.#log("warn", `sink ${this.#name}: ${count(total)} rows dropped (${reason}); ${dropCures[reason]}`);
  }

  /** Rows to tell about now, 0 while the kind must be silent. */
  #tell(kind: string, nowMs: number, rows: number): number {
    const total = (this.#untold.get(kind) ?? 0) + rows;
    const due = this.#due(kind, nowMs);
    this.#untold.set(kind, due ? 0 : total);
    return due ? total : 0;
  }

  #due(kind: string, nowMs: number): boolean {
    if (nowMs < (this.#nextMs.get(kind) ?? 0)) return false;
    this.#nextMs.set(kind, nowMs + silenceMs);
    return true;
  }
}

const dropCures: Record<Exclude<DropReason, "stop">, string> = {
  queue_full: "the receiver is too slow or away too long: restore it, or give the sink a larger queue",
  bad_request: "see the receiver's answer",
  too_old: "the receiver was away for longer than the sink keeps rows: restore it, or raise the sink's max_age",
  invalid: "their names or labels are none that Prometheus allows: rename them with output_name or output_relabel_configs",
  io: "check the disk, or what reads the pipe",
};

function describe(answer: Answer): string {
  if (answer.kind === "failed") return reasons[answer.reason] ?? (answer.reason.startsWith("HPE_") ? "the answer is no HTTP" : answer.reason);
  const line = answer.body.trim().split("\n", 1)[0] ?? "";
  return `HTTP ${answer.status}${line === "" ? "" : ` "${line.slice(0, 300)}"`}`;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection closed by the receiver",
  EPIPE: "connection closed by the receiver",
  ENOTFOUND: "host not found",
  EAI_AGAIN: "host name cannot be resolved",
  EHOSTUNREACH: "host unreachable",
  ETIMEDOUT: "timed out",
  HPE_HEADER_OVERFLOW: "the answer's headers are over 16 KiB",
};

function cure(answer: Answer, pathCure: string): string {
  if (answer.kind === "failed") return "check that the receiver runs and that the URL's host and port are right";
  if (answer.status === 401 || answer.status === 403) return "check the sink's credentials (in its URL, or username, password, token in limpet.yaml)";
  if (answer.status === 404 || answer.status === 405) return pathCure;
  if (answer.status >= 300 && answer.status < 400) return "redirects are not followed: give the URL they lead to";
  if (answer.status === 429) return "the receiver limits the rate: raise its limit or send it fewer series";
  return answer.status >= 500 ? "see the receiver's log" : "see the receiver's answer";
}

function count(rows: number): string {
  return rows.toLocaleString("en-US");
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(bytes % 2 ** 20 === 0 ? 0 : 1);
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.ceil(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
