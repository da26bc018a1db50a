// YAML text -> plain values that know where they stand. Syntax errors are said in our words; the library's warnings are
// errors; duplicate keys and cycles are refused; anchors, aliases and `<<` merges are followed without copying, and what
// aliases add is capped, so that a small file cannot become a large one.
import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar, type YAMLError, type YAMLMap } from "yaml";
import { expandEnv } from "./ruleFileEnv.js";
import { type ProblemList, positionOf, type SourceFile, show } from "./ruleFileProblem.js";

export interface ScalarValue {
  readonly kind: "text" | "number" | "boolean" | "null";
  readonly at: number;
  /** The value as text; a number or boolean as it is written. */
  readonly text: string;
  /** Offset in the file of the index-th character of `text`; of the value's start when that is not certain. */
  readonly locate: (index: number) => number;
  readonly weight: number;
}
export interface ListValue {
  readonly kind: "list";
  readonly at: number;
  readonly items: readonly Value[];
  readonly weight: number;
}
export interface MapEntry {
  readonly key: string;
  readonly keyAt: number;
  readonly value: Value;
}
export interface MapValue {
  readonly kind: "map";
  readonly at: number;
  readonly entries: readonly MapEntry[];
  readonly weight: number;
}
export type Value = ScalarValue | ListValue | MapValue;

const bytesMax = 16 * 1024 * 1024;
const depthMax = 32;
/** Nodes that aliases may add to a file. */
const aliasWeightMax = 100_000;

const syntaxMessages: ReadonlyMap<string, readonly [message: string, cure?: string]> = new Map([
  ["ALIAS_PROPS", ["an alias cannot have an anchor or a tag"]],
  ["BAD_ALIAS", ["this alias is not well formed"]],
  ["BAD_DIRECTIVE", ["this directive is not YAML 1.2", "quote a value that begins with %"]],
  ["BAD_DQ_ESCAPE", ["this is not an escape inside double quotes", "write \\\\ for a backslash, or use single quotes"]],
  ["BAD_INDENT", ["wrong indentation", "indent the keys of one map alike, list items under their key"]],
  ["BAD_PROP_ORDER", ["an anchor or tag stands in the wrong place"]],
  ["BAD_SCALAR_START", ["a plain value cannot begin with this character", "quote the value"]],
  ["BLOCK_AS_IMPLICIT_KEY", ["a map cannot stand here", 'quote a value that holds ": "']],
  ["BLOCK_IN_FLOW", ["an indented block cannot stand inside [] or {}"]],
  ["KEY_OVER_1024_CHARS", ["the key is longer than 1024 characters"]],
  ["MULTILINE_IMPLICIT_KEY", ["a key cannot span lines", "a colon or a closing quote is missing above"]],
  ["MULTIPLE_ANCHORS", ["a value can have one anchor"]],
  ["MULTIPLE_DOCS", ["a second YAML document begins here", "write one document per file"]],
  ["MULTIPLE_TAGS", ["a value can have one tag"]],
  ["NON_STRING_KEY", ["a key must be a word"]],
  ["RESOURCE_EXHAUSTION", ["nested too deeply"]],
  ["TAB_AS_INDENT", ["a tab cannot indent", "use spaces"]],
  ["TAG_RESOLVE_FAILED", ["this tag is not known", "remove the !tag, or quote a value that begins with !"]],
  ["UNEXPECTED_TOKEN", ["this is not expected here", "look for a missing quote, comma or bracket before it"]],
  ["BAD_COLLECTION_TYPE", ["this tag does not fit its value", "remove it"]],
]);

function syntaxMessage(error: YAMLError, lineStart: string): readonly [message: string, cure?: string] {
  if (/^ *\t/.test(lineStart)) return syntaxMessages.get("TAB_AS_INDENT") ?? [""];
  const bracket = /^Flow .* end with a (.)$/.exec(error.message)?.[1];
  if (bracket !== undefined) return [`the closing ${bracket} is missing`];
  const own = syntaxMessages.get(error.code);
  if (own !== undefined) return own;
  const missing = /^Missing (?:closing )?(\S+?)(?: ?quote)?$/.exec(error.message)?.[1];
  if (missing !== undefined) return [`the closing ${missing} is missing`];
  if (error.message.includes("keys/values must be separated by ,") || error.message.startsWith("Missing , ")) return [", is missing between items"];
  return [error.message.charAt(0).toLowerCase() + error.message.slice(1)];
}

