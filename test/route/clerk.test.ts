import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { Clerk } from "#limpet/route/clerk.js";
import { type Assignment, addressOf, sliceIndexOf } from "#limpet/slice/assignment.js";
import { KEY_END, shared, width, without } from "#limpet/slice/keyRange.js";

const OWNERS = ["a", "b", null];

function assignment(number: number, cuts: readonly number[], owner = 0): Assignment {
  const lows = [...new Set([0, ...cuts])].sort((a, b) => a - b);
  const generation = { incarnation: 1, number };
  const slices = lows.map((low, i) => {
    return { low, high: lows[i + 1] ?? KEY_END, owner: OWNERS[(i + owner) % 3] ?? null, standby: null, movingTo: null, move: null, term: generation };
  });
  const resources = ["a", "b"].map((id) => ({ id, address: `http://${id}`, incarnation: "1", state: "running" as const, load: 0 }));
  return { generation, rules: "", slices, resources };
}

const cuts = fc.array(fc.integer({ min: 1, max: KEY_END - 1 }), { maxLength: 40 });

describe("clerk", () => {
  it("look-up: any key -> the address its Slice's owner has", () => {
    fc.assert(
      fc.property(cuts, fc.integer({ min: 0, max: KEY_END - 1 }), (at, key) => {
        const clerk = new Clerk();
        const given = assignment(1, at);
        clerk.accept(given);
        for (const k of [key, ...at, ...at.map((low) => low - 1), 0, KEY_END - 1]) {
          const slice = given.slices[sliceIndexOf(given.slices, k)];
          expect(clerk.routes[clerk.routeOf(k)]?.address).toBe(addressOf(given, slice?.owner ?? null) ?? "");
        }
      }),
    );
  });

  it("routes: all together -> the whole key space, once", () => {
    fc.assert(
      fc.property(cuts, (at) => {
        const clerk = new Clerk();
        clerk.accept(assignment(1, at));
        const ranges = clerk.routes.flatMap((route) => route.ranges);
        expect(ranges.reduce((sum, range) => sum + width(range), 0)).toBe(KEY_END);
        expect(without([{ low: 0, high: KEY_END }], ranges)).toEqual([]);
        for (const [i, { ranges: mine }] of clerk.routes.entries())
          for (const { ranges: theirs } of clerk.routes.slice(i + 1)) expect(shared(mine, theirs)).toEqual([]);
      }),
    );
  });

  it("accept: older or equal -> kept as it was", () => {
    const clerk = new Clerk();
    expect(clerk.routes).toEqual([]);
    expect(clerk.accept(assignment(5, []))).toBe(true);
    expect(clerk.accept(assignment(5, [7], 1))).toBe(false);
    expect(clerk.accept(assignment(4, [7], 1))).toBe(false);
    expect(clerk.routes.map(({ address }) => address)).toEqual(["http://a"]);
    expect(clerk.generation).toEqual({ incarnation: 1, number: 5 });
  });
});
