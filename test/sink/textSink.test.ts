// Plan: openSink by URL, and the text sinks with outputs that block, fill up and close.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, describe, expect, test } from "@jest/globals";
import { rowsOf } from "#limpet/metric/rowBlock.js";
import { fileOutput, streamOutput } from "#limpet/plugins/sinks/text/outputs.js";
import { TextSink } from "#limpet/plugins/sinks/text/textSink.js";
import { openSink } from "#limpet/sink/openSink.js";
import { type BlockOutcome, type Sink, SinkUrlError } from "#limpet/sink/sink.js";
import { blockOf, testRow } from "../metric/blocks.js";

const folder = mkdtempSync(join(tmpdir(), "limpet-sink-"));
afterAll(() => rmSync(folder, { recursive: true }));
const quiet = { log: (): void => undefined };

function offer(sink: Sink, name: string, count = 1): Promise<BlockOutcome> {
  const rows = Array.from({ length: count }, (_, i) => testRow(`${name}{i=${i}}`, 1000, i));
  return new Promise((resolve) => sink.offer(blockOf(rows), resolve));
}

const stored = (count: number): BlockOutcome => ({ stored: count, conflict: 0, unknown: 0, moved: 0, dropped: {} });

describe("openSink", () => {
  test.each([
    ["kafka://x", 'the unknown kind "kafka:"; use file:PATH or stdout: or http(s)://HOST:PORT/api/v1/write'],
    ["nonsense", "names no kind of sink"],
    ["kafka://me:secret@x", 'sink "kafka://x"'],
    ["http://me:secret@host:9090", 'sink "http://host:9090" has no path; give the full one, for Prometheus http://host:9090/api/v1/write'],
    ["http://:x:y/write", "is not a URL"],
    ["file:", "names no file"],
    ["file:/no/such/folder/rows", "cannot be opened for appending (ENOENT"],
    ["stdout:x", "use stdout: (JSON), stdout:lp or stdout:prom"],
  ])("openSink: %s -> SinkUrlError with the cure, without credentials", async (url, text) => {
    const error: unknown = await openSink(url, quiet).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SinkUrlError);
    expect(String(error)).toContain(text);
    expect(String(error)).not.toContain("secret");
  });
});

