import { Writable } from "node:stream";
import { describe, expect, it } from "@jest/globals";
import { Watchers } from "#limpet/http/watchers.js";

/** A stream whose reader takes a piece when told. */
class Slow extends Writable {
  readonly read: string[] = [];
  #next: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(chunk: unknown, _encoding: unknown, done: () => void): void {
    this.read.push(String(chunk));
    this.#next = done;
  }

  take(): void {
    this.#next?.();
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("watchers", () => {
  it("added -> the newest line at once, then each", async () => {
    const watchers = new Watchers(() => 0, 10);
    const out = new Slow();
    watchers.add(out, "one");
    out.take();
    await turns();
    watchers.send("two");
    expect(out.read).toEqual(["one\n", "two\n"]);
  });

  it("added before there is anything -> an empty line", () => {
    const watchers = new Watchers(() => 0, 10);
    const out = new Slow();
    watchers.add(out, undefined);
    expect(out.read).toEqual(["\n"]);
  });

  it("does not read for a while -> misses what lies between, gets the newest", async () => {
    const watchers = new Watchers(() => 0, 10);
    const out = new Slow();
    watchers.add(out, "one");
    for (let i = 2; i <= 1000; i++) watchers.send(String(i));
    watchers.keepAlive();
    expect(out.writableLength).toBeLessThan(10);
    out.take();
    await turns();
    expect(out.read).toEqual(["one\n", "1000\n"]);
  });

  it("does not read for 10 s -> cut off and counted; the others go on", async () => {
    let nowMs = 0;
    const watchers = new Watchers(() => nowMs, 10);
    const [stalled, good] = [new Slow(), new Slow()];
    watchers.add(stalled, "one");
    watchers.add(good, "one");
    good.take();
    await turns();
    nowMs = 10_001;
    watchers.keepAlive();
    await turns();
    expect([stalled.destroyed, good.destroyed, watchers.size, watchers.dropped]).toEqual([true, false, 1, 1]);
  });

  it("as many as there may be -> full", () => {
    const watchers = new Watchers(() => 0, 1);
    expect(watchers.full).toBe(false);
    watchers.add(new Slow(), undefined);
    expect(watchers.full).toBe(true);
  });
});
