// One question by HTTP and its answer, decoded. What goes wrong is a value, never an exception; nothing is repeated.
import { systemErrorCode } from "../base/systemError.js";
import type { Read } from "../slice/wire.js";
import { refusalText } from "./refusalText.js";

export interface Question {
  /** GET by default. */
  readonly method?: "POST" | "PUT";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly token: string | undefined;
  /** Gives up: a deadline, an end of the process. */
  readonly signal: AbortSignal;
}

export async function ask<T>({ method, url, headers, body, token, signal }: Question, decode: (text: string) => Read<T>): Promise<Read<T>> {
  try {
    const about = { method: method ?? "GET", headers: { ...headers, ...bearer(token) }, signal };
    const response = await fetch(url, body === undefined ? about : { ...about, body });
    const text = await response.text();
    return response.ok ? decode(text) : { ok: false, error: refusalText(response.status, text) };
  } catch (error) {
    return { ok: false, error: reasonOf(error) };
  }
}

export function bearer(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Why a request failed, in few words: the system's code, if there is one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no answer in time";
  return systemErrorCode(error.cause) ?? systemErrorCode(error) ?? error.message;
}
