// A label regular expression: RE2 (linear time, no backtracking), anchored at both ends, `.` matches newlines, as Prometheus
// and vmagent do. Besides the test it yields what the rule index can look up: the literal alternatives of `a|b|c`, else the
// literal beginning of `foo.*`, else what every match of `.*_(?:foo|bar)` contains.
import { RE2JS } from "re2js";
import { regexNeeds } from "./regexNeeds.js";

export interface LabelRegex {
  readonly accepts: (value: string) => boolean;
  /** The only values the expression accepts, when it is a plain alternation; else undefined. */
  readonly literals: readonly string[] | undefined;
  /** Every accepted value begins with it; "" when nothing is known. */
  readonly prefix: string;
  /** Every accepted value contains one of these, none of them empty; undefined when nothing is known. */
  readonly needs: readonly string[] | undefined;
}

export type LabelRegexResult = { readonly ok: true; readonly regex: LabelRegex } | { readonly ok: false; readonly error: string };

const meta = /[.+*?()[\]{}^$]/;

/** Reads literal characters (escaped punctuation is literal) up to the first thing that is not, or to `|`. */
function readLiteral(text: string, start: number): { literal: string; end: number } {
  let literal = "";
  let at = start;
  for (;;) {
    const char = text[at];
    if (char === undefined || char === "|" || meta.test(char)) return { literal, end: at };
    if (char !== "\\") {
      literal += char;
      at += 1;
      continue;
    }
    const next = text[at + 1];
    if (next === undefined || !/[!-/:-@[-`{-~]/.test(next)) return { literal, end: at };
    literal += next;
    at += 2;
  }
}

/** One pair of parentheses around everything, `(a|b)` or `(?:a|b)`, does not change what is accepted. */
function withoutGroup(text: string): string {
  const inner = /^\((?:\?:)?([^()]*)\)$/.exec(text)?.[1];
  return inner === undefined || inner.startsWith("?") || inner.endsWith("\\") ? text : inner;
}

function literalsOf(text: string): readonly string[] | undefined {
  const body = withoutGroup(text);
  const literals = new Set<string>();
  for (let at = 0; ; ) {
    const { literal, end } = readLiteral(body, at);
    literals.add(literal);
    if (end === body.length) return [...literals];
    if (body[end] !== "|") return undefined;
    at = end + 1;
  }
}

/** Whether `|` may stand outside all parentheses. Says yes when classes or `\Q` make that hard to see. */
function mayAlternate(text: string): boolean {
  if (!text.includes("|")) return false;
  if (text.includes("[") || text.includes("\\Q")) return true;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at += 1;
    else if (char === "(") depth += 1;
    else if (char === ")") depth -= 1;
    else if (char === "|" && depth === 0) return true;
  }
  return false;
}

function prefixOf(text: string): string {
  if (mayAlternate(text)) return "";
  const { literal, end } = readLiteral(text, 0);
  const next = text[end];
  // A quantifier binds to the last character (a whole code point), which is then not certain.
  if (next !== undefined && "*?+{".includes(next)) return literal.replace(/.$/su, "");
  return literal;
}

/** By its text: a thousand rules have few expressions. Bounded; past it everything is compiled anew. */
const compiledBefore = new Map<string, LabelRegexResult>();
const COMPILED_MAX = 1000;

/** As compile(), remembering what it made. */
export function compileLabelRegex(text: string): LabelRegexResult {
  const known = compiledBefore.get(text);
  if (known !== undefined) return known;
  if (compiledBefore.size >= COMPILED_MAX) compiledBefore.clear();
  const result = compile(text);
  compiledBefore.set(text, result);
  return result;
}

/** Compiles `text`. `error` is RE2's own description of what is wrong, e.g. "missing closing ): `a(`". */
function compile(text: string): LabelRegexResult {
  try {
    const compiled = RE2JS.compile(text, RE2JS.DOTALL);
    const literals = literalsOf(text);
    if (literals !== undefined) {
      const set = new Set(literals);
      return { ok: true, regex: { accepts: (value) => set.has(value), literals, prefix: "", needs: undefined } };
    }
    const needs = regexNeeds(text);
    const accepts = (value: string): boolean => (needs === undefined || needs.some((piece) => value.includes(piece))) && compiled.testExact(value);
    return { ok: true, regex: { accepts, literals, prefix: prefixOf(text), needs } };
  } catch (cause) {
    // RE2JS reports a bad expression by throwing; too deep or too large ones end the same way.
    // Its text shows the flags we set as `(?s)`, which nobody wrote.
    const message = cause instanceof Error ? cause.message : String(cause);
    return { ok: false, error: message.replace(/^error parsing regexp: /, "").replace("`(?s)", "`") };
  }
}