/** Length in the source of the character or escape at `at` inside quotes. */
function sourceLength(text: string, at: number, style: string | undefined): number {
  if (style === "QUOTE_SINGLE") return text.startsWith("''", at) ? 2 : 1;
  if (style !== "QUOTE_DOUBLE" || text[at] !== "\\") return 1;
  return { x: 4, u: 6, U: 10 }[text[at + 1] ?? ""] ?? 2;
}

interface Frame {
  readonly text: string;
  readonly origin: (at: number) => number;
  readonly file: SourceFile;
  readonly problems: ProblemList;
  /** undefined while the anchored node is being read: an alias to it is a cycle. */
  readonly anchors: Map<string, Value | undefined>;
  aliasWeight: number;
}

function startOf(node: Node, frame: Frame): number {
  return frame.origin(node.range?.[0] ?? 0);
}

function refuse(frame: Frame, at: number, message: string, cure?: string): void {
  frame.problems.error({ file: frame.file, at, path: "", message, cure });
}

function nullAt(at: number): ScalarValue {
  return { kind: "null", at, text: "", locate: () => at, weight: 1 };
}

function readScalar(node: Scalar, frame: Frame): ScalarValue {
  const at = startOf(node, frame);
  const start = node.range?.[0] ?? 0;
  const end = node.range?.[1] ?? start;
  const quoted = node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE";
  const oneLine = (quoted || node.type === "PLAIN") && !frame.text.slice(start, end).includes("\n");
  const locate = (index: number): number => {
    if (!oneLine) return at;
    let offset = quoted ? start + 1 : start;
    for (let i = 0; i < index && offset < end; i++) offset += sourceLength(frame.text, offset, node.type);
    return frame.origin(Math.min(offset, end));
  };
  const kinds: Readonly<Record<string, ScalarValue["kind"]>> = { string: "text", number: "number", bigint: "number", boolean: "boolean" };
  const kind = node.value === null ? "null" : (kinds[typeof node.value] ?? "text");
  const text = typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
  return { kind, at, text, locate, weight: 1 };
}

function readAlias(node: Alias, frame: Frame): Value {
  const at = startOf(node, frame);
  if (!frame.anchors.has(node.source)) {
    refuse(frame, at, `no anchor &${node.source} stands before this alias`);
    return nullAt(at);
  }
  const value = frame.anchors.get(node.source);
  if (value === undefined) {
    refuse(frame, at, `the alias *${node.source} stands inside its own anchor`, "remove the cycle");
    return nullAt(at);
  }
  const before = frame.aliasWeight;
  frame.aliasWeight += value.weight;
  if (frame.aliasWeight <= aliasWeightMax) return value;
  if (before <= aliasWeightMax)
    refuse(frame, at, `aliases add more than ${String(aliasWeightMax)} values to this file`, "write fewer, or split the file");
  return nullAt(at);
}

/** Entries of `<<: *map` or `<<: [*a, *b]`; keys that stand in the map itself win, then the earlier merge. */
function mergedEntries(value: Value, keyAt: number, frame: Frame): readonly MapEntry[] {
  if (value.kind === "map") return value.entries;
  if (value.kind === "list" && value.items.every((item) => item.kind === "map")) return value.items.flatMap((item) => item.entries);
  refuse(frame, keyAt, "<< takes a map or a list of maps", "write <<: *anchor");
  return [];
}

