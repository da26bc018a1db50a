// `sinks:` of limpet.yaml: a list of maps, for what a URL cannot say. docs/operating.md has every key.

import { readFileSync } from "node:fs";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { createSecureContext } from "node:tls";
import { isNativeError } from "node:util/types";
import { cureFor, describe, type Fields, fieldsOf, readBoolean, readDuration, readText, refuse } from "../aggregate/ruleFileFields.js";
import { type ProblemList, type SourceFile, show } from "../aggregate/ruleFileProblem.js";
import type { MapValue, Value } from "../aggregate/ruleFileYaml.js";
import { systemErrorCode } from "../base/systemError.js";
import type { MarkKind } from "../metric/rowBlock.js";
import { fileSecret, fixedSecret, type Secret, type SinkAccess } from "../sink/secret.js";
import type { SinkOptions, SinkTls } from "../sink/sink.js";
import { byteSize } from "./options.js";

export interface SinkEntry {
  readonly url: string;
  readonly options: Omit<SinkOptions, "log">;
}

interface Report {
  readonly file: SourceFile;
  readonly problems: ProblemList;
}

const anyKeys = ["url", "queue_max"] as const;
const credentialKeys = ["username", "password", "password_file", "token", "token_file"] as const;
const tlsKeys = ["ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify"] as const;
const httpKeys = [
  ...anyKeys,
  ...credentialKeys,
  ...tlsKeys,
  "name",
  "protocol",
  "headers",
  "max_age",
  "timeout",
  "staleness_markers",
  "zero_injection",
] as const;
/** Headers that are the protocol's, or have a key of their own. */
const ownHeaders = new Set(["authorization", "content-encoding", "content-length", "content-type", "host", "x-prometheus-remote-write-version"]);

/** The sinks of the list, in order; those with errors, which are reported, are left out. */
export function readSinkList(list: Value, report: Report): SinkEntry[] {
  const path = "sinks";
  if (list.kind !== "list") {
    if (list.kind !== "null") report.problems.error({ ...report, at: list.at, path, message: `${describe(list)} is not a list`, cure: "- url: ..." });
    return [];
  }
  return list.items.flatMap((item, i) => {
    const place = { ...report, path: `${path}[${String(i)}]` };
    if (item.kind === "map") return readSink(item, place);
    report.problems.error({ ...place, at: item.at, message: `${describe(item)} is not a map`, cure: "write it as url: ..." });
    return [];
  });
}

function readSink(map: MapValue, place: Report & { readonly path: string }): SinkEntry[] {
  const fields = { ...place, at: map.at, byKey: fieldsOf(map, place) };
  const before = place.problems.errorCount;
  const url = readText(fields, "url")?.text;
  if (!fields.byKey.has("url")) refuse(fields, fields, "names no url", "url: http://127.0.0.1:9090/api/v1/write");
  refuseUnknown(fields, url);
  const options = readOptions(fields);
  if (url !== undefined && /^(\w+\+)?http:/i.test(url))
    for (const key of tlsKeys) refuseKey(fields, key, "means nothing without TLS", "use https:// in the url");
  return url === undefined || place.problems.errorCount > before ? [] : [{ url, options }];
}

function refuseUnknown(fields: Fields, url: string | undefined): void {
  const known: readonly string[] = url === undefined || /^(\w+\+)?https?:/i.test(url) ? httpKeys : anyKeys;
  for (const { key, keyAt, path } of fields.byKey.values())
    if (!known.includes(key)) refuse(fields, { at: keyAt, path }, "no such key for this kind of sink", cureFor(key, known));
}

function refuseKey(fields: Fields, key: string, message: string, cure?: string): void {
  const field = fields.byKey.get(key);
  if (field !== undefined) refuse(fields, { at: field.keyAt, path: field.path }, message, cure);
}

