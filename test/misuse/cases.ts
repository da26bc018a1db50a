// Case files: what goes in and what comes out, as text. UPDATE=1 writes what comes out anew; the diff is reviewed as behaviour.
//
//   ## name
//   input
//   -> first line of the output
//   more of it
//
// The input may hold macros (macros.ts).
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "@jest/globals";

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
