import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import { Gate, unpack } from "#limpet/http/unpack.js";

describe("unpack", () => {
  // Random bytes do not shrink: one body is unpacked at once, the other by a thread.
  test.each([1000, 300_000])("gzip of %i bytes, also in two members -> the bytes; one byte over the bound -> 413", async (size) => {
    const bytes = randomBytes(size);
    expect(await unpack(gzipSync(bytes), "gzip", size)).toEqual({ ok: true, bytes });
    const members = Buffer.concat([gzipSync(bytes.subarray(0, 10)), gzipSync(bytes.subarray(10))]);
    expect(await unpack(members, "x-gzip", size)).toEqual({ ok: true, bytes });
    expect(await unpack(gzipSync(bytes), "GZIP", size - 1)).toMatchObject({ ok: false, status: 413 });
    expect(await unpack(gzipSync(bytes).subarray(0, -9), "gzip", size)).toMatchObject({ ok: false, status: 400 });
  });
});

describe("gate", () => {
  test("more tasks than places -> the surplus waits in order; idle after the last, also after one that throws", async () => {
    const gate = new Gate(2);
    const log: number[] = [];
    const ends: (() => void)[] = [];
    const task = (name: number) => () => {
      log.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const all = [gate.pass(task(1)), gate.pass(task(2)), gate.pass(task(3)), gate.pass(() => Promise.reject(new Error("four")))];
    const failed = expect(all[3]).rejects.toThrow("four");
    expect(log).toEqual([1, 2]);
    const idle = gate.idle();
    ends[0]?.();
    await all[0];
    expect(log).toEqual([1, 2, 3]);
    ends[1]?.();
    ends[2]?.();
    await failed;
    await idle;
    expect(gate.running).toBe(0);
  });
});
