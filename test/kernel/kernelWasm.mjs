// The kernel as WebAssembly, to stdout: the files of src/kernel, unchanged, through the AssemblyScript compiler. Only the leaf
// file is another one (below): what it does by hand in JavaScript is an instruction here, or comes from the host.
// A process of its own, because the compiler defines globals of the names the kernel's JavaScript side uses (i32, f64).
import { existsSync, readFileSync } from "node:fs";
import asc from "assemblyscript/asc";

const LEAF = `
export function imul(a: i32, b: i32): i32 { return a * b; }
export function unaligned(address: i32): i32 { return i32.load(address); }
export function truncate(value: f64): i32 { return <i32>value; }
export function copy(to: i32, from: i32, bytes: i32): void { memory.copy(to, from, bytes); }
export function clear(at: i32, bytes: i32): void { memory.fill(at, 0, bytes); }
@external("host", "decimal") export declare function decimal(from: i32, to: i32): f64;
@external("host", "pages") export declare function pages(root: i32, count: i32): i32;
@external("host", "digest") export declare function digest(root: i32, id: i32, value: f64): i32;
@external("host", "undigest") export declare function undigest(id: i32): void;
@external("host", "unpages") export declare function unpages(root: i32, address: i32): void;
`;
const ENTRY = [
  "alloc",
  "cell",
  "counter",
  "exact",
  "held",
  "histogram",
  "number",
  "pass",
  "plan",
  "reader",
  "seriesShape",
  "set",
  "shape",
  "sketch",
  "table",
  "value",
]
  .map((name) => `export * from "./${name}.js";`)
  .join("\n");

/** Source of a path as the compiler asks for it: an import "./x.js" becomes "x.js.ts", which is src/kernel/x.ts. */
function sourceOf(path) {
  if (path === "kernel.ts") return ENTRY;
  const name = /^([a-zA-Z]+)\.js\.ts$/.exec(path)?.[1];
  if (name === undefined) return null;
  if (name === "leaf") return LEAF;
  const url = new URL(`../../src/kernel/${name}.ts`, import.meta.url);
  return existsSync(url) ? readFileSync(url, "utf8") : null;
}

const { error } = await asc.main(
  ["kernel.ts", "--outFile", "kernel.wasm", "--runtime", "stub", "--importMemory", "--use", "abort=", "--noAssert", "-O2"],
  {
    readFile: sourceOf,
    writeFile: (_name, contents) => process.stdout.write(contents),
    listFiles: () => [],
    stderr: process.stderr,
  },
);
if (error !== null) process.exitCode = 1;
