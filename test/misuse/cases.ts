// Case files: what goes in and what comes out, as text. UPDATE=1 writes what comes out anew; the diff is reviewed as behaviour.
//
//   ## name
//   input
//   -> first line of the output
//   more of it
//
// Both may hold macros, the innermost first: {{5*text}} repeats, {{gzip:text}} and {{snappy:text}} pack, {{hex:00ff}} is bytes.
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect } from "@jest/globals";
import { compressSnappy } from "#limpet/base/snappy.js";

export interface Case {
  readonly name: string;
  readonly input: string;
  readonly output: string;
}

export interface CaseFile {
  readonly cases: readonly Case[];
  /** Compares what came out with the file, or with UPDATE=1 puts it there. */
  check(name: string, output: string): void;
  /** With UPDATE=1 writes the file. */
  close(): void;
}

export function readCases(file: string): CaseFile {
  const path = new URL(file, import.meta.url);
  const [head = "", ...blocks] = readFileSync(path, "utf8").split(/^## /m);
  const cases = blocks.map((block) => {
    const [, name = "", input = "", output = ""] = /^([^\n]*)\n(.*?)^->(.*)$/ms.exec(block) ?? [];
    return { name, input: input.replace(/\n$/, ""), output: output.trim() };
  });
  const update = process.env["UPDATE"] === "1";
  const outputs = new Map(cases.map(({ name, output }) => [name, output]));
  if (outputs.size !== cases.length) throw new Error(`${file}: two cases have one name`);
  return {
    cases,
    check: (name, output) => {
      const shown = output.trim();
      if (update) outputs.set(name, shown);
      else expect(shown).toBe(outputs.get(name));
    },
    close: () => {
      const text = cases.map(({ name, input }) => `## ${name}\n${input}\n-> ${outputs.get(name) ?? ""}\n\n`).join("");
      if (update) writeFileSync(path, head + text);
    },
  };
}

/** The bytes of a text with macros, one character per byte. */
export function expand(text: string): string {
  let bytes = Buffer.from(text).toString("latin1");
  for (;;) {
    const end = bytes.indexOf("}}");
    const start = end < 0 ? -1 : bytes.lastIndexOf("{{", end);
    if (start < 0) return bytes;
    const [, times, name = "", content = ""] = /^(?:(\d+)\*|(\w+):)(.*)$/s.exec(bytes.slice(start + 2, end)) ?? [];
    const made = times === undefined ? apply(name, content) : content.repeat(Number(times));
    bytes = bytes.slice(0, start) + made + bytes.slice(end + 2);
  }
}

function apply(name: string, content: string): string {
  const bytes = Buffer.from(content, "latin1");
  if (name === "gzip") return gzipSync(bytes).toString("latin1");
  if (name === "snappy") return Buffer.from(compressSnappy(bytes)).toString("latin1");
  if (name === "hex") return Buffer.from(content.replace(/\s/g, ""), "hex").toString("latin1");
  throw new Error(`no macro ${name}`);
}
