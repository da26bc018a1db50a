// Plan: the exact JSON of each kind of result, the precisions and their overflow, back-pressure with a slow reader, a reader that leaves.

import { Readable, Writable } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { type Precision, parse } from "#limpet/bin/commands/parse.js";

async function lines(input: string | Buffer, precision: Precision = "ns"): Promise<string[]> {
  const pieces: Buffer[] = [];
  const output = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, done) => {
      pieces.push(chunk);
      setImmediate(done);
    },
  });
  await parse(Readable.from([Buffer.from(input)]), output, precision);
  return Buffer.concat(pieces).toString().split("\n").slice(0, -1);
}

describe("parse: output", () => {
  test("a point of every kind of value -> the fields by kind, big integers as text", async () => {
    expect(await lines('m,b=2,a=1 f=1.5,i=-9223372036854775808i,u=18446744073709551615u,t=t,s="x\\"y",e=1e21 7\n')).toEqual([
      '{"measurement":"m","tags":{"a":"1","b":"2"},"fields":{"f":{"float":1.5},"i":{"int":"-9223372036854775808"},"u":{"uint":"18446744073709551615"},"t":{"bool":true},"s":{"string":"x\\"y"},"e":{"float":1e+21}},"time":"7"}',
    ]);
  });
  test("no timestamp -> no time; blank lines and comments -> nothing", async () => {
    expect(await lines("#c\n\nm f=1")).toEqual(['{"measurement":"m","tags":{},"fields":{"f":{"float":1}}}']);
  });
  test("an error -> its message and place, and the next line", async () => {
    expect(await lines("m f=1\nbad\nn f=2")).toEqual([
      '{"measurement":"m","tags":{},"fields":{"f":{"float":1}}}',
      '{"error":"expected tag","line":2,"column":4}',
      '{"measurement":"n","tags":{},"fields":{"f":{"float":2}}}',
    ]);
  });
  test("bytes that are not UTF-8 -> base64", async () => {
    expect(await lines(Buffer.from('m\xff,\xff=\xfe s="\xff"', "latin1"))).toEqual([
      '{"measurement":{"binary":"bf8="},"tags":{"{\\"binary\\":\\"/w==\\"}":{"binary":"/g=="}},"fields":{"s":{"string":{"binary":"/w=="}}}}',
    ]);
  });
  test.each([
    ["us", "7000"],
    ["ms", "7000000"],
    ["s", "7000000000"],
  ] as const)("precision %s: time 7 -> %s ns", async (precision, time) => {
    expect(await lines("m f=1 7", precision)).toEqual([`{"measurement":"m","tags":{},"fields":{"f":{"float":1}},"time":"${time}"}`]);
  });
  test("precision s: a time beyond int64 nanoseconds -> an error on its line", async () => {
    expect(await lines("m f=1 1\nm f=1 9223372037\nm f=1 -9223372036", "s")).toEqual([
      expect.stringContaining('"time":"1000000000"'),
      '{"error":"timestamp out of range","line":2,"column":1}',
      expect.stringContaining('"time":"-9223372036000000000"'),
    ]);
  });
});

describe("parse: streams", () => {
  test("a reader that is slow -> at most one piece waits, nothing is lost", async () => {
    let waiting = 0;
    let waitingMax = 0;
    let received = 0;
    const output = new Writable({
      highWaterMark: 1,
      write: (chunk: Buffer, _encoding, done) => {
        waiting = output.writableLength;
        waitingMax = Math.max(waitingMax, waiting);
        received += chunk.toString().split("\n").length - 1;
        setImmediate(done);
      },
    });
    const chunk = Buffer.from("m f=1 1\n".repeat(8192));
    await parse(Readable.from(Array.from({ length: 20 }, () => chunk)), output, "ns");
    expect(received).toBe(20 * 8192);
    expect(waitingMax).toBeLessThan(1_000_000);
    expect(output.listenerCount("drain") + output.listenerCount("close")).toBe(0);
  });
  test("a reader that leaves -> ends quietly", async () => {
    const output = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error("gone"), { code: "EPIPE" })) });
    await parse(Readable.from(Array.from({ length: 50 }, () => Buffer.from("m f=1 1\n".repeat(10_000)))), output, "ns");
    expect(output.destroyed).toBe(true);
  });
});