function readOptions(fields: Fields): SinkEntry["options"] {
  const name = readText(fields, "name")?.text;
  const maxAgeMs = readDuration(fields, "max_age", { minMs: 1000, minText: "1s" })?.ms;
  const timeoutMs = readDuration(fields, "timeout", { minMs: 100, minText: "100ms" })?.ms;
  const queueBytesMax = readScalar(fields, "queue_max", byteSize);
  const protocol = readScalar(fields, "protocol", protocolOf);
  const access = readAccess(fields);
  const tls = readTls(fields);
  const headers = readHeaders(fields);
  const withoutMarks = new Set<MarkKind>();
  if (readBoolean(fields, "staleness_markers") === false) withoutMarks.add("stale");
  if (readBoolean(fields, "zero_injection") === false) withoutMarks.add("zero");
  return {
    withoutMarks,
    headers,
    ...(name === undefined ? {} : { name }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(queueBytesMax === undefined ? {} : { queueBytesMax }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(access === undefined ? {} : { access }),
    ...(tls === undefined ? {} : { tls }),
  };
}

const protocols = ["auto", "1.0", "2.0"] as const;

function protocolOf(text: string): (typeof protocols)[number] {
  const known = protocols.find((protocol) => protocol === text);
  if (known === undefined) throw new Error(`not one of ${protocols.join(", ")}`);
  return known;
}

/** Of a text or number as it is written. What `parse` throws is told with the value, unless that is a secret. */
function readScalar<T>(fields: Fields, key: string, parse: (text: string) => T, secret = false): T | undefined {
  const field = fields.byKey.get(key);
  if (field === undefined) return undefined;
  const { value, path } = field;
  if (value.kind !== "text" && value.kind !== "number") return refuse(fields, { at: value.at, path }, `${describe(value)} is not a text`);
  try {
    return parse(value.text);
  } catch (error) {
    const why = isNativeError(error) ? error.message : "cannot be used";
    return refuse(fields, { at: value.at, path }, secret ? why : `${show(value.text)}: ${why}`);
  }
}

function readAccess(fields: Fields): SinkAccess | undefined {
  const given = ["password", "password_file", "token", "token_file"].filter((key) => fields.byKey.has(key));
  for (const key of given.slice(1)) refuseKey(fields, key, `stands beside ${given[0] ?? ""}`, "keep one of them");
  const username = readScalar(fields, "username", (text) => text);
  const [key = ""] = given;
  const isPassword = key.startsWith("password");
  if (username !== undefined && !isPassword) refuseKey(fields, "username", "has no password", "add password or password_file");
  if (username === undefined && isPassword) refuseKey(fields, key, "has no username", "add username");
  const secret = readScalar(fields, key, key.endsWith("_file") ? fileSecret : secretOf, true);
  return secret === undefined ? undefined : { username, secret };
}

function secretOf(text: string): Secret {
  validateHeaderValue("authorization", text);
  return fixedSecret(text);
}

function readTls(fields: Fields): SinkTls | undefined {
  if (!tlsKeys.some((key) => fields.byKey.has(key))) return undefined;
  const tls = {
    ca: readScalar(fields, "ca_file", pem),
    cert: readScalar(fields, "cert_file", pem),
    key: readScalar(fields, "key_file", pem),
    serverName: readText(fields, "server_name")?.text,
    insecure: readBoolean(fields, "insecure_skip_verify"),
  };
  if (fields.byKey.has("cert_file") !== fields.byKey.has("key_file")) {
    refuseKey(fields, "cert_file", "has no key_file", "they belong together");
    refuseKey(fields, "key_file", "has no cert_file", "they belong together");
  }
  const { ca, cert, key } = tls;
  try {
    createSecureContext({ ...(ca === undefined ? {} : { ca }), ...(cert === undefined || key === undefined ? {} : { cert, key }) });
  } catch (error) {
    refuse(fields, fields, `its TLS files cannot be used: ${isNativeError(error) ? error.message : "unknown error"}`, "PEM is wanted");
  }
  return tls;
}

function pem(path: string): string {
  try {
    const text = readFileSync(path, "utf8");
    if (text.includes("-----BEGIN ")) return text;
  } catch (error) {
    throw new Error(`cannot be read (${systemErrorCode(error) ?? "unknown error"})`, { cause: error });
  }
  throw new Error("holds no PEM block");
}

function readHeaders(fields: Fields): Record<string, string> {
  const headers: Record<string, string> = {};
  const field = fields.byKey.get("headers");
  if (field === undefined) return headers;
  const { value, path } = field;
  if (value.kind !== "map") {
    refuse(fields, { at: value.at, path }, `${describe(value)} is not a map`, 'write {X-Scope-OrgID: "team"}');
    return headers;
  }
  for (const { key, keyAt, value: text } of value.entries) {
    const problem = headerProblem(key, text);
    if (problem !== undefined) refuse(fields, { at: keyAt, path: `${path}.${key}` }, problem);
    else if (text.kind === "text" || text.kind === "number") headers[key.toLowerCase()] = text.text;
  }
  return headers;
}

function headerProblem(name: string, value: Value): string | undefined {
  if (ownHeaders.has(name.toLowerCase())) return "is set by the sink itself; credentials have keys of their own";
  if (value.kind !== "text" && value.kind !== "number") return `${describe(value)} is not a text`;
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value.text);
    return undefined;
  } catch (error) {
    return isNativeError(error) ? error.message : "is no header";
  }
}
