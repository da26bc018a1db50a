// Plan: a fake clock and doors that take or refuse: each host keeps its door, what is refused is kept and comes again in order, a lane
// goes to another door when it is turned, a door that takes nothing stops the generator.
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { DoorLoad } from "#limpet/loadgen/doorLoad.js";
import { createGenerator } from "#limpet/loadgen/generator.js";

class Bench {
  nowMs = 1_700_000_000_000;
  tick: () => void = () => undefined;
  readonly taken = new Map<string, string>();
  readonly refused = new Set<string>();
  readonly load: DoorLoad;

  constructor(doors: readonly string[], linesPerSecond: number) {
    const clock = {
      epochMs: () => this.nowMs,
      every: (_everyMs: number, tick: () => void) => {
        this.tick = tick;
        return () => undefined;
      },
    };
    const post = async (door: string, body: Uint8Array): Promise<boolean> => {
      await nextTurn();
      if (this.refused.has(door)) return false;
      this.taken.set(door, (this.taken.get(door) ?? "") + Buffer.from(body).toString());
      return true;
    };
    this.load = new DoorLoad({ generator: createGenerator(7, 96), linesPerSecond, clock, doors, post });
  }

  async run(ticks: number): Promise<void> {
    for (let i = 0; i < ticks; i++) {
      this.nowMs += 20;
      this.tick();
      for (let turn = 0; turn < 5; turn++) await nextTurn();
    }
  }

  hosts(door: string): Set<string> {
    return new Set([...(this.taken.get(door) ?? "").matchAll(/\bhost=([^, ]+)/g)].map(([, host]) => host ?? ""));
  }

  lines(): number {
    return [...this.taken.values()].reduce((sum, text) => sum + (text.match(/\n/g)?.length ?? 0), 0);
  }
}

describe("door load", () => {
  test("door load: three doors -> each host at one of them only, every line counted once", async () => {
    const bench = new Bench(["a", "b", "c"], 20_000);
    await bench.run(50);
    await bench.load.stop();
    const sets = ["a", "b", "c"].map((door) => bench.hosts(door));
    expect(sets.every(({ size }) => size > 0)).toBe(true);
    expect(new Set(sets.flatMap((set) => [...set])).size).toBe(sets.reduce((sum, { size }) => sum + size, 0));
    expect(bench.load.linesSent).toBe(bench.lines());
    expect(bench.load.linesSent).toBeGreaterThan(15_000);
    expect(bench.load.keptBytes).toBe(0);
  });

  test("door load: a door refuses, then the lane is turned -> all of it arrives at the other, in order", async () => {
    const bench = new Bench(["a", "b"], 10_000);
    await bench.run(10);
    bench.refused.add("a");
    await bench.run(20);
    const kept = bench.load.keptBytes;
    expect(kept).toBeGreaterThan(0);
    const before = bench.hosts("a");
    bench.load.turn("a", "c");
    await delay(200);
    await bench.run(5);
    await bench.load.stop();
    expect(bench.load.linesSent).toBe(bench.lines());
    for (const host of bench.hosts("c")) expect(before.has(host) || !bench.hosts("b").has(host)).toBe(true);
    expect(bench.hosts("c").size).toBeGreaterThan(0);
    const times = [...(bench.taken.get("c") ?? "").matchAll(/ (\d+)\n/g)].map(([, time]) => Number(time));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test("door load: nobody takes anything -> a bounded number of bytes is kept, nothing is counted as sent", async () => {
    const bench = new Bench(["a"], 1_000_000);
    bench.refused.add("a");
    await bench.run(400);
    const kept = bench.load.keptBytes;
    await bench.run(100);
    expect(bench.load.keptBytes).toBe(kept);
    expect(kept).toBeLessThan(10 << 20);
    expect(bench.load.linesSent).toBe(0);
    bench.load.abandon();
  });
});
