// A Point as canonical line protocol, in the intersection of what Telegraf and InfluxData's reference read with equal values:
// tags sorted, floats without an exponent, `i`/`u` exact, nanosecond time, strings with `\"` and `\\` only.
//
// What no spelling of both grammars can carry is changed as Telegraf's serializer does: LF, TAB, FF, CR in names become `\n`, `\t`,
// `\f`, `\r` (two characters), backslashes at the end of a name are cut, empty tags and NaN or infinite fields are left out.
// Beyond Telegraf, whose output then does not read back: other control characters in names become `_`, so does a `#` that would make
// the line a comment, bytes that are not UTF-8 become U+FFFD, and a backslash goes where it would act on what follows it.

import type { Field, FieldValue, Point, Tag } from "./lineDecoder.js";
import type { TokenKind } from "./lineText.js";
import { compareUtf8, decodeUtf8 } from "./utf8.js";

export type EncodablePoint = Pick<Point, "measurement" | "tags" | "fields" | "time">;

const encoder = new TextEncoder();
const NAMED_CONTROLS: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r" };

/** Backslashes that would act on what follows them, in a name with something to escape (in tags only a quote, see lineText.ts). */
const ACTING_BACKSLASHES: Readonly<Record<TokenKind, RegExp>> = { measurement: /\\+(?=[ ,])/g, tag: /\\+(?=")/g, field: /\\+(?=[ ,="])/g };

/** One line without its LF; undefined when no field (or no measurement) can be written. `time` is written as it is: give it in ns. */
export function encodePoint(point: EncodablePoint): Uint8Array | undefined {
  const fields = point.fields.map(encodeField).filter((text) => text !== "");
  const line = lineOf(textOf(point.measurement), encodeTags(point.tags), fields.join(","));
  if (line === undefined) return undefined;
  return encoder.encode(point.time === undefined ? line : `${line} ${String(point.time)}`);
}

/**
 * A sample under its own name, as the field `value`: that name is what Telegraf's Prometheus serializer makes of the line again.
 * "" when the name or the value is none that line protocol has. `tags` sorted by key bytes; `timeMs` whole.
 */
export function encodeSample(name: string, tags: readonly (readonly [string, string])[], value: number, timeMs: number): string {
  if (!Number.isFinite(value)) return "";
  const line = lineOf(name, tags.map(encodeTag).join(""), `value=${plainFloat(value)}`);
  return line === undefined ? "" : `${line} ${timeMs === 0 ? "0" : `${String(timeMs)}000000`}`;
}

function lineOf(name: string, tags: string, fields: string): string | undefined {
  const measurement = encodeName(name, "measurement").replace(/^#/, "_");
  return fields === "" || measurement === "" ? undefined : `${measurement}${tags} ${fields}`;
}

function textOf(bytes: Uint8Array): string {
  return decodeUtf8(bytes).text;
}

/** Sorted by the keys as they are written: of two that became one the last stays, as when it is read. */
function encodeTags(tags: readonly Tag[]): string {
  const kept = new Map<string, string>();
  for (const { key, value } of tags) kept.set(plainName(textOf(key), "tag"), textOf(value));
  return [...kept]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(encodeTag)
    .join("");
}

/** `,key=value`; "" when one of them is empty. */
export function encodeTag([tag, text]: readonly [string, string]): string {
  const key = encodeName(tag, "tag");
  const value = encodeName(text, "tag");
  return key === "" || value === "" ? "" : `,${key}=${value}`;
}

function encodeField(field: Field): string {
  const key = encodeName(textOf(field.key), "field");
  const value = encodeValue(field.value);
  return key === "" || value === "" ? "" : `${key}=${value}`;
}

function encodeName(text: string, kind: TokenKind): string {
  return plainName(text, kind).replace(escapedIn(kind), "\\$&");
}

/** A name as it will be read back. */
function plainName(text: string, kind: TokenKind): string {
  const name = cleanName(text).replace(/\\+$/, "");
  return name.search(escapedIn(kind)) === -1 ? name : name.replace(ACTING_BACKSLASHES[kind], "");
}

function escapedIn(kind: TokenKind): RegExp {
  return kind === "measurement" ? /[ ,]/g : /[ ,=]/g;
}

function cleanName(name: string): string {
  let clean = "";
  for (const rune of name) {
    const code = rune.codePointAt(0) ?? 0;
    clean += code < 32 || code === 127 ? (NAMED_CONTROLS[rune] ?? "_") : rune;
  }
  return clean;
}

function encodeValue(value: FieldValue): string {
  switch (value.kind) {
    case "float":
      return Number.isFinite(value.value) ? plainFloat(value.value) : "";
    case "int":
      return `${String(value.value)}i`;
    case "uint":
      return `${String(value.value)}u`;
    case "bool":
      return value.value ? "true" : "false";
    case "string":
      return `"${textOf(value.value).replace(/["\\]/g, "\\$&")}"`;
  }
}

/** Shortest digits that read back as the same double, never with an exponent (Go's 'f', -1): 1e21 is 1 and 21 zeros. */
export function plainFloat(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const text = String(value);
  const e = text.indexOf("e");
  if (e === -1) return text;
  const sign = text.startsWith("-") ? "-" : "";
  const exponent = Number(text.slice(e + 1));
  const [whole = "", fraction = ""] = text.slice(sign.length, e).split(".");
  const digits = whole + fraction;
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  return `${sign}${digits}${"0".repeat(exponent - fraction.length)}`;
}
