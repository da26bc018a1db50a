// The rules of the house, as an ordinary test. Each rule is a pure function from a tree to messages; each is shown a tree that
// breaks it, so that a rule which finds nothing is known to be able to.
import { describe, expect, test } from "@jest/globals";
import { checkKernel } from "./kernel.js";
import { checkLayers } from "./layers.js";
import { checkBenches, checkLinks, checkPackage, checkPlugins } from "./project.js";
import { filesOf, readTree, type Tree } from "./source.js";
import { checkConsole, checkEscapes, checkForm, checkHosts, checkNames, checkPurity, checkSize } from "./style.js";

const tree = readTree(process.cwd());
const packageFile = (of: Tree): string[] => checkPackage(JSON.parse(of.get("package.json") ?? "{}"), of.get("package-lock.json") ?? "");

describe("this tree", () => {
  test.each([
    ["layers", checkLayers],
    ["size", checkSize],
    ["names", checkNames],
    ["form", checkForm],
    ["escapes", checkEscapes],
    ["purity", checkPurity],
    ["console", checkConsole],
    ["hosts", checkHosts],
    ["kernel subset", checkKernel],
    ["plugins", checkPlugins],
    ["benches", checkBenches],
    ["links", checkLinks],
    ["package.json", packageFile],
  ] as const)("tidy: %s -> nothing to say", (_name, rule) => {
    expect(rule(tree)).toEqual([]);
  });

  test("tidy: the tree itself -> was read", () => {
    expect([...tree.keys()]).toEqual(expect.arrayContaining(["package.json", "src/base/log.ts", "test/tidy/tidy.test.ts", "README.md"]));
  });
});

type Case = readonly [rule: (of: Tree) => string[], path: string, text: string, message: string];

const BROKEN: readonly Case[] = [
  [checkLayers, "src/base/a.ts", 'import { x } from "../metric/b.js";', "src/base/a.ts:1: may not import src/metric/b.ts"],
  [checkLayers, "src/metric/a.ts", '\nimport type { x } from "../slice/b.js";', "src/metric/a.ts:2: may not import src/slice/b.ts"],
  [checkLayers, "src/aggregate/a.ts", 'export { x } from "../http/server.js";', "may not import src/http/server.ts"],
  [checkLayers, "src/execd/a.ts", 'import { x } from "../kernel/plan.js";', "may not import src/kernel/plan.ts"],
  [
    checkLayers,
    "src/route/a.ts",
    'import { x } from "../aggregate/engine.js";',
    "allowed: src/route, src/base, src/metric, src/slice, src/aggregate/rule.ts",
  ],
  [checkLayers, "src/http/a.ts", 'const x = await import("../bin/limpet.js");', "may not import src/bin/limpet.ts"],
  [checkLayers, "src/http/a.ts", 'import { x } from "#limpet/plugins/sinks/file/file.js";', "may not import plugins/sinks/file/file.ts"],
  [checkLayers, "src/stuff/a.ts", "", "src/stuff is not a layer"],
  [checkLayers, "plugins/sinks/file/file.ts", 'import { x } from "#limpet/store/lock.js";', "may not import src/store/lock.ts"],
  [checkLayers, "plugins/sinks/file/file.ts", 'import { x } from "../stdout/stdout.js";', "may not import plugins/sinks/stdout/stdout.ts"],
  [checkLayers, "plugins/other/a/a.ts", "", "plugins/other is no kind of plugin"],
  [checkSize, "docs/a.md", "x\n".repeat(501), "docs/a.md: 501 lines, 500 at most"],
  [checkNames, "src/base/index.ts", "", "no barrels"],
  [checkNames, "src/utils/a.ts", "", '"utils" says nothing'],
  [checkNames, "src/base/types.ts", "", '"types" says nothing'],
  [checkNames, "src/http/requestHandler.ts", "", '"requestHandler" says nothing'],
  [checkNames, "src/http/a.ts", "export interface SinkManager {}", 'src/http/a.ts:1: "SinkManager" says nothing'],
  [checkForm, "src/base/a.ts", "export default 1;", "src/base/a.ts:1: no default exports"],
  [checkForm, "src/base/a.ts", "export default function f() {}", "no default exports"],
  [checkForm, "src/base/a.ts", "enum A { b }", "no enums"],
  [checkForm, "src/base/a.ts", 'export * from "./b.js";', "no `export *`"],
  [checkForm, "src/base/a.ts", 'import { b } from "./b";', '"./b" must end in .js'],
  [checkEscapes, "src/base/a.ts", "// eslint-" + "disable-next-line", "src/base/a.ts:1: eslint-" + "disable; fix the cause"],
  [checkEscapes, "src/base/a.ts", "\n\nconst a = b as number;", "src/base/a.ts:3: `as` without a reason"],
  [checkPurity, "src/aggregate/a.ts", "const a = Date.now();", "Date.now in a pure layer"],
  [checkPurity, "src/aggregate/a.ts", "const a = new Date();", "new Date() in a pure layer"],
  [checkPurity, "src/slice/a.ts", "const a = Math.random();", "Math.random in a pure layer"],
  [checkPurity, "src/metric/a.ts", "setTimeout(f, 1);", "setTimeout in a pure layer"],
  [checkPurity, "src/assign/a.ts", "performance.now();", "performance.now in a pure layer"],
  [checkPurity, "src/metric/a.ts", 'import { readFileSync } from "node:fs";', "node:fs in a pure layer"],
  [checkConsole, "src/http/a.ts", 'console.log("x");', "src/http/a.ts:1: console.log; take a Log"],
  [checkHosts, "docs/a.md", `see https://${["registry", "npmjs", "org"].join(".")}/x`, "docs/a.md:1: names the package host"],
  [checkHosts, "Dockerfile", `FROM ${["ghcr", "io"].join(".")}/a/b`, "Dockerfile:1: names the package host"],
  [checkKernel, "src/kernel/a.ts", "const a: i32 = new Uint8Array(1);", "src/kernel/a.ts:1: not `new`"],
  [checkKernel, "src/kernel/a.ts", "const f: i32 = () => 1;", "not a closure"],
  [checkKernel, "src/kernel/a.ts", "f({ a: 1 });", "not an object"],
  [checkKernel, "src/kernel/a.ts", "f([1]);", "not an array"],
  [checkKernel, "src/kernel/a.ts", 'f("a");', "not a string"],
  [checkKernel, "src/kernel/a.ts", "f(`a`);", "not a template"],
  [checkKernel, "src/kernel/a.ts", "class A {}", "not a class"],
  [checkKernel, "src/kernel/a.ts", "type A = i32;", "not a type of its own"],
  [checkKernel, "src/kernel/a.ts", "throw 1;", "not an exception"],
  [checkKernel, "src/kernel/a.ts", "for (const a of b) f(a);", "not an iterator"],
  [checkKernel, "src/kernel/a.ts", "const { a }: i32 = b;", "not destructuring"],
  [checkKernel, "src/kernel/a.ts", "let a = 1;", "`a` needs its type, i32 or f64"],
  [checkKernel, "src/kernel/a.ts", "function f(a: number): i32 { return a; }", "`a: number` must be i32 or f64"],
  [checkKernel, "src/kernel/a.ts", "function f(a: i32) { return a; }", "`f()` needs the type of its result"],
  [checkKernel, "src/kernel/a.ts", "function f(a: i32): boolean { return a > 0; }", "`f(): boolean` must be i32, f64 or void"],
  [checkPlugins, "plugins/sinks/a/b.ts", "", "plugins/sinks/a: no README.md"],
  [checkPlugins, "plugins/sinks/a/b.ts", "", "plugins/sinks/a: no sink.ts"],
  [checkPlugins, "plugins/aggregators/a/b.ts", "", "plugins/aggregators/a: no testcases/"],
  [checkPlugins, "plugins/aggregators/a/b.ts", "", "plugins/aggregators/a: no a.ts"],
  [checkBenches, "bench/unknownThing.bench.ts", "", "bench/unknownThing.bench.ts: nothing is called unknownThing"],
  [checkLinks, "docs/a.md", "\nsee [b](../b.md)", "docs/a.md:2: ../b.md does not exist"],
  [checkLinks, "a.md", "# One\n[x](#two)", "a.md:2: a.md has no heading #two"],
  [packageFile, "package.json", '{"engines": {"node": "20"}}', "engines.node is 20"],
  [packageFile, "package.json", '{"dependencies": {"a": "latest"}}', "dependencies.a is latest"],
  [packageFile, "package.json", '{"scripts": {"postinstall": "x"}}', "scripts.postinstall runs on the user's machine"],
  [packageFile, "package-lock.json", '"resolved": "https://example.org/a.tgz"', '"resolved" addresses'],
];

