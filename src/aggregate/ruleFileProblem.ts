// What `limpet check` and every start-up with bad rules print: place, field, value, limit, cure, and the source line with a
// caret. Offsets are into the file as it stands on disk; lines and columns (UTF-16 units) count from 1.

export interface Problem {
  readonly severity: "error" | "warning" | "info";
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the document, e.g. `rules[0].interval`; "" for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly cure?: string;
  /** The source line and a caret below it. */
  readonly excerpt: string;
}

/** A rule file's text with its lines found. */
export interface SourceFile {
  readonly name: string;
  readonly text: string;
  readonly lineStarts: readonly number[];
}

const excerptWidth = 120;

/** A byte order mark is dropped: editors neither show nor count it. */
export function sourceFile(name: string, raw: string): SourceFile {
  const text = raw.replace(/^\ufeff/, "");
  const lineStarts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lineStarts.push(at + 1);
  return { name, text, lineStarts };
}

/** Line and column, from 1, of an offset. */
export function positionOf(file: SourceFile, at: number): { line: number; column: number } {
  let low = 0;
  let high = file.lineStarts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((file.lineStarts[middle] ?? 0) <= at) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: at - (file.lineStarts[low] ?? 0) + 1 };
}

/** Control characters could move the reader's cursor or colour the terminal: shown as a dot. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (char) => (char === "\t" ? " " : "·"));
}

/** A value inside a message: bare when it is a plain word, else quoted; clipped. */
export function show(text: string): string {
  const clipped = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return /^[\w.:+()-]+$/.test(clipped) ? clipped : printable(JSON.stringify(clipped));
}

function excerptOf(file: SourceFile, line: number, column: number): string {
  const start = file.lineStarts[line - 1] ?? 0;
  const text = file.text.slice(start, file.lineStarts[line] ?? file.text.length).replace(/\r?\n$/, "");
  const skip = column > excerptWidth - 20 ? column - 40 : 0;
  const number = String(line).padStart(5);
  return `${number} | ${printable(text.slice(skip, skip + excerptWidth))}\n      | ${" ".repeat(column - 1 - skip)}^`;
}

/** One line without the excerpt: `file:7:13: rules[0].interval: 7x is not a duration; use 10s or 1m`. */
export function formatProblem(problem: Problem): string {
  const severity = problem.severity === "error" ? "" : `${problem.severity}: `;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  const cure = problem.cure === undefined ? "" : `; ${problem.cure}`;
  return `${problem.file}:${String(problem.line)}:${String(problem.column)}: ${severity}${path}${problem.message}${cure}`;
}

export interface Finding {
  readonly file: SourceFile;
  readonly at: number;
  readonly path: string;
  readonly message: string;
  readonly cure?: string | undefined;
}

/** Collects problems; the same one at the same place (a default used by many rules) is kept once. */
export class ProblemList {
  readonly problems: Problem[] = [];
  /** Errors reported, repeated ones included: tells whether what was just read is good. */
  errorCount = 0;
  readonly #seen = new Set<string>();

  error(finding: Finding): void {
    this.errorCount += 1;
    this.#add("error", finding);
  }

  warning(finding: Finding): void {
    this.#add("warning", finding);
  }

  info(finding: Finding): void {
    this.#add("info", finding);
  }

  #add(severity: Problem["severity"], finding: Finding): void {
    const { file, path, cure } = finding;
    const { line, column } = positionOf(file, finding.at);
    const message = printable(finding.message);
    const key = `${file.name}\0${String(finding.at)}\0${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const problem = { severity, file: file.name, line, column, path: printable(path), message, excerpt: excerptOf(file, line, column) };
    this.problems.push(cure === undefined ? problem : { ...problem, cure: printable(cure) });
  }
}
