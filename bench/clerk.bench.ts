// clerk: ns per look-up of a key among the Slices of an Assignment: 20 owners with 50 Slices each, and a thousand of them.
import { createRng } from "#limpet/base/rng.js";
import { Clerk } from "#limpet/route/clerk.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";

const KEY_COUNT = 65_536;

function clerkBench(owners: number): Bench {
  const prepared = keptBySize((slices) => {
    const generation = { incarnation: 1, number: 1 };
    const resources = Array.from({ length: owners }, (_, i) => {
      return { id: String(i), address: `http://host-${String(i)}:4581`, incarnation: "1", state: "running" as const, load: 0 };
    });
    const width = Math.floor(KEY_END / slices);
    const clerk = new Clerk();
    clerk.accept({
      generation,
      rules: "",
      resources,
      slices: Array.from({ length: slices }, (_, i) => {
        const high = i === slices - 1 ? KEY_END : (i + 1) * width;
        return { low: i * width, high, owner: String((i * 7) % owners), standby: null, movingTo: null, move: null, term: generation };
      }),
    });
    const rng = createRng(1);
    return { clerk, keys: Uint32Array.from({ length: KEY_COUNT }, () => rng.int(KEY_END)) };
  });
  return {
    name: `clerk: ${String(owners * 50)} slices`,
    run(scale) {
      const { clerk, keys } = prepared(owners * 50);
      const rounds = Math.ceil(50 * scale);
      let sum = 0;
      for (let round = 0; round < rounds; round++) for (let i = 0; i < KEY_COUNT; i++) sum += clerk.routeOf(keys[i] ?? 0);
      if (sum === 0) throw new Error("all keys belong to the first owner");
      return { ops: rounds * KEY_COUNT, unit: "look-up" };
    },
  };
}

export const few = clerkBench(20);
export const many = clerkBench(1000);
