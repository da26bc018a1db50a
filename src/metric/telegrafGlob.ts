// Telegraf's globs, as filter/filter.go compiles them with gobwas/glob and no separators: `*` and `**` any text, `?` one
// character, `[abc]`, `[!abc]`, `[a-z]`, `[!a-z]`, `{a,b*}`, `\` before a character that shall stand for itself. A list in which no
// pattern has `*`, `?` or `[` is a list of plain texts, braces and all. Matching is linear in the text (RE2).
import { RE2JS } from "re2js";

export type GlobResult = { readonly ok: true; readonly accepts: (text: string) => boolean } | { readonly ok: false; readonly error: string };

class GlobError extends Error {}

/** One character class, `[` being at `at`. */
function readClass(chars: readonly string[], at: number): { regex: string; next: number } {
  const negated = chars[at + 1] === "!";
  const start = at + (negated ? 2 : 1);
  if (chars[start + 1] === "-") {
    const [low = "", high = ""] = [chars[start], chars[start + 2]];
    if (high === "" || chars[start + 3] !== "]") throw new GlobError("a range is written [a-z], one range per pair of brackets");
    if ((high.codePointAt(0) ?? 0) < (low.codePointAt(0) ?? 0)) throw new GlobError(`the range ${low}-${high} is empty`);
    return { regex: `[${negated ? "^" : ""}${quoteInClass(low)}-${quoteInClass(high)}]`, next: start + 4 };
  }
  let members = "";
  let i = start;
  for (; i < chars.length && chars[i] !== "]"; i++) {
    if (chars[i] === "\\") i++;
    members += quoteInClass(chars[i] ?? "");
  }
  if (i >= chars.length) throw new GlobError("the [ is not closed");
  if (members === "") throw new GlobError("nothing stands between [ and ]");
  return { regex: `[${negated ? "^" : ""}${members}]`, next: i + 1 };
}

function quoteInClass(char: string): string {
  return /[\\\]^[-]/.test(char) ? `\\${char}` : char;
}

function toRegex(glob: string): string {
  const chars = [...glob];
  let regex = "";
  let depth = 0;
  for (let i = 0; i < chars.length; ) {
    const char = chars[i] ?? "";
    i++;
    if (char === "*") regex += ".*";
    else if (char === "?") regex += ".";
    else if (char === "[") {
      const read = readClass(chars, i - 1);
      regex += read.regex;
      i = read.next;
    } else if (char === "{") {
      depth++;
      regex += "(?:";
    } else if (char === "}" && depth > 0) {
      depth--;
      regex += ")";
    } else if (char === "," && depth > 0) regex += "|";
    else if (char === "\\") regex += RE2JS.quote(chars[i++] ?? "");
    else regex += RE2JS.quote(char);
  }
  if (depth > 0) throw new GlobError("the { is not closed");
  return regex;
}

/** One test for a list of patterns: whether any matches the whole text. An empty list matches nothing. */
export function compileGlobs(patterns: readonly string[]): GlobResult {
  if (!patterns.some((pattern) => /[*?[]/.test(pattern))) {
    const texts = new Set(patterns);
    return { ok: true, accepts: (text) => texts.has(text) };
  }
  try {
    // As Telegraf: several patterns are one in braces, so that a comma in one of them separates there too.
    const compiled = RE2JS.compile(toRegex(patterns.length === 1 ? patterns.join("") : `{${patterns.join(",")}}`), RE2JS.DOTALL);
    return { ok: true, accepts: (text) => compiled.testExact(text) };
  } catch (cause) {
    if (cause instanceof GlobError) return { ok: false, error: cause.message };
    throw cause;
  }
}
