import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { backoffMs } from "#limpet/base/backoff.js";
import { Ring } from "#limpet/base/ring.js";

test.each([
  [1, 0, 15],
  [1, 0.5, 22.5],
  [2, 0, 30],
  [9, 0, 2500],
  [1000, 0, 2500],
])("backoff: failure %i with random %d -> %d ms", (failures, random, expected) => {
  expect(backoffMs(failures, { minMs: 30, maxMs: 5000 }, random)).toBe(expected);
});

test("ring: any sequence of add and take -> as an array with push and shift", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(), fc.constant("take")), { maxLength: 200 }), (steps) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (typeof step === "number") {
          ring.add(step);
          model.push(step);
        } else expect(ring.take()).toBe(model.shift());
        expect([ring.count, ring.first()]).toEqual([model.length, model[0]]);
      }
    }),
  );
});