function readMap(node: YAMLMap, frame: Frame, depth: number): MapValue {
  const own = new Map<string, MapEntry>();
  const merged: MapEntry[] = [];
  let weight = 1;
  for (const pair of node.items) {
    // stringKeys made every key a scalar or an error that ended the reading before.
    const key = readNode(pair.key as Node | null, frame, depth + 1, startOf(node, frame));
    const value = readNode(pair.value as Node | null, frame, depth + 1, key.at);
    weight += value.weight + 1;
    const name = key.kind === "list" || key.kind === "map" ? "" : key.text;
    if (name === "<<") {
      merged.push(...mergedEntries(value, key.at, frame));
      continue;
    }
    const first = own.get(name);
    if (first === undefined) own.set(name, { key: name, keyAt: key.at, value });
    else
      refuse(
        frame,
        key.at,
        `the key ${show(name)} stands twice in one map`,
        `line ${String(positionOf(frame.file, first.keyAt).line)} has it already: remove one`,
      );
  }
  for (const entry of merged) if (!own.has(entry.key)) own.set(entry.key, entry);
  return { kind: "map", at: startOf(node, frame), entries: [...own.values()], weight };
}

function readContent(node: Node, frame: Frame, depth: number): Value {
  if (isMap(node)) return readMap(node, frame, depth);
  if (isScalar(node)) return readScalar(node, frame);
  if (!isSeq(node)) return nullAt(startOf(node, frame));
  const at = startOf(node, frame);
  // Items of a parsed sequence are nodes, or null where nothing stands.
  const items = node.items.map((item) => readNode(item as Node | null, frame, depth + 1, at));
  return { kind: "list", at, items, weight: items.reduce((sum, item) => sum + item.weight, 1) };
}

function readNode(node: Node | null, frame: Frame, depth: number, parentAt: number): Value {
  if (node === null) return nullAt(parentAt);
  if (isAlias(node)) return readAlias(node, frame);
  if (depth > depthMax) {
    refuse(frame, startOf(node, frame), `nested deeper than ${String(depthMax)} levels`);
    return nullAt(startOf(node, frame));
  }
  const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
  if (anchor === undefined) return readContent(node, frame, depth);
  frame.anchors.set(anchor, undefined);
  const value = readContent(node, frame, depth);
  frame.anchors.set(anchor, value);
  return value;
}

/** One error a line: what the parser says behind the first is mostly its consequence. */
function reportSyntax(errors: readonly YAMLError[], { file, problems, origin }: Pick<Frame, "file" | "problems" | "origin">): void {
  const end = file.text.trimEnd().length;
  const lines = new Set<number>();
  for (const error of errors) {
    const at = Math.min(origin(error.pos[0]), end);
    const { line } = positionOf(file, at);
    if (lines.has(line)) continue;
    lines.add(line);
    const [message, cure] = syntaxMessage(error, file.text.slice(file.lineStarts[line - 1], at));
    problems.error({ file, at, path: "", message, cure });
  }
}

/** The document as values, or undefined when there are problems (reported) or nothing stands in the file. */
export function readYaml(file: SourceFile, env: Readonly<Record<string, string | undefined>>, problems: ProblemList): Value | undefined {
  const before = problems.errorCount;
  const report = (at: number, message: string, cure?: string): void => {
    problems.error({ file, at, path: "", message, cure });
  };
  if (file.text.length > bytesMax) {
    report(0, `the file has ${String(file.text.length)} characters, more than ${String(bytesMax)}`, "split it");
    return undefined;
  }
  const expansion = expandEnv(file.text, env);
  for (const { name, at } of expansion.unset) report(at, `the environment variable ${name} is not set`, `set ${name}, or write the value here`);
  if (expansion.unset.length > 0) return undefined;
  try {
    const document = parseDocument(expansion.text, { lineCounter: new LineCounter(), prettyErrors: false, uniqueKeys: false, stringKeys: true });
    reportSyntax([...document.errors, ...document.warnings], { file, problems, origin: expansion.origin });
    if (problems.errorCount > before || document.contents === null) return undefined;
    const frame: Frame = { text: expansion.text, origin: expansion.origin, file, problems, anchors: new Map(), aliasWeight: 0 };
    const value = readNode(document.contents, frame, 0, 0);
    return problems.errorCount > before || value.kind === "null" ? undefined : value;
  } catch (cause) {
    // The YAML library recurses: a file of brackets alone exhausts the stack. Anything else is a bug and goes on up.
    if (!(cause instanceof RangeError)) throw cause;
    report(0, "nested too deeply to be read");
    return undefined;
  }
}
