// What every text that a regular expression accepts must contain: "one of these". A look-up by such a piece is far cheaper than running
// thousands of expressions (the idea of Code Search's trigram index). Works on RE2 syntax that has been compiled already, and answers
// undefined wherever it is not sure: that costs speed only.
//
//   (?:foo|bar)_.*_total   exact: {foo, bar} x "_", then something, then {_total}   ->  the best piece: ["_total"]

/** All texts a part of the expression accepts, while they are few; else the best piece every one of them contains. */
interface Part {
  readonly exact: readonly string[] | undefined;
  readonly needs: readonly string[] | undefined;
}

const exactMax = 64;
const depthMax = 20;
const nothing: Part = { exact: [""], needs: undefined };
const anything: Part = { exact: undefined, needs: undefined };

/** Thrown at syntax that this file does not follow. */
class Unsure extends Error {}

function shortest(texts: readonly string[]): number {
  return texts.reduce((least, text) => Math.min(least, text.length), Infinity);
}

/** The longer one is rarer; empty pieces say nothing. */
function better(a: readonly string[] | undefined, b: readonly string[] | undefined): readonly string[] | undefined {
  if (b === undefined || shortest(b) === 0 || b.length === 0) return a;
  return a === undefined || shortest(b) > shortest(a) ? b : a;
}

function union(parts: readonly Part[]): Part {
  const exact = parts.flatMap((part) => part.exact ?? []);
  if (parts.every((part) => part.exact !== undefined) && exact.length <= exactMax) return { exact: [...new Set(exact)], needs: undefined };
  const pieces = parts.map((part) => better(part.needs, part.exact));
  const all = pieces.flatMap((piece) => piece ?? []);
  return { exact: undefined, needs: pieces.some((piece) => piece === undefined) || all.length > exactMax ? undefined : all };
}

/** Parts one after the other: runs of exact ones are joined. */
function join(parts: readonly Part[]): Part {
  let run: readonly string[] = [""];
  let whole = true;
  let needs: readonly string[] | undefined;
  for (const part of parts) {
    needs = better(needs, part.needs);
    if (part.exact !== undefined && run.length * part.exact.length <= exactMax) {
      const { exact } = part;
      run = run.flatMap((head) => exact.map((tail) => head + tail));
      continue;
    }
    needs = better(needs, run);
    whole = false;
    run = part.exact ?? [""];
  }
  return whole ? { exact: run, needs: undefined } : { exact: undefined, needs: better(needs, run) };
}

class Reader {
  readonly #chars: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#chars = [...text];
  }

  whole(): Part {
    const part = this.#alternatives(0);
    if (this.#at < this.#chars.length) throw new Unsure();
    return part;
  }

  #alternatives(depth: number): Part {
    if (depth > depthMax) throw new Unsure();
    const parts: Part[] = [];
    for (;;) {
      parts.push(this.#sequence(depth));
      if (this.#chars[this.#at] !== "|") return parts.length === 1 ? (parts[0] ?? anything) : union(parts);
      this.#at++;
    }
  }

  #sequence(depth: number): Part {
    const parts: Part[] = [];
    for (;;) {
      const char = this.#chars[this.#at];
      if (char === undefined || char === "|" || char === ")") return join(parts);
      parts.push(this.#repeated(this.#atom(char, depth)));
    }
  }

  /** A quantifier: what may be absent is needed no more, what comes once or more often is needed once. */
  #repeated(atom: Part): Part {
    const char = this.#chars[this.#at];
    if (char === undefined || !"*+?{".includes(char)) return atom;
    this.#at++;
    let atLeast = char === "+" ? 1 : 0;
    if (char === "{") {
      const digits = /^(\d+)(?:,\d*)?\}/.exec(this.#chars.slice(this.#at, this.#at + 12).join(""));
      if (digits === null) throw new Unsure();
      this.#at += digits[0].length;
      atLeast = Number(digits[1]);
    }
    if (this.#chars[this.#at] === "?") this.#at++;
    const next = this.#chars[this.#at];
    if (next !== undefined && "*+?{".includes(next)) throw new Unsure();
    return atLeast === 0 ? anything : { exact: undefined, needs: better(atom.needs, atom.exact) };
  }

  #atom(char: string, depth: number): Part {
    this.#at++;
    if (char === "(") return this.#group(depth);
    if (char === "[") return this.#charClass();
    if (char === "\\") return this.#escape();
    if (char === ".") return anything;
    if (char === "^" || char === "$") return nothing;
    return { exact: [char], needs: undefined };
  }

  #group(depth: number): Part {
    if (this.#chars[this.#at] === "?") {
      if (this.#chars[this.#at + 1] !== ":") throw new Unsure();
      this.#at += 2;
    }
    const part = this.#alternatives(depth + 1);
    if (this.#chars[this.#at] !== ")") throw new Unsure();
    this.#at++;
    return part;
  }

  #charClass(): Part {
    if (this.#chars[this.#at] === "^") this.#at++;
    if (this.#chars[this.#at] === "]") this.#at++;
    for (;;) {
      const char = this.#chars[this.#at++];
      if (char === undefined || char === "[") throw new Unsure();
      if (char === "\\") this.#at++;
      if (char === "]") return anything;
    }
  }

  #escape(): Part {
    const char = this.#chars[this.#at++] ?? "";
    if (/[!-/:-@[-`{-~]/.test(char)) return { exact: [char], needs: undefined };
    if (/[dDwWsS]/.test(char)) return anything;
    throw new Unsure();
  }
}

/** Every text that `regex` accepts as a whole contains one of these, none of them empty; undefined when nothing is known. */
export function regexNeeds(regex: string): readonly string[] | undefined {
  try {
    const { exact, needs } = new Reader(regex).whole();
    return better(needs, exact);
  } catch (cause) {
    if (cause instanceof Unsure) return undefined;
    throw cause;
  }
}
