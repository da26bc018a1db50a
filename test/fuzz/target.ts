// What is fuzzed: a parser, and what must hold for every input.
import { readFileSync } from "node:fs";
import type { Rng } from "#limpet/base/rng.js";
import { expand } from "../misuse/macros.js";

export interface FuzzTarget {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  /** Throws when a property does not hold. `bytes` is the target's to keep. */
  run(bytes: Buffer, rng: Rng): void | Promise<void>;
}

/** This file runs as build/test/fuzz/target.js. */
const FOLDER = new URL("../../../test/fuzz/corpus/", import.meta.url);

/** The inputs of corpus/NAME.txt, which stand between lines of one `%`; macros.ts tells how bytes are written. */
export function corpus(name: string): Buffer[] {
  const text = readFileSync(new URL(`${name}.txt`, FOLDER), "utf8");
  return text.split(/^%\n/m).map((input) => Buffer.from(expand(input.replace(/\n$/, "")), "latin1"));
}

export function fixture(path: string): Buffer {
  return readFileSync(new URL(`../../fixtures/${path}`, FOLDER));
}

/** Fails with both values. */
export function same(what: string, actual: unknown, expected: unknown): void {
  const [a, b] = [actual, expected].map((value) =>
    JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? `${String(part)}n` : part)),
  );
  if (a !== b) throw new Error(`${what}: ${a ?? "undefined"}, not ${b ?? "undefined"}`);
}

export function holds(what: string, is: boolean): void {
  if (!is) throw new Error(what);
}
