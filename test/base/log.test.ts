import { describe, expect, test } from "@jest/globals";
import { createLog, type LineStream, type LogMode, streamWriter } from "#limpet/base/log.js";

function recorder(mode: LogMode, debug = false) {
  const lines: [stream: string, line: string][] = [];
  const clock = { ms: 0 };
  const log = createLog({ mode, debug, now: () => clock.ms, write: (stream, line) => lines.push([stream, line]) });
  return { log, lines, clock };
}

describe("log: where lines go", () => {
  test("output mode: info -> stdout as it is, problems -> stderr with their level", () => {
    const { log, lines } = recorder("output");
    log.info("started");
    log.warn("slow");
    log.error("broken");
    expect(lines).toEqual([
      ["stdout", "started\n"],
      ["stderr", "W! slow\n"],
      ["stderr", "E! broken\n"],
    ]);
  });

  test.each(["processor", "input", "serve"] as const)("%s mode: stdout may carry metrics -> all levels on stderr", (mode) => {
    const { log, lines } = recorder(mode, true);
    log.info("a");
    log.warn("b");
    log.error("c");
    log.debug("d");
    expect(lines).toEqual([
      ["stderr", "I! a\n"],
      ["stderr", "W! b\n"],
      ["stderr", "E! c\n"],
      ["stderr", "D! d\n"],
    ]);
  });

  test("debug: not asked for -> no line", () => {
    const { log, lines } = recorder("serve");
    log.debug("d");
    expect(lines).toEqual([]);
  });
});

describe("log: one line each", () => {
  test("newlines and control characters -> escaped", () => {
    const { log, lines } = recorder("serve");
    log.error("a\nb\r\tc\u0000\u001b[31m\u2028d");
    expect(lines).toEqual([["stderr", "E! a\\nb\\r\\tc\\u0000\\u001b[31m\\u2028d\n"]]);
  });

  test("long message -> cut at 8 KiB between characters, and says so", () => {
    for (const pad of ["", "x", "xx"]) {
      const { log, lines } = recorder("serve");
      log.error(pad + "€".repeat(5000));
      const line = lines[0]?.[1] ?? "";
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8192);
      expect(Buffer.byteLength(line)).toBeGreaterThan(8180);
      expect(line).toMatch(/^E! x*€+\.\.\. \(cut\)\n$/);
    }
  });
});

describe("log: rate limit", () => {
  test("416 of a kind in 10 s -> three lines, then the latest with the count", () => {
    const { log, lines, clock } = recorder("serve");
    for (let i = 1; i <= 416; i++) log.warn(`line ${i}: bad`);
    expect(lines.map(([, line]) => line)).toEqual(["W! line 1: bad\n", "W! line 2: bad\n", "W! line 3: bad\n"]);
    clock.ms = 9_999;
    log.info("other");
    expect(lines).toHaveLength(4);
    clock.ms = 10_000;
    log.info("one more");
    expect(lines[4]?.[1]).toBe("W! line 416: bad (and 412 more in the last 10 s)\n");
    clock.ms = 10_001;
    log.warn("line 417: bad");
    expect(lines.at(-1)?.[1]).toBe("W! line 417: bad\n");
  });

  test("kind given: different texts -> one limit; another level -> its own", () => {
    const { log, lines } = recorder("serve");
    for (const host of ["a", "b", "c", "d", "e"]) log.warn(`host ${host} is late`, "late");
    log.error("host f is late", "late");
    expect(lines).toHaveLength(4);
  });

  test("flush: held lines -> written with their count, even when long", () => {
    const { log, lines, clock } = recorder("serve");
    for (let i = 0; i < 10; i++) log.error("x".repeat(9000));
    clock.ms = 2000;
    log.flush();
    expect(lines).toHaveLength(4);
    expect(lines[3]?.[1]).toMatch(/^E! x+\.\.\. \(cut\) \(and 6 more in the last 2 s\)\n$/);
    log.flush();
    expect(lines).toHaveLength(4);
  });

  test("thousands of kinds -> bounded: past 256 they share a limit", () => {
    const { log, lines } = recorder("serve");
    for (let i = 0; i < 5000; i++) log.warn("m", `kind-${i}`);
    expect(lines).toHaveLength(256 + 3);
    log.flush();
    expect(lines.at(-1)?.[1]).toContain(`(and ${5000 - 256 - 3 - 1} more`);
  });
});

class FakeStream implements LineStream {
  writableLength = 0;
  readonly lines: string[] = [];
  fail: (error: Error) => void = () => undefined;
  write(text: string): boolean {
    this.lines.push(text);
    return true;
  }
  on(_event: "error", listener: (error: Error) => void): void {
    this.fail = listener;
  }
}

describe("log writer", () => {
  test("EPIPE -> no throw, that stream stays silent, told once", () => {
    const streams = { stdout: new FakeStream(), stderr: new FakeStream() };
    const closed: string[] = [];
    const write = streamWriter(streams, (stream) => closed.push(stream));
    write("stdout", "a\n");
    streams.stdout.fail(new Error("EPIPE"));
    streams.stdout.fail(new Error("EPIPE"));
    write("stdout", "b\n");
    write("stderr", "c\n");
    expect([streams.stdout.lines, streams.stderr.lines, closed]).toEqual([["a\n"], ["c\n"], ["stdout"]]);
  });

  test("reader that does not read -> lines thrown away while 1 MiB waits", () => {
    const streams = { stdout: new FakeStream(), stderr: new FakeStream() };
    const write = streamWriter(streams);
    streams.stderr.writableLength = (1 << 20) + 1;
    write("stderr", "a\n");
    streams.stderr.writableLength = 0;
    write("stderr", "b\n");
    expect(streams.stderr.lines).toEqual(["b\n"]);
  });
});
