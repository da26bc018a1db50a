import { expect, test } from "@jest/globals";
import { SteadyClock } from "#limpet/base/clock.js";

function clockAt(wallMs: number): { readonly clock: SteadyClock; readonly pass: (ms: number) => void; readonly set: (byMs: number) => void } {
  let wall = wallMs;
  let monotonic = 500.25;
  return {
    clock: new SteadyClock({ wall: () => wall, monotonic: () => monotonic }),
    pass: (ms) => {
      wall += ms;
      monotonic += ms;
    },
    set: (byMs) => {
      wall += byMs;
    },
  };
}

test("clock: time passes -> wall time of the start plus what passed, whole ms", () => {
  const { clock, pass } = clockAt(1_000_000);
  pass(1234.5);
  expect([clock.now(), clock.step()]).toEqual([1_001_234, undefined]);
});

test("clock: wall clock set back and forth -> not followed; each step reported once, with its size", () => {
  const { clock, pass, set } = clockAt(1_000_000);
  set(-3_600_000);
  pass(10);
  expect([clock.now(), clock.step(), clock.step()]).toEqual([1_000_010, -3_600_000, undefined]);
  set(3_600_000);
  expect([clock.now(), clock.step(), clock.step()]).toEqual([1_000_010, 0, undefined]);
});

test("clock: slow drift of up to a second -> no news; past it once", () => {
  const { clock, set } = clockAt(0);
  set(1000);
  expect(clock.step()).toBeUndefined();
  set(1);
  expect([clock.step(), clock.step()]).toEqual([1001, undefined]);
});
