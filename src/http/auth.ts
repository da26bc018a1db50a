// Tokens. Whoever knows one of a file's tokens may pass; there are no users and no rights beyond that.
//
//   Authorization: Bearer TOKEN | Token TOKEN | Basic base64(USER:TOKEN)        ?p=TOKEN (InfluxDB v1)
//
// A file holds one token per line, so that two are valid while the senders change over; blank lines and `#` lines are skipped.
// Not done here: reading the file again; a restart takes new tokens.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { systemErrorCode } from "../base/systemError.js";

/** `first`: what a process shows that asks others of its cluster. */
export type TokensResult = { readonly ok: true; readonly tokens: Tokens; readonly first: string } | { readonly ok: false; readonly message: string };

/** The tokens of a file. */
export function readTokenFile(path: string): TokensResult {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return { ok: false, message: `${path}: cannot be read (${systemErrorCode(error) ?? "unknown error"})` };
  }
  const tokens = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const [first] = tokens;
  if (first === undefined) return { ok: false, message: `${path}: holds no token; write one per line` };
  return { ok: true, tokens: new Tokens(tokens), first };
}

export class Tokens {
  readonly #digests: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.#digests = tokens.map(digestOf);
  }

  /** Whether a request with these headers and this query carries one of the tokens. Takes the same time for every wrong one. */
  admits(headers: IncomingHttpHeaders, query: URLSearchParams): boolean {
    const given = tokenOf(headers.authorization) ?? query.get("p") ?? undefined;
    if (given === undefined) return false;
    const digest = digestOf(given);
    let found = false;
    for (const known of this.#digests) found = timingSafeEqual(known, digest) || found;
    return found;
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function tokenOf(authorization: string | undefined): string | undefined {
  const parts = /^(Bearer|Token|Basic) +(\S+) *$/i.exec(authorization ?? "");
  const [, scheme = "", credentials = ""] = parts ?? [];
  if (parts === null) return undefined;
  if (scheme.toLowerCase() !== "basic") return credentials;
  const pair = Buffer.from(credentials, "base64").toString();
  return pair.slice(pair.indexOf(":") + 1);
}
