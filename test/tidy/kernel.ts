// The kernel's subset: TypeScript that AssemblyScript compiles to the same numbers. Everything is an i32 or an f64.
import ts from "typescript";
import { isSource, lineOf, parse, type Tree, walk } from "./source.js";

/** The JavaScript side: memory, its pages, tables that are filled once, and the leaves that WebAssembly has as instructions. */
const HOST_FILES = new Set(["memory", "pages", "constants", "leaf", "boxed"].map((name) => `src/kernel/${name}.ts`));
const NUMBERS = new Set(["i32", "f64"]);

const FORBIDDEN: readonly (readonly [test: (node: ts.Node) => boolean, what: string])[] = [
  [ts.isNewExpression, "`new`; take memory from alloc.ts"],
  [(node) => ts.isArrowFunction(node) || ts.isFunctionExpression(node), "a closure; write a named function at the top of the file"],
  [ts.isObjectLiteralExpression, "an object; put the fields at offsets in layout.ts"],
  [ts.isArrayLiteralExpression, "an array; use memory"],
  [(node) => ts.isStringLiteral(node) && !isModuleName(node), "a string; use a number and name it in a constant"],
  [(node) => ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateExpression(node), "a template; strings are made outside the kernel"],
  [(node) => ts.isClassDeclaration(node) || ts.isClassExpression(node), "a class; use functions over an address"],
  [(node) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node), "a type of its own; there are only i32 and f64"],
  [(node) => ts.isTryStatement(node) || ts.isThrowStatement(node), "an exception; return a number that says so"],
  [(node) => ts.isForOfStatement(node) || ts.isForInStatement(node), "an iterator; count an i32"],
  [(node) => ts.isObjectBindingPattern(node) || ts.isArrayBindingPattern(node) || ts.isSpreadElement(node), "destructuring; use named values"],
  [(node) => ts.isAwaitExpression(node) || ts.isYieldExpression(node), "waiting; the kernel only computes"],
  [ts.isBigIntLiteral, "a bigint; use two i32"],
];

export function checkKernel(tree: Tree): string[] {
  const problems: string[] = [];
  for (const [path, text] of tree) {
    if (!path.startsWith("src/kernel/") || !isSource(path) || HOST_FILES.has(path)) continue;
    const file = parse(path, text);
    const say = (node: ts.Node, message: string): void => {
      problems.push(`${path}:${lineOf(file, node)}: ${message} (the kernel's subset, docs/ARCHITECTURE.md)`);
    };
    walk(file, (node) => {
      for (const [test, what] of FORBIDDEN) if (test(node)) say(node, `not ${what}`);
      const wrong = wrongType(node, file);
      if (wrong !== undefined) say(node, wrong);
    });
  }
  return problems;
}

function isModuleName(node: ts.Node): boolean {
  return ts.isImportDeclaration(node.parent) || ts.isExportDeclaration(node.parent);
}

/** AssemblyScript infers other types than TypeScript does: each variable, parameter and result says its own. */
function wrongType(node: ts.Node, file: ts.SourceFile): string | undefined {
  if (ts.isVariableDeclaration(node) || ts.isParameter(node)) {
    const type = node.type?.getText(file);
    if (type === undefined) return `\`${node.name.getText(file)}\` needs its type, i32 or f64`;
    return NUMBERS.has(type) ? undefined : `\`${node.name.getText(file)}: ${type}\` must be i32 or f64`;
  }
  if (ts.isFunctionDeclaration(node)) {
    const type = node.type?.getText(file);
    if (type === undefined) return `\`${node.name?.text ?? ""}()\` needs the type of its result, i32, f64 or void`;
    return type === "void" || NUMBERS.has(type) ? undefined : `\`${node.name?.text ?? ""}(): ${type}\` must be i32, f64 or void`;
  }
  return undefined;
}
