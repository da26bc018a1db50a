// One attempt to read one line in one grammar. Methods move `at` and answer whether the line can still be accepted; when not,
// either `incomplete` is set (the answer is in bytes that have not come) or `fault` says what was expected at `at`.
// Invariant: after a failure nothing moves, so `at` is the offending byte, where Telegraf reports its errors.

import type { Field, FieldValue, Point, Tag } from "./lineDecoder.js";
import { isInt64, readInteger, readNumber, spanBoolean, spanNumber, spanTime } from "./lineNumber.js";
import {
  BACKSLASH,
  COMMA,
  CR,
  compareBytes,
  EQUALS,
  endsToken,
  type Grammar,
  isControl,
  isSeparator,
  LF,
  QUOTE,
  TAB,
  type TokenKind,
  unescapeName,
  unescapeString,
} from "./lineText.js";

const OUT_OF_RANGE = "value out of range";
const NO_BYTES = new Uint8Array(0);

export class LineScanner {
  /** Offset of the next byte to read. */
  at = 0;
  /** What was expected, "" while the line is good. */
  fault = "";
  incomplete = false;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #final: boolean;
  readonly #grammar: Grammar;
  readonly #tags: Tag[] = [];
  readonly #fields: Field[] = [];
  #time: bigint | undefined;

  constructor(bytes: Uint8Array, end: number, final: boolean, grammar: Grammar) {
    this.#bytes = bytes;
    this.#end = end;
    this.#final = final;
    this.#grammar = grammar;
  }