describe("a tree that breaks a rule", () => {
  test.each(BROKEN.map(([rule, path, text, message]) => ({ rule, path, text, message })))(
    "tidy: $message -> found",
    ({ rule, path, text, message }) => {
      expect(rule(filesOf([path, text]))).toEqual(expect.arrayContaining([expect.stringContaining(message)]));
    },
  );
});

const FINE: readonly Case[] = [
  [checkLayers, "plugins/aggregators/avg/avg.ts", 'import type { O } from "#limpet/aggregate/output.js"; import { x } from "./part.js";', ""],
  [checkLayers, "src/aggregate/a.ts", 'import { x } from "../kernel/plan.js"; import { y } from "node:assert";', ""],
  [checkPurity, "src/aggregate/a.ts", "// Date.now is not for us\nconst a = new Date(0);", ""],
  [checkEscapes, "src/base/a.ts", "// JSON.parse gives unknown shapes\nconst a = b as number;\nconst c = [1] as const;", ""],
  [
    checkKernel,
    "src/kernel/a.ts",
    'import { b } from "./b.js";\nexport function f(a: i32): f64 { let c: f64 = 1.5; for (;;) { if (a == 0) return c; } }',
    "",
  ],
  [checkKernel, "src/kernel/memory.ts", "const a = new Uint8Array(1);", ""],
  [checkLinks, "a.md", "# One `x` two\n[x](#one-x-two) [y](https://a.example/) `[z](nowhere)`", ""],
];

describe("a tree that keeps the rules", () => {
  test.each(FINE.map(([rule, path, text]) => ({ rule, path, text })))("tidy: fine $path, case $# -> nothing to say", ({ rule, path, text }) => {
    expect(rule(filesOf([path, text]))).toEqual([]);
  });
});
