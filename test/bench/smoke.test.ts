// Every benchmark runs here on tiny input, so that none of them rots.
import { readdirSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { type Bench, benchesOf, median, runOnce, timeAll } from "../../bench/bench.js";

const folder = new URL("../../bench/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".bench.ts"));

describe("bench", () => {
  test("smoke: the folder holds benchmarks", () => {
    expect(files).toContain("rowBlock.bench.ts");
  });

  test.each(files)("smoke: %s at tiny scale -> every bench does something", async (file) => {
    const exported = (await import(new URL(file, folder).pathname)) as Record<string, unknown>; // a module namespace
    for (const bench of benchesOf(file, exported)) {
      expect((await runOnce(bench, 0.001)).ops).toBeGreaterThan(0);
      await bench.close?.();
    }
  });

  test("smoke: moves, tiny -> every figure is one", async () => {
    const { stdout } = await execa("node", [new URL("../../build/bench/run.js", import.meta.url).pathname, "move", "--tiny"], { timeout: 60_000 });
    const figures = stdout.split("\n").flatMap((line) => /^(\S.*?) {2,}([\d.]+) +([\d.]+) /.exec(`${line} `)?.slice(1) ?? []);
    expect(figures.filter((text) => /^[a-z]/.test(text))).toHaveLength(7);
    for (const figure of figures) if (/^\d/.test(figure)) expect(Number(figure)).toBeGreaterThan(0);
  }, 90_000);

  test("harness: a bench that does nothing -> error that names it", async () => {
    const idle: Bench = { name: "idle: none", run: () => ({ ops: 0, unit: "row" }) };
    await expect(runOnce(idle, 1)).rejects.toThrow(/"idle: none" did 0 row ops/);
  });

  test("harness: a file without a bench -> error that names it", () => {
    expect(() => benchesOf("x.bench.ts", { helper: () => 1, text: "no" })).toThrow(/x\.bench\.ts: exports no Bench/);
  });

  test("harness: two benches -> warmed up, then interleaved, median of the rounds", async () => {
    const calls: string[] = [];
    let clockNs = 0;
    const costs = [100, 900, 200, 300]; // warm-up, then three rounds
    const fake = (name: string): Bench => {
      let call = 0;
      return {
        name,
        run() {
          calls.push(name);
          clockNs += costs[call++] ?? 0;
          return { ops: 10, unit: "op" };
        },
      };
    };
    const timings = await timeAll([fake("a"), fake("b")], 1, 3, () => clockNs);
    expect(calls.join("")).toBe("ab" + "ab".repeat(3));
    expect(timings[1]).toEqual({ name: "b", unit: "op", nsMedian: 30, nsMin: 20, nsMax: 90 });
  });

  test("median: odd, even and no values -> middle, mean of the middle two, NaN", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN]);
  });
});
