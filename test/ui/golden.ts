// Text goldens: UPDATE=1 writes them, and the diff is reviewed as behaviour.
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "@jest/globals";

/** Compares with test/ui/golden/NAME.txt. */
export function expectGolden(name: string, lines: readonly string[]): void {
  const file = new URL(`golden/${name}.txt`, import.meta.url);
  const text = `${lines.join("\n")}\n`;
  if (process.env["UPDATE"] === "1") writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
}