  /** Reads the line whose first byte (no separator) is at `start`; on success `at` is the start of the next line. Call once. */
  scan(start: number): Point | undefined {
    this.at = start;
    if (!this.#token("measurement", "expected measurement name")) return undefined;
    const measurement = this.#name(start, "measurement");
    while (this.#peek() === COMMA) if (!this.#tag()) return undefined;
    const keyEnd = this.at;
    if (!isSeparator(this.#peek(), this.#grammar)) return this.#lost("expected tag");
    this.#separators();
    do if (!this.#field()) return undefined;
    while (this.#comma());
    if (!this.#afterFields()) return undefined;
    return { measurement, tags: sorted(this.#tags), fields: unique(this.#fields), time: this.#time, keyStart: start, keyEnd };
  }

  /** The byte at `at`, -1 at the end. */
  #peek(): number {
    return this.at < this.#end ? (this.#bytes[this.at] ?? -1) : -1;
  }

  #fail(expected: string): false {
    if (this.at >= this.#end && !this.#final) this.incomplete = true;
    else this.fault = expected;
    return false;
  }

  #lost(expected: string): undefined {
    this.#fail(expected);
    return undefined;
  }

  #comma(): boolean {
    if (this.#peek() !== COMMA) return false;
    this.at++;
    return true;
  }

  #separators(): void {
    while (isSeparator(this.#peek(), this.#grammar)) this.at++;
  }

  #name(from: number, kind: TokenKind): Uint8Array {
    return unescapeName(this.#bytes.subarray(from, this.at), kind, this.#grammar);
  }

  /** Moves over a name; fails on an empty one and on an escape or byte the grammar refuses. */
  #token(kind: TokenKind, expected: string): boolean {
    const start = this.at;
    const moved = this.#grammar === "telegraf" ? this.#telegrafToken(kind) : this.#referenceToken(kind);
    if (this.at === start) return this.#fail(expected);
    if (!moved) return this.#fail(kind === "measurement" ? "parse error" : expected);
    return true;
  }

  // A backslash takes the next byte with it. In tags `\\` takes only itself, so a second backslash still escapes what follows.
  #telegrafToken(kind: TokenKind): boolean {
    for (; this.at < this.#end; this.at++) {
      const byte = this.#bytes[this.at] ?? 0;
      if (byte !== BACKSLASH) {
        if (endsToken(byte, kind)) return true;
        continue;
      }
      const next = this.at + 1 < this.#end ? (this.#bytes[this.at + 1] ?? -1) : -1;
      if (next === -1 || (next >= TAB && next <= CR)) {
        this.at++;
        return false;
      }
      if (kind !== "tag" || next !== BACKSLASH) this.at++;
    }
    return true;
  }

  // A backslash is an escape only before a byte that needs one, and otherwise an ordinary byte.
  #referenceToken(kind: TokenKind): boolean {
    for (; this.at < this.#end; this.at++) {
      const byte = this.#bytes[this.at] ?? 0;
      if (byte === BACKSLASH) {
        const next = this.at + 1 < this.#end ? (this.#bytes[this.at + 1] ?? 0) : 0;
        if (!isControl(next) && endsToken(next, kind)) this.at++;
      } else if (endsToken(byte, kind)) return true;
      else if (isControl(byte)) return false;
    }
    return true;
  }

  #tag(): boolean {
    this.at++;
    const keyStart = this.at;
    if (!this.#token("tag", "expected tag")) return false;
    const key = this.#name(keyStart, "tag");
    if (this.#peek() !== EQUALS) return this.#fail("expected tag");
    this.at++;
    const valueStart = this.at;
    if (!this.#token("tag", "expected tag")) return false;
    this.#tags.push({ key, value: this.#name(valueStart, "tag") });
    return true;
  }

  #field(): boolean {
    const keyStart = this.at;
    if (!this.#token("field", "expected field")) return false;
    const key = this.#name(keyStart, "field");
    if (this.#peek() !== EQUALS) return this.#fail("expected field");
    this.at++;
    const value = this.#value();
    if (value === undefined) return false;
    this.#fields.push({ key, value });
    return true;
  }

  #value(): FieldValue | undefined {
    const byte = this.#peek();
    if (byte === QUOTE) return this.#string();
    if (byte === -1) return this.#lost("expected field");
    const start = this.at;
    const boolean = spanBoolean(this.#bytes, start, this.#end);
    if (boolean.at > start) {
      this.at = boolean.at;
      if (boolean.value === undefined || !this.#valueEnds()) return this.#lost("expected field");
      return { kind: "bool", value: boolean.value };
    }
    const span = spanNumber(this.#bytes, start, this.#end, this.#grammar);
    this.at = span.at;
    if (span.kind === "bad" || !this.#valueEnds()) return this.#lost("expected field");
    return readNumber(this.#bytes, start, span) ?? this.#lost(OUT_OF_RANGE);
  }

  /** A value may be followed by a comma, a separator, a line end or the end of the stream. */
  #valueEnds(): boolean {
    const byte = this.#peek();
    if (byte === -1) return this.#final;
    return byte === COMMA || byte === LF || byte === CR || isSeparator(byte, this.#grammar);
  }

  #string(): FieldValue | undefined {
    const start = ++this.at;
    for (; this.at < this.#end; this.at++) {
      const byte = this.#bytes[this.at] ?? 0;
      if (byte === QUOTE) {
        const value = unescapeString(this.#bytes.subarray(start, this.at++));
        return this.#valueEnds() ? { kind: "string", value } : this.#lost("expected field");
      }
      if (!this.#stringByte(byte)) return this.#lost("expected field");
    }
    return this.#lost("expected field");
  }

  // Telegraf refuses every escape but two; to the reference a backslash is then an ordinary byte.
  #stringByte(byte: number): boolean {
    if (byte !== BACKSLASH) return true;
    const next = this.at + 1 < this.#end ? this.#bytes[this.at + 1] : -1;
    if (next !== QUOTE && next !== BACKSLASH && this.#grammar === "reference") return true;
    this.at++;
    return next === QUOTE || next === BACKSLASH;
  }

  #afterFields(): boolean {
    const separated = isSeparator(this.#peek(), this.#grammar);
    this.#separators();
    if (this.#isLineEnd()) return this.#lineEnd();
    if (!separated) return this.#fail("expected field");
    const start = this.at;
    const span = spanTime(this.#bytes, start, this.#end, this.#grammar);
    this.at = span.at;
    const follows = this.#peek();
    const ends = follows === -1 || follows === LF || follows === CR || isSeparator(follows, this.#grammar);
    if (span.bad || !ends) return this.#fail("expected timestamp");
    const time = readInteger(this.#bytes, start, span.at);
    if (!isInt64(time)) return this.#fail(OUT_OF_RANGE);
    this.#time = time;
    this.#separators();
    return this.#isLineEnd() ? this.#lineEnd() : this.#fail("parse error");
  }

  #isLineEnd(): boolean {
    const byte = this.#peek();
    return byte === -1 || byte === LF || byte === CR;
  }

  #lineEnd(): boolean {
    if (this.#peek() === CR) this.at++;
    if (this.at >= this.#end) return this.#final || this.#fail("parse error");
    if (this.#peek() !== LF) return this.#fail("parse error");
    this.at++;
    return true;
  }
}

function sorted(tags: Tag[]): Tag[] {
  if (tags.length < 2) return tags;
  // The sort is stable, so of equal keys the last in the line is the last here.
  tags.sort((a, b) => compareBytes(a.key, b.key));
  return tags.filter((tag, i) => compareBytes(tag.key, tags[i + 1]?.key ?? NO_BYTES) !== 0);
}

function unique(fields: Field[]): Field[] {
  if (fields.length < 2) return fields;
  const byKey = new Map<string, Field>();
  for (const { key, value } of fields) {
    byKey.set(Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1"), { key, value });
  }
  return byKey.size === fields.length ? fields : [...byKey.values()];
}
