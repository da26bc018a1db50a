// Plan: the generator is a pure function of seed and times; its text is what Telegraf's serializer would write; the
// traffic in it behaves like a fleet's (counters grow, pods restart and are replaced); the pump keeps a pace and waits.
import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { createRng } from "#limpet/base/rng.js";
import { createGenerator, podCountFor } from "#limpet/loadgen/generator.js";
import { LineWriter } from "#limpet/loadgen/lineWriter.js";
import { type PumpClock, startPump } from "#limpet/loadgen/pump.js";

const START_MS = 1_700_000_000_000;
const LINE =
  /^[a-z_]+(?:,[a-z_]+=[A-Za-z0-9_./-]+)+ [a-z_]+=(?:-?\d+i|-?\d+(?:\.\d*[1-9])?|true|false|"[^"]*")(?:,[a-z_]+=(?:-?\d+i|-?\d+(?:\.\d*[1-9])?|true|false|"[^"]*"))* \d{19}$/;

function rounds(seed: number, pods: number, count: number): { text: string; lines: number } {
  const generator = createGenerator(seed, pods);
  const writer = new LineWriter(1024);
  let lines = 0;
  for (let batch = 0; batch < count * generator.hostCount; batch++) {
    lines += generator.writeBatch(writer, START_MS + Math.floor((batch * 1000) / generator.hostCount));
  }
  return { text: writer.take().toString("latin1"), lines };
}

describe("rng", () => {
  test("rng: same seed -> same numbers, other seed -> others", () => {
    const draw = (seed: number): number[] => {
      const rng = createRng(seed);
      return [rng.next(), rng.int(1000), rng.normal()];
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test("rng: many draws -> uniform in [0, 1), normal with mean 0 and deviation 1", () => {
    const rng = createRng(1);
    const count = 100_000;
    let uniform = 0;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < count; i++) {
      const drawn = rng.next();
      expect(drawn >= 0 && drawn < 1).toBe(true);
      uniform += drawn;
      const normal = rng.normal();
      sum += normal;
      squares += normal * normal;
    }
    expect(Math.abs(uniform / count - 0.5)).toBeLessThan(0.005);
    expect(Math.abs(sum / count)).toBeLessThan(0.02);
    expect(Math.abs(squares / count - 1)).toBeLessThan(0.02);
  });
});

describe("line writer", () => {
  test("line writer: numbers -> the shortest decimal text", () => {
    const writer = new LineWriter(4);
    const thousandths = [0, 1, 10, 100, 999, 1000, 12_500, -250, 123_456_789, 1_000_000_000_010];
    for (const value of thousandths) {
      writer.thousandths(value);
      writer.ascii(" ");
    }
    expect(writer.take().toString()).toBe(`${thousandths.map((value) => String(value / 1000)).join(" ")} `);
    for (const value of [0, 9, 10, -1, 99_999, Number.MAX_SAFE_INTEGER]) {
      writer.integer(value);
      writer.ascii(",");
    }
    expect(writer.take().toString()).toBe("0,9,10,-1,99999,9007199254740991,");
  });
});

describe("generator", () => {
  test("generator: same seed and times -> same bytes, another seed -> others", () => {
    const first = rounds(42, 50, 3).text;
    expect(rounds(42, 50, 3).text).toBe(first);
    expect(rounds(43, 50, 3).text).not.toBe(first);
  });

  test("generator: every line -> what Telegraf's serializer writes (sorted unique tags, ns time)", () => {
    const { text, lines } = rounds(1, 200, 5);
    const written = text.split("\n");
    expect(written.pop()).toBe("");
    expect(written.length).toBe(lines);
    for (const line of written) {
      expect(line).toMatch(LINE);
      const keys = line
        .slice(0, line.indexOf(" "))
        .split(",")
        .slice(1)
        .map((tag) => tag.slice(0, tag.indexOf("=")));
      expect(keys).toEqual([...new Set(keys)].sort());
    }
    expect(written.some((line) => line.includes('version="'))).toBe(true);
    expect(written.some((line) => line.includes("ready=true"))).toBe(true);
  });

  test("generator: linesPerRound -> the lines of one round", () => {
    for (const pods of [1, 8, 9, 500]) expect(rounds(3, pods, 1).lines).toBe(createGenerator(3, pods).linesPerRound);
  });

  test("generator: a default fleet -> about the rate in lines per round, tens of thousands of series", () => {
    const generator = createGenerator(1, podCountFor(20_000));
    expect(generator.podCount).toBeGreaterThan(1_900);
    expect(Math.abs(generator.linesPerRound - 20_000)).toBeLessThan(200);
  });

  test("generator: time goes on -> counters grow, some restart at 0, some pods are replaced", () => {
    const last = new Map<string, number>();
    let grew = 0;
    let restarted = 0;
    const { text } = rounds(5, 400, 60);
    for (const match of text.matchAll(/^(http_requests,\S+) count=(\d+)i/gm)) {
      const [, key = "", count = ""] = match;
      const before = last.get(key);
      if (before !== undefined && Number(count) > before) grew++;
      if (before !== undefined && Number(count) < before) restarted++;
      last.set(key, Number(count));
    }
    expect(grew).toBeGreaterThan(50_000);
    expect(restarted).toBeGreaterThan(0);
    // Five counters per pod; more keys than 400 pods have means that names changed.
    expect(last.size).toBeGreaterThan(400 * 5);
  });
});

describe("pump", () => {
  /** A clock that moves when told to. */
  function manualClock(): PumpClock & { advance(ms: number): void } {
    let nowMs = START_MS;
    let tick: (() => void) | undefined;
    return {
      epochMs: () => nowMs,
      every: (_everyMs, callback) => {
        tick = callback;
        return () => {
          tick = undefined;
        };
      },
      advance: (ms) => {
        nowMs += ms;
        tick?.();
      },
    };
  }

  test("pump: ten seconds of ticks -> the asked rate, and the stream has every line", () => {
    const clock = manualClock();
    const out = new PassThrough();
    let received = 0;
    out.on("data", (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) received++;
    });
    const pump = startPump(createGenerator(1, 200), out, 5_000, clock);
    for (let step = 0; step < 500; step++) clock.advance(20);
    pump.stop();
    expect(Math.abs(pump.linesSent() - 50_000)).toBeLessThan(200);
    return new Promise<void>((resolve) => {
      out.end(() => {
        expect(received).toBe(pump.linesSent());
        resolve();
      });
    });
  });

  test("pump: the stream is full -> waits, then goes on without the time it waited beyond one second", () => {
    const clock = manualClock();
    let release: (() => void) | undefined;
    const out = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => {
        release = done;
      },
    });
    const pump = startPump(createGenerator(1, 200), out, 5_000, clock);
    clock.advance(100);
    const before = pump.linesSent();
    for (let step = 0; step < 100; step++) clock.advance(100);
    expect(pump.linesSent()).toBe(before);
    expect(pump.waits()).toBe(1);
    const done = release;
    return new Promise<void>((resolve) => {
      out.once("drain", () => {
        expect(pump.linesSent()).toBeGreaterThan(before);
        expect(pump.linesSent() - before).toBeLessThan(5_200);
        pump.stop();
        resolve();
      });
      done?.();
    });
  });
});
