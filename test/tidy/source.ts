// What the rules of the house look at: a tree as a map from path to text, and TypeScript's own view of a file.

import { spawnSync } from "node:child_process";
import { lstatSync, readFileSync } from "node:fs";
import ts from "typescript";

/** Paths relative to the root, with forward slashes. */
export type Tree = ReadonlyMap<string, string>;

/** Every text file that is or would be committed. */
export function readTree(root: string): Tree {
  const listed = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  if (listed.status !== 0) throw new Error(`git ls-files failed: ${listed.stderr}`);
  const tree = new Map<string, string>();
  for (const path of listed.stdout.split("\n")) {
    if (path === "") continue;
    const stat = lstatSync(`${root}/${path}`, { throwIfNoEntry: false });
    if (stat?.isFile() !== true) continue;
    const bytes = readFileSync(`${root}/${path}`);
    if (!bytes.includes(0)) tree.set(path, bytes.toString("utf8"));
  }
  return tree;
}

export function filesOf(...entries: readonly (readonly [path: string, text: string])[]): Tree {
  return new Map(entries);
}

/** TypeScript sources, declarations left out. */
export function isSource(path: string): boolean {
  return path.endsWith(".ts") && !path.endsWith(".d.ts");
}

export function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
}

export function lineOf(file: ts.SourceFile, node: ts.Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

/** Calls `visit` for every node below and including `node`. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => {
    walk(child, visit);
  });
}

export interface Imported {
  readonly specifier: string;
  readonly line: number;
}

/** Everything the file imports, re-exports or import()s, types included. */
export function importsOf(text: string): Imported[] {
  const info = ts.preProcessFile(text, true, true);
  const lineAt = (position: number): number => text.slice(0, position).split("\n").length;
  return info.importedFiles.map((file) => ({ specifier: file.fileName, line: lineAt(file.pos) }));
}
