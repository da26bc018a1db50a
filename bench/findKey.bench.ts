// findKey: ns per look-up of a known key, hash and comparison included, from a table that fits the caches and one that does not.
import { INPUT_AT } from "#limpet/kernel/layout.js";
import { heap8, heapBuffer } from "#limpet/kernel/memory.js";
import { findKey } from "#limpet/kernel/reader.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";
import { feedAll, linesOf, openEngine } from "./openEngine.js";

const keyOf = (i: number): string => `cpu,cpu=cpu${String(i % 8)},host=db-${String(i)},region=us-west-2,service=gateway-05`;

function keyBench(name: string, keysMax: number): Bench {
  const prepared = keptBySize((count) => {
    const engine = openEngine("- { interval: 10s, by: [region], outputs: [sum_samples] }");
    feedAll(
      engine,
      linesOf(count, (i) => `${keyOf(i)} f=1`),
      count,
    );
    // 10 000 of the keys, far apart in the order they were made in.
    const texts = Array.from({ length: 10_000 }, (_, i) => keyOf((i * 7919) % count));
    return { root: engine.root, texts: Buffer.from(texts.join("")), lengths: Int32Array.from(texts, (text) => text.length) };
  });
  return {
    name: `findKey: ${name}`,
    run(scale) {
      const { root, texts, lengths } = prepared(Math.ceil(keysMax * Math.min(1, scale)));
      const rounds = Math.ceil(100 * scale);
      heap8.set(texts, root + INPUT_AT);
      let missing = 0;
      for (let round = 0; round < rounds; round++) {
        let at = root + INPUT_AT;
        for (const length of lengths) {
          if (findKey(root, at, length) === 0) missing++;
          at += length;
        }
      }
      if (missing > 0)
        throw new Error(`${String(missing)} keys not found, the first near ${heapBuffer.toString("latin1", root + INPUT_AT, root + INPUT_AT + 60)}`);
      return { ops: rounds * lengths.length, unit: "look-up" };
    },
  };
}

export const few = keyBench("1 000 keys", 1000);
export const many = keyBench("200 000 keys", 200_000);
