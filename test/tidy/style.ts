// Form that a type checker does not see. Each message names the cure.
import ts from "typescript";
import { importsOf, isSource, lineOf, parse, type Tree, walk } from "./source.js";

const LINES_MAX = 500;

export function checkSize(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!/\.(ts|mjs|js|md)$/.test(path) || path.includes("/testcases/")) continue;
    const lines = text.split("\n").length - 1;
    if (lines > LINES_MAX) problems.push(`${path}: ${lines} lines, ${LINES_MAX} at most; a file is one idea, move the second one out`);
  }
  return problems;
}

const BAD_FILE = /^(utils?|helpers?|common|misc|types|shared)$/i;
const BAD_SUFFIX = /[a-z](Manager|Service|Handler|Helper|Util)s?$/;

export function checkNames(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!isSource(path)) continue;
    for (const part of path.replace(/\.ts$/, "").split("/")) {
      if (part === "index") problems.push(`${path}: no barrels; import the file itself and name this one after what it holds`);
      if (BAD_FILE.test(part) || BAD_SUFFIX.test(part)) problems.push(`${path}: "${part}" says nothing; name it after what lives there`);
    }
    const file = parse(path, text);
    walk(file, (node) => {
      const named = ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
      const name = named ? (node.name?.text ?? "") : "";
      if (BAD_SUFFIX.test(name)) problems.push(`${path}:${lineOf(file, node)}: "${name}" says nothing; name it after what it does`);
    });
  }
  return problems;
}

export function checkForm(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!isSource(path)) continue;
    const file = parse(path, text);
    const say = (node: ts.Node, message: string): void => {
      problems.push(`${path}:${lineOf(file, node)}: ${message}`);
    };
    walk(file, (node) => {
      if (isDefaultExport(node)) say(node, "no default exports; export it by its name, so that it is called the same everywhere");
      if (ts.isEnumDeclaration(node)) say(node, 'no enums; a union of strings ("a" | "b") is erased and prints as itself');
      if (ts.isExportDeclaration(node) && node.exportClause === undefined) say(node, "no `export *`; import the file itself");
    });
    for (const { specifier, line } of importsOf(text)) {
      if (specifier.startsWith(".") && !specifier.endsWith(".js"))
        problems.push(`${path}:${line}: "${specifier}" must end in .js, as node will read it`);
    }
  }
  return problems;
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return node.isExportEquals !== true;
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword);
}

/** Words that switch a checker off, in pieces because this file is checked too. */
const SWITCHES = ["eslint-" + "disable", "@ts-" + "ignore", "@ts-" + "expect-error", "@ts-" + "nocheck"];

export function checkEscapes(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!/\.(ts|mjs|js)$/.test(path)) continue;
    const lines = text.split("\n");
    lines.forEach((line, index) => {
      for (const word of SWITCHES) {
        if (line.includes(word))
          problems.push(`${path}:${index + 1}: ${word}; fix the cause, or relax the rule for a folder in eslint.config.js with the reason`);
      }
    });
    if (!isSource(path) || path.startsWith("test/")) continue;
    const file = parse(path, text);
    walk(file, (node) => {
      if (!ts.isAsExpression(node) || node.type.getText(file) === "const") return;
      const line = lineOf(file, node);
      const last = file.getLineAndCharacterOfPosition(node.getEnd()).line + 1;
      const near = lines.slice(Math.max(0, line - 3), last).join("\n");
      if (!/\/\/|\*\//.test(near))
        problems.push(`${path}:${line}: \`as\` without a reason; say in a comment beside it why the type is right, or check it`);
    });
  }
  return problems;
}

const PURE = /^src\/(metric|slice|kernel|aggregate|route|assign|slicelet)\//;
const TIMERS = new Set(["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"]);
const CLOCKS = /^(Date\.now|Math\.random|performance\.\w+|process\.\w+|crypto\.\w+)$/;
const PURE_MODULES = new Set(["node:assert", "node:assert/strict", "node:buffer"]);

/** Machines get time, randomness and input as arguments: that is what makes a simulation repeatable. */
export function checkPurity(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!isSource(path) || !PURE.test(path)) continue;
    const file = parse(path, text);
    walk(file, (node) => {
      const what = impurity(node, file);
      if (what !== undefined)
        problems.push(`${path}:${lineOf(file, node)}: ${what} in a pure layer; take it as an argument from src/drive or src/bin`);
    });
    for (const { specifier, line } of importsOf(text)) {
      if (specifier.startsWith("node:") && !PURE_MODULES.has(specifier))
        problems.push(`${path}:${line}: ${specifier} in a pure layer; do it in L3 and hand the result in`);
    }
  }
  return problems;
}

function impurity(node: ts.Node, file: ts.SourceFile): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return CLOCKS.test(node.getText(file)) ? node.getText(file) : undefined;
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && TIMERS.has(node.expression.text)) return node.expression.text;
  if (ts.isNewExpression(node) && node.expression.getText(file) === "Date" && (node.arguments?.length ?? 0) === 0) return "new Date()";
  return undefined;
}

export function checkConsole(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!isSource(path) || !/^(src|plugins)\//.test(path) || /^src\/(bin|ui)\//.test(path)) continue;
    const file = parse(path, text);
    walk(file, (node) => {
      if (ts.isPropertyAccessExpression(node) && node.expression.getText(file) === "console") {
        problems.push(`${path}:${lineOf(file, node)}: console.${node.name.text}; take a Log (src/base/log.ts): stdout may carry metrics`);
      }
    });
  }
  return problems;
}

/** Hosts that a file would tie us to, joined here so that this file does not name them. */
const HOSTS = [
  "registry npmjs",
  "npmjs org",
  "npmjs com",
  "yarnpkg com",
  "deb debian org",
  "security debian org",
  "snapshot debian org",
  "proxy golang org",
  "ghcr io",
  "quay io",
  "docker io",
].map((words) => words.split(" ").join("."));

export function checkHosts(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    text.split("\n").forEach((line, index) => {
      const host = HOSTS.find((name) => line.includes(name));
      if (host !== undefined)
        problems.push(`${path}:${index + 1}: names the package host ${host}; leave it to the user's npm, apt or docker configuration`);
    });
  }
  return problems;
}