describe("text sinks", () => {
  test("file: blocks, then a second run -> appended JSON lines in order", async () => {
    const path = join(folder, "rows.ndjson");
    for (const name of ["a", "b"]) {
      const sink = await openSink(`file:${path}`, quiet);
      expect(await offer(sink, name, 2)).toEqual(stored(2));
      expect(sink.stats()).toMatchObject({ stored: 2, queueBytes: 0, queueRows: 0 });
      await sink.close(1000);
    }
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe('{"name":"a","labels":{"i":"0"},"timestamp":1000,"value":0}');
    expect(lines.map((line): unknown => JSON.parse(line)).map((row) => (row as { name: string }).name)).toEqual(["a", "a", "b", "b"]);
  });

  test("file: disk full -> dropped{io}, one warning, later blocks are tried too", async () => {
    const logs: string[] = [];
    const sink = new TextSink("file:/dev/full", fileOutput("/dev/full"), { log: (_level, message) => logs.push(message) });
    for (const name of ["a", "b"]) expect(await offer(sink, name, 3)).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { io: 3 } });
    await sink.close(1000);
    expect(logs).toHaveLength(1);
    expect(logs[0]).toContain("sink file:/dev/full: 3 rows dropped (io): ENOSPC");
  });

  test("stdout:lp: rows that line protocol cannot say -> dropped{invalid}, the others written", async () => {
    const written: string[] = [];
    const output = { write: async (text: string) => void written.push(text), close: async () => undefined };
    const sink = new TextSink("stdout:", output, quiet, "lp");
    const rows = [testRow("a{i=x y}", 1000, 1.5), testRow("b", 1000, Number.NaN), testRow("c", 1000, Infinity)];
    const outcome = await new Promise((resolve) => sink.offer(blockOf(rows), resolve));
    expect(outcome).toEqual({ stored: 1, conflict: 0, unknown: 0, moved: 0, dropped: { invalid: 2 } });
    expect(sink.stats()).toMatchObject({ stored: 1, dropped: { invalid: 2 }, queueRows: 0 });
    expect(written).toEqual(["a,i=x\\ y value=1.5 1000000000\n"]);
  });

  test("stdout: reader sleeps -> the queue stays under its bytes, the oldest waiting block goes, the rest is written in order", async () => {
    let release: () => void = () => undefined;
    const written: string[] = [];
    const stream = new Writable({
      highWaterMark: 1,
      write: (chunk: Buffer, _encoding, next) => {
        written.push(chunk.toString());
        release = next;
      },
    });
    const sink = new TextSink("stdout:", streamOutput(stream), { ...quiet, queueBytesMax: 1000 });
    const outcomes = ["a", "b", "c", "d"].map((name) => offer(sink, name));
    expect(sink.stats().queueBytes).toBeLessThanOrEqual(1000);
    expect(await outcomes[1]).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { queue_full: 1 } });
    for (const i of [0, 2, 3]) {
      release();
      expect(await outcomes[i]).toEqual(stored(1));
    }
    expect(written.map((text) => (JSON.parse(text) as { name: string }).name)).toEqual(["a", "c", "d"]);
    await sink.close(1000);
  });

  test("stdout: reader sleeps, a range is withdrawn -> its rows at once, but for the block being written; the rest is written", async () => {
    let release: () => void = () => undefined;
    const written: string[] = [];
    const stream = new Writable({
      highWaterMark: 1,
      write: (chunk: Buffer, _encoding, next) => {
        written.push(...chunk.toString().trim().split("\n"));
        release = next;
      },
    });
    const sink = new TextSink("stdout:", streamOutput(stream), quiet);
    const outcomes = ["a", "b", "c"].map((name) => {
      const rows = [0, 1, 2].map((i) => testRow(`${name}${i}`, 1000, i));
      const keys = name === "c" ? Uint32Array.of(5, 5, 5) : Uint32Array.of(4, 5, 6);
      return new Promise((resolve) => sink.offer({ ...blockOf(rows), keys }, resolve));
    });
    const moved = await sink.withdraw({ low: 5, high: 6 });
    expect(moved.flatMap((block) => rowsOf(block).map(({ name }) => name))).toEqual(["b1", "c0", "c1", "c2"]);
    expect(moved.map(({ keys }) => [...(keys ?? [])])).toEqual([[5], [5, 5, 5]]);
    release();
    await outcomes[0];
    release();
    expect(await Promise.all(outcomes)).toEqual([stored(3), { ...stored(2), moved: 1 }, { ...stored(0), moved: 3 }]);
    expect(written.map((text) => (JSON.parse(text) as { name: string }).name)).toEqual(["a0", "a1", "a2", "b0", "b2"]);
    expect(sink.stats()).toMatchObject({ stored: 5, moved: 4, queueRows: 0, queueBytes: 0 });
    await sink.close(1000);
  });

  test("stdout: reader never takes anything -> close ends at its deadline, every block dropped{stop} once", async () => {
    const sink = new TextSink("stdout:", streamOutput(new Writable({ write: () => undefined })), quiet);
    const outcomes = [offer(sink, "a", 2), offer(sink, "b", 3)];
    await sink.close(20);
    expect((await Promise.all(outcomes)).map((outcome) => outcome.dropped)).toEqual([{ stop: 2 }, { stop: 3 }]);
    expect(sink.stats()).toMatchObject({ queueBytes: 0, queueRows: 0, dropped: { stop: 5 } });
    expect(await offer(sink, "late")).toMatchObject({ dropped: { stop: 1 } });
  });

  test("stdout: the reader went away -> dropped{io}, the process lives", async () => {
    const stream = new Writable({ write: (_chunk, _encoding, next) => next(new Error("write EPIPE")) });
    const sink = new TextSink("stdout:", streamOutput(stream), quiet);
    expect(await offer(sink, "a")).toMatchObject({ dropped: { io: 1 } });
    expect(await offer(sink, "b")).toMatchObject({ dropped: { io: 1 } });
  });
});
