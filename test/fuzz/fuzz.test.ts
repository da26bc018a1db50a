// The fuzzer as its command runs it: a short run of every target, what a failing one says, and that it is the same every time.
import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { createRng } from "#limpet/base/rng.js";
import { mutate } from "./mutate.js";

const RUN = new URL("../../build/test/fuzz/run.js", import.meta.url).pathname;

function fuzz(...args: readonly string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, ...args], { encoding: "utf8", timeout: 170_000 });
  return { status, out: stdout, err: stderr };
}

test("fuzz: 250 inputs to every parser -> every property holds", () => {
  const { status, out, err } = fuzz("all", "--runs", "250");
  expect([status, err, out.match(/ failed: .*/gs)]).toEqual([0, "", null]);
  expect(out.match(/: 250 runs, seed 1, /g)).toHaveLength(19);
}, 180_000);

test("fuzz: a target that is none, a number that is none -> the usage, exit 2", () => {
  for (const args of [["nothing"], ["line", "--runs", "many"]]) {
    const { status, err } = fuzz(...args);
    expect([status, err]).toEqual([2, expect.stringMatching(/^usage: npm run fuzz -- TARGET .*; targets: all, duration, listen, /)]);
  }
});

test("fuzz: one seed -> the same inputs; another seed -> others", () => {
  const seeds = [Buffer.from("cpu,host=a idle=1"), Buffer.from("m f=2i 5")];
  const inputs = (seed: number): string[] => {
    const rng = createRng(seed);
    return Array.from({ length: 50 }, () => mutate(rng, seeds).toString("hex"));
  };
  expect(inputs(7)).toEqual(inputs(7));
  expect(inputs(7)).not.toEqual(inputs(8));
  expect(new Set(inputs(7)).size).toBeGreaterThan(40);
});
