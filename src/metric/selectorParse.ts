// Reads selectors: `name`, `{...}`, `name{...}`, alternatives by `or`, `{"my.metric"}`, quoted label names, the three quotes,
// a trailing comma. Grammar: VictoriaMetrics' metricsql, less what cannot select series (ranges, offsets, functions).
// One pass over the text with an index; the first error ends it and says its offset.

import type { Matcher, Selector } from "./selector.js";
import { compileLabelRegex } from "./selectorRegex.js";

export interface SelectorError {
  /** Index into the text, UTF-16 units. */
  readonly at: number;
  readonly message: string;
  readonly cure: string | undefined;
}

export type SelectorResult = { readonly ok: true; readonly selector: Selector } | { readonly ok: false; readonly error: SelectorError };

class Refusal extends Error {
  readonly detail: SelectorError;
  constructor(at: number, message: string, cure?: string) {
    super(message);
    this.detail = { at, message, cure };
  }
}

const nameStart = /[\p{L}_:]/u;
const identifier = /(?:[\p{L}\p{Nd}_:.]|\\[^\p{L}\p{Nd}\n]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4})+/uy;
const space = /[ \t\r\n\f\v]*/y;
const simpleEscapes: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"],
  ['"', '"'],
  ["'", "'"],
  ["`", "`"],
]);
const codeEscape = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})/y;

class Reader {
  readonly text: string;
  at = 0;
  constructor(text: string) {
    this.text = text;
  }

  skipSpace(): void {
    space.lastIndex = this.at;
    space.exec(this.text);
    this.at = space.lastIndex;
  }

  /** The character at the cursor, "" at the end. */
  peek(): string {
    return this.text[this.at] ?? "";
  }

  take(token: string): boolean {
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  /** A bare name, unescaped, or undefined when none starts here. */
  identifier(): string | undefined {
    const first = String.fromCodePoint(this.text.codePointAt(this.at) ?? 32);
    if (!nameStart.test(first) && first !== "\\") return undefined;
    identifier.lastIndex = this.at;
    const found = identifier.exec(this.text)?.[0];
    if (found === undefined) return undefined;
    this.at = identifier.lastIndex;
    return found.replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/gsu,
      (_all, byte?: string, unit?: string, char?: string) => char ?? String.fromCharCode(Number.parseInt(byte ?? unit ?? "", 16)),
    );
  }

  /** A quoted string, unescaped as Go does; backquotes take everything as it stands. Undefined when none starts here. */
  quoted(): string | undefined {
    const quote = this.peek();
    const start = this.at;
    if (quote !== '"' && quote !== "'" && quote !== "`") return undefined;
    this.at += 1;
    let value = "";
    for (;;) {
      const char = this.peek();
      if (char === "") throw new Refusal(start, `the string is not closed`, `end it with ${quote}`);
      if (char === quote) break;
      if (char === "\\" && quote !== "`") value += this.#escape();
      else {
        value += char;
        this.at += 1;
      }
    }
    this.at += 1;
    return value;
  }

  #escape(): string {
    const next = this.text[this.at + 1] ?? "";
    const simple = simpleEscapes.get(next);
    if (simple !== undefined) {
      this.at += 2;
      return simple;
    }
    codeEscape.lastIndex = this.at + 1;
    const found = codeEscape.exec(this.text);
    const digits = found?.[1] ?? found?.[2] ?? found?.[3];
    const code = found === null ? Number.NaN : digits === undefined ? Number.parseInt(found[4] ?? "", 8) : Number.parseInt(digits, 16);
    if (!(code <= 0x10ffff)) throw new Refusal(this.at, `\\${next} is not an escape`, `write \\\\${next}, or quote the value with backquotes`);
    this.at = codeEscape.lastIndex;
    return String.fromCodePoint(code);
  }
}

function literalMatcher(label: string, op: "=" | "!=", value: string): Matcher {
  if (op === "=") return { label, op, value, accepts: (got) => got === value, literals: [value], prefix: "", needs: undefined };
  return { label, op, value, accepts: (got) => got !== value, literals: undefined, prefix: "", needs: undefined };
}

/** A matcher as the index and the engine use it. `error` is RE2's description of a bad regular expression. */
export function makeMatcher(label: string, op: Matcher["op"], value: string): { ok: true; matcher: Matcher } | { ok: false; error: string } {
  if (op === "=" || op === "!=") return { ok: true, matcher: literalMatcher(label, op, value) };
  const compiled = compileLabelRegex(value);
  if (!compiled.ok) return compiled;
  if (op === "=~") return { ok: true, matcher: { label, op, value, ...compiled.regex } };
  const { accepts } = compiled.regex;
  return { ok: true, matcher: { label, op, value, accepts: (got) => !accepts(got), literals: undefined, prefix: "", needs: undefined } };
}

