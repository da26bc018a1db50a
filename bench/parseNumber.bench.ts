// parseNumber, the kernel's: ns per number for the three shapes of Telegraf output. Each result is compared with Number()'s.
import "#limpet/kernel/memory.js";
import "#limpet/kernel/constants.js";
import { INPUT_AT, INPUT_SLACK, VALUE } from "#limpet/kernel/layout.js";
import { heap64, heapBuffer } from "#limpet/kernel/memory.js";
import { parseNumber } from "#limpet/kernel/number.js";
import { openOwner } from "#limpet/kernel/pages.js";
import type { Bench } from "./bench.js";

const NUMBERS = 1000;
const PAGES = 35;

let root = 0;

/** Numbers as text, each ended by a comma, in kernel memory. Shared by the benches: each writes its own before it starts. */
function place(text: string): number {
  if (root === 0) root = openOwner(PAGES, PAGES * 65536);
  heapBuffer.write(text, root + INPUT_AT, "latin1");
  heapBuffer.fill(0, root + INPUT_AT + text.length, root + INPUT_AT + text.length + INPUT_SLACK);
  return root + INPUT_AT;
}

function numberBench(name: string, format: (i: number) => string): Bench {
  const texts = Array.from({ length: NUMBERS }, (_, i) => format(i));
  const expected = texts.reduce((sum, text) => sum + Number(text.replace("i", "")), 0);
  return {
    name: `number: ${name}`,
    run(scale) {
      const rounds = Math.ceil(2000 * scale);
      const start = place(`${texts.join(",")},`);
      for (let round = 0; round < rounds; round++) {
        let at = start;
        let sum = 0;
        for (let i = 0; i < NUMBERS; i++) {
          at = parseNumber(at) + 1;
          sum += heap64[VALUE >> 3] ?? 0;
        }
        if (sum !== expected) throw new Error(`${name}: summed up to ${String(sum)}, expected ${String(expected)}`);
      }
      return { ops: rounds * NUMBERS, unit: "number" };
    },
  };
}

export const integers = numberBench("counter, 1234567i", (i) => `${String(1_234_567 + i * 7919)}i`);
export const decimals = numberBench("gauge, 12.345678", (i) => (12.345678 + i * 0.071).toFixed(6));
export const fullDigits = numberBench("all digits, 0.30000000000000004", (i) => String(0.1 + i * 0.2 + Math.sqrt(i)));
