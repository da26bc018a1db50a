// The token level of line protocol: separators, and taking the escapes out of names, tags and strings.
//
// Two grammars are read (research: Telegraf's ragel parser, InfluxData's line-protocol/v2), and they unescape differently in one
// corner: in tags and field keys Telegraf also turns `\"` into `"`, but only when the token holds a space, comma or equals sign.
// Where both accept a line, Telegraf's value is the one we give.
//
// In strings only `\"` and `\\` are escapes. `\n`, `\r` and `\t` stay two characters: that is what InfluxDB, the published corpus
// and line-protocol before v2.2 do; v2.2 decodes them, and Telegraf refuses them.

export type Grammar = "telegraf" | "reference";
export type TokenKind = "measurement" | "tag" | "field";

export const TAB = 9;
export const LF = 10;
export const VT = 11;
export const FF = 12;
export const CR = 13;
export const SPACE = 32;
export const QUOTE = 34;
export const HASH = 35;
export const COMMA = 44;
export const EQUALS = 61;
export const BACKSLASH = 92;

/** Telegraf separates with space, TAB, VT and FF; the reference with space only. */
export function isSeparator(byte: number, grammar: Grammar): boolean {
  return byte === SPACE || (grammar === "telegraf" && (byte === TAB || byte === VT || byte === FF));
}

/** C0 controls and DEL: the reference refuses them in names. */
export function isControl(byte: number): boolean {
  return byte < 32 || byte === 127;
}

/** True when an unescaped `byte` ends a token of this kind. */
export function endsToken(byte: number, kind: TokenKind): boolean {
  if (byte === COMMA || byte === SPACE || (byte >= TAB && byte <= CR)) return true;
  return byte === EQUALS && kind !== "measurement";
}

/** bytes[from..to) without its name escapes; a subarray (not a copy) when there is nothing to take out. */
export function unescapeName(token: Uint8Array, kind: TokenKind, grammar: Grammar): Uint8Array {
  if (!token.includes(BACKSLASH)) return token;
  const quotes = kind !== "measurement" && grammar === "telegraf" && (token.includes(SPACE) || token.includes(COMMA) || token.includes(EQUALS));
  return unescapeText(token, (byte) => byte === SPACE || byte === COMMA || (kind !== "measurement" && byte === EQUALS) || (quotes && byte === QUOTE));
}

/** A string field's bytes without their escapes; a subarray when there are none. */
export function unescapeString(token: Uint8Array): Uint8Array {
  if (!token.includes(BACKSLASH)) return token;
  return unescapeText(token, (byte) => byte === QUOTE || byte === BACKSLASH);
}

function unescapeText(token: Uint8Array, isEscaped: (byte: number) => boolean): Uint8Array {
  const out = new Uint8Array(token.length);
  let length = 0;
  for (let i = 0; i < token.length; i++) {
    const next = token[i + 1];
    if (token[i] === BACKSLASH && next !== undefined && isEscaped(next)) i++;
    out[length++] = token[i] ?? 0;
  }
  return out.subarray(0, length);
}

/** Order of two byte strings; the order of UTF-8 text by code point. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
