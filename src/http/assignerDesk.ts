// What people's commands ask the assigner.
import type { AssignerStatus } from "../drive/assignerStatus.js";

export type Asked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

const TIMEOUT_MS = 5000;

export class AssignerDesk {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** `url`: base URL. `token`: shown where one is asked for. */
  constructor(url: string, token: string | undefined) {
    this.#url = url.replace(/\/+$/, "");
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  status(): Promise<Asked<AssignerStatus>> {
    // Of our own version: not checked again.
    return this.#ask("/api/v1/status", {}, (answer) => answer as AssignerStatus);
  }

  /** The id of what is drained from now on. */
  drain(resource: string): Promise<Asked<string>> {
    return this.#ask("/api/v1/drain", { method: "POST", body: JSON.stringify({ resource }) }, (answer) => textOf(answer, "resource"));
  }

  async #ask<T>(path: string, init: RequestInit, read: (answer: unknown) => T): Promise<Asked<T>> {
    try {
      const response = await fetch(this.#url + path, { ...init, headers: this.#headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      const answer: unknown = await response.json();
      if (response.ok) return { ok: true, value: read(answer) };
      return { ok: false, message: `${this.#url}: ${textOf(answer, "error")}${listOf(answer, "resources")}` };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      return { ok: false, message: `${this.#url}: ${cause}; is \`limpet assign\` running there?` };
    }
  }
}

function textOf(answer: unknown, key: string): string {
  const value: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, key) : undefined;
  return typeof value === "string" ? value : "no answer that can be read";
}

function listOf(answer: unknown, key: string): string {
  const value: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, key) : undefined;
  return Array.isArray(value) ? `; there are ${value.length === 0 ? "none" : value.join(", ")}` : "";
}
