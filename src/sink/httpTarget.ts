// What sinks that speak HTTP have in common before the first request: a URL that may hold credentials, a name that holds none,
// connections with the TLS that was asked for.
import http from "node:http";
import https from "node:https";
import { fixedSecret, type SinkAccess } from "./secret.js";
import { type SinkOptions, SinkUrlError } from "./sink.js";

export interface HttpTarget {
  /** Without credentials. */
  readonly url: URL;
  readonly access: SinkAccess | undefined;
}

/** Reads `text`, of the form `form`. The URL's own credentials count when the options name none. Throws SinkUrlError. */
export function readTarget(text: string, form: string, options: SinkOptions): HttpTarget {
  if (!URL.canParse(text)) throw new SinkUrlError(`--sink "${withoutCredentials(text)}" is not a URL; use ${form}`);
  const url = new URL(text);
  const own = url.username !== "" || url.password !== "";
  const access = options.access ?? (own ? { username: decode(url.username), secret: fixedSecret(decode(url.password)) } : undefined);
  url.username = "";
  url.password = "";
  return { url, access };
}

/** For messages: what stands before an @ may be a password. */
export function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//");
}

/** A % that starts no escape stands for itself. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => Buffer.from(escapes.replaceAll("%", ""), "hex").toString());
}

/** Connections that are kept, at most `connections` at a time. */
export function newAgent(url: URL, connections: number, tls: SinkOptions["tls"]): http.Agent {
  const options = { keepAlive: true, maxSockets: connections };
  if (url.protocol !== "https:") return new http.Agent(options);
  return new https.Agent({
    ...options,
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls?.insecure === true ? { rejectUnauthorized: false } : {}),
  });
}

/** The URL without the last `count` parts of its path and without query, then those parts, decoded. undefined: it has fewer. */
export function splitPath(url: URL, count: number): [URL, ...string[]] | undefined {
  const parts = url.pathname.split("/").filter((part) => part !== "");
  if (parts.length < count) return undefined;
  const base = new URL(url.origin);
  base.pathname = parts.slice(0, -count).join("/");
  return [base, ...parts.slice(-count).map(decode)];
}