/** `label op "value"`, or a metric name in quotes. */
function readMatcher(reader: Reader): Matcher {
  const start = reader.at;
  const quoted = reader.quoted();
  const label = quoted ?? reader.identifier();
  if (label === undefined) throw new Refusal(start, `a label name is expected here`, 'write {label="value"}');
  reader.skipSpace();
  const next = reader.peek();
  if (quoted !== undefined && (next === "," || next === "}" || /^or\b/i.test(reader.text.slice(reader.at, reader.at + 3)))) {
    return literalMatcher("__name__", "=", quoted);
  }
  if (label === "") throw new Refusal(start, "the label name is empty", 'write {label="value"}');
  const op = (["=~", "!~", "!=", "="] as const).find((candidate) => reader.take(candidate));
  if (op === undefined) {
    const cure = next === "," || next === "}" ? `write ${label}="value", or {"${label}"} for a metric name` : undefined;
    throw new Refusal(reader.at, `=, !=, =~ or !~ is expected after ${label}`, cure);
  }
  if (op === "=" && reader.peek() === "=") throw new Refusal(reader.at - 1, "== is not an operator here", "use =");
  reader.skipSpace();
  const valueAt = reader.at;
  const value = reader.quoted();
  if (value === undefined) throw new Refusal(valueAt, `the value of ${label} is not quoted`, `write ${label}${op}"value"`);
  const made = makeMatcher(label, op, value);
  if (!made.ok) throw new Refusal(valueAt, `bad regular expression: ${made.error}`, "RE2 syntax: no look-around, no back-references");
  return made.matcher;
}

/** `or` stands here as a separator and not as a label name. */
function takeOr(reader: Reader): boolean {
  const found = /^or(?=[\s"'`}]|$)(?!\s*[=!])/i.exec(reader.text.slice(reader.at, reader.at + 64));
  if (found === null) return false;
  reader.at += 2;
  return true;
}

/** What stands between the braces; the cursor is behind `{` and ends behind `}`. */
function readBraces(reader: Reader, open: number): Matcher[][] {
  const alternatives: Matcher[][] = [];
  let matchers: Matcher[] = [];
  for (;;) {
    reader.skipSpace();
    if (reader.take("}")) break;
    if (reader.peek() === "") throw new Refusal(open, "the { is not closed", "end it with }");
    const orAt = reader.at;
    if (takeOr(reader)) {
      if (matchers.length === 0) throw new Refusal(orAt, "nothing stands before or", 'write {a="1" or b="2"}');
      alternatives.push(matchers);
      matchers = [];
      reader.skipSpace();
      if (reader.peek() === "}") throw new Refusal(orAt, "nothing stands after or", 'write {a="1" or b="2"}');
      continue;
    }
    matchers.push(readMatcher(reader));
    reader.skipSpace();
    if (reader.take(",") || reader.peek() === "}" || reader.peek() === "") continue;
    if (!/^or[\s"'`}]/i.test(reader.text.slice(reader.at, reader.at + 3))) {
      throw new Refusal(reader.at, `unexpected ${describe(reader)}`, "separate matchers with a comma or with or");
    }
  }
  if (matchers.length > 0 || alternatives.length === 0) alternatives.push(matchers);
  return alternatives;
}

function describe(reader: Reader): string {
  const rest = reader.text.slice(reader.at, reader.at + 12).split(/[\s,}]/)[0] ?? "";
  return JSON.stringify(rest === "" ? reader.peek() : rest);
}

function refuseRest(reader: Reader): void {
  reader.skipSpace();
  const rest = reader.text.slice(reader.at);
  if (rest === "") return;
  if (rest.startsWith("["))
    throw new Refusal(reader.at, `a range such as ${rest.slice(0, 12)} cannot stand here`, "remove it: interval: sets the window");
  if (/^offset\b/i.test(rest)) throw new Refusal(reader.at, "offset cannot stand here", "remove it: rules see samples as they arrive");
  if (rest.startsWith("@")) throw new Refusal(reader.at, "@ cannot stand here", "remove it: rules see samples as they arrive");
  if (rest.startsWith("("))
    throw new Refusal(reader.at, "a function cannot stand here", "write the series selector alone; outputs: names the functions");
  if (/^or\b/i.test(rest)) throw new Refusal(reader.at, "or stands outside the braces", 'write {a="1" or b="2"}, or a list of selectors');
  throw new Refusal(reader.at, `unexpected ${describe(reader)} after the selector`);
}

function readSelector(text: string): Selector {
  const reader = new Reader(text);
  reader.skipSpace();
  if (reader.peek() === "") throw new Refusal(0, "the selector is empty", "remove match: to take every series");
  const name = reader.identifier();
  if (name === undefined && reader.peek() !== "{") {
    const cure = /["'`]/.test(reader.peek()) ? `write {${text.trim()}}` : 'write metric, {label="value"} or metric{label="value"}';
    throw new Refusal(reader.at, `${describe(reader)} does not start a selector`, cure);
  }
  reader.skipSpace();
  const open = reader.at;
  const braces = reader.take("{") ? readBraces(reader, open) : [[]];
  refuseRest(reader);
  if (name === undefined) return { text, alternatives: braces };
  return { text, alternatives: braces.map((matchers) => [literalMatcher("__name__", "=", name), ...matchers]) };
}

/** Reads one selector. Never throws; `error.at` is the offset of what is wrong. */
export function parseSelector(text: string): SelectorResult {
  try {
    return { ok: true, selector: readSelector(text) };
  } catch (cause) {
    if (cause instanceof Refusal) return { ok: false, error: cause.detail };
    throw cause;
  }
}
