// The router against owners that follow the protocol literally, in a bad network (model.ts). What may happen is decided by a seed.
import { describe, expect, it } from "@jest/globals";
import { Model, type Plan, type Rule } from "./model.js";

const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** The first thing that went wrong in a run; undefined: nothing. */
function fault(plan: Plan): string | undefined {
  const model = new Model(plan).run();
  if (model.bad[0] !== undefined) return model.bad[0];
  if (model.left === undefined || model.left.batches > 0) return `stopped with ${JSON.stringify(model.left)}`;
  return model.missing()[0];
}

describe("router in a bad network", () => {
  it("moves, crashes, loss, repetition and disorder -> each line once in each of its keys", () => {
    for (const seed of seeds(60)) expect([seed, fault({ seed })]).toEqual([seed, undefined]);
  });

  it("goodbyes -> owners forget the router, and it begins anew", () => {
    const runs = seeds(8).map((seed) => new Model({ seed, trouble: 1 }).run());
    expect(runs.flatMap((model) => [...model.bad, ...model.missing()])).toEqual([]);
    expect(runs.reduce((sum, model) => sum + model.forgotten, 0)).toBeGreaterThan(20);
    expect(runs.every((model) => model.keys.every(({ state }) => state.losses === 0))).toBe(true);
  });

  it("one request at a time, or many -> the same", () => {
    for (const seed of seeds(16)) expect([seed, fault({ seed, options: { window: seed % 2 === 0 ? 1 : 16 } })]).toEqual([seed, undefined]);
  });

  it.each<Rule>(["prev", "seq", "gap", "durable", "ranges", "oldest"])("without the rule %s -> some seed notices", (off) => {
    expect(seeds(60).some((seed) => fault({ seed, off }) !== undefined)).toBe(true);
  });

  it("a long healthy run -> hardly anything is sent twice", () => {
    const model = new Model({ seed: 5, trouble: 0, steps: 4000, fair: true }).run();
    expect(model.missing()).toEqual([]);
    const { applied = 0, ...others } = model.router.batchesByAnswer;
    expect(others).toEqual({});
    expect(model.sends - applied).toBeLessThan(applied / 10);
  });

  it("too little memory -> what is missing was counted, and its owners know", () => {
    let losing = 0;
    for (const seed of seeds(40)) {
      const model = new Model({ seed, trouble: 8, options: { retentionBytesMax: 12_000 } }).run();
      expect([seed, model.bad, model.left?.batches]).toEqual([seed, [], 0]);
      const { linesLost, batchesLost } = model.router.retention;
      const lines = new Set(model.missing().map((pair) => pair.split(" ")[0]));
      const unprotected = model.router.retention.batchesUnprotected;
      if (unprotected === 0) expect([seed, lines.size <= linesLost]).toEqual([seed, true]);
      if (lines.size > 0) {
        losing++;
        expect([seed, batchesLost + unprotected > 0, model.keys.some(({ state }) => state.losses > 0)]).toEqual([seed, true, true]);
      }
    }
    expect(losing).toBeGreaterThan(3);
  });
});
