// addSketch: ns per value into one sketch: values of three decades (latencies), and of all there are, which costs resolution.
import "#limpet/kernel/constants.js";
import { ROOT_PAGES } from "#limpet/kernel/layout.js";
import { PAGE_BYTES } from "#limpet/kernel/memory.js";
import { openOwner } from "#limpet/kernel/pages.js";
import { addSketch, openSketch, releaseSketch } from "#limpet/kernel/sketch.js";
import type { Bench } from "./bench.js";

const VALUES = 4096;
let root = 0;

function sketchBench(name: string, make: (i: number) => number): Bench {
  const values = Float64Array.from({ length: VALUES }, (_, i) => make((i * 1597) % VALUES));
  return {
    name: `addSketch: ${name}`,
    run(scale) {
      if (root === 0) root = openOwner(ROOT_PAGES, 1024 * PAGE_BYTES);
      const rounds = Math.ceil(1000 * scale);
      const sketch = openSketch(root);
      let added = 0;
      for (let round = 0; round < rounds; round++) for (const value of values) added += addSketch(root, sketch, value);
      releaseSketch(root, sketch);
      if (added !== rounds * VALUES) throw new Error("values were refused");
      return { ops: added, unit: "value" };
    },
  };
}

export const latencies = sketchBench("1 .. 1000", (i) => 10 ** ((3 * i) / VALUES));
export const everything = sketchBench("1e-300 .. 1e300", (i) => 10 ** ((600 * i) / VALUES - 300));
