// `limpet parse`: line protocol on stdin, one JSON object per point or error on stdout (CONTRACT `parse`). For people who ask "how
// does it read this?", and for checks from outside. Constant memory: the stream's line bound plus one chunk of output.

import { Buffer, isUtf8 } from "node:buffer";
import type { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import type { FieldValue, Point } from "../../metric/lineDecoder.js";
import { isInt64 } from "../../metric/lineNumber.js";
import { LineStream } from "../../metric/lineStream.js";
import { decodeUtf8 } from "../../metric/utf8.js";
import { option } from "../options.js";

export type Precision = "ns" | "us" | "ms" | "s";

const NS_PER: Readonly<Record<Precision, bigint>> = { ns: 1n, us: 1_000n, ms: 1_000_000n, s: 1_000_000_000n };
/** Output is handed on in pieces of about this size, inside one input chunk too. */
const WRITE_CHARS = 65536;

interface Options {
  readonly precision: Precision;
}

/** Adds `parse` to the program. */
export function registerParse(program: Command): void {
  program
    .command("parse")
    .description("read line protocol on stdin, write one JSON object per point or error")
    .addOption(option("--precision <unit>", "unit of the timestamps read").choices(Object.keys(NS_PER)).default("ns"))
    .action(async (_options: unknown, command: Command) => {
      await parse(process.stdin, process.stdout, command.opts<Options>().precision);
    });
}

/** Reads `input` to its end. A reader that has gone away (EPIPE) ends it quietly: there is nobody left to tell. */
export async function parse(input: Readable, output: Writable, precision: Precision): Promise<void> {
  let gone = false;
  output.once("error", () => {
    gone = true;
  });
  let text = "";
  let line = 1;
  const stream = new LineStream({
    point: (point, _bytes, at) => {
      line = at;
      text += `${pointJson(point, precision, line)}\n`;
    },
    error: (error) => {
      text += `${errorJson(error.message, error.line, error.column)}\n`;
    },
  });
  // The reader may go away (`| head`) while this function waits, which the compiler cannot see.
  const isGone = (): boolean => gone;
  const hand = async (): Promise<void> => {
    const piece = text;
    text = "";
    if (piece !== "" && !isGone() && !output.write(piece)) await drained(output);
  };
  for await (const chunk of input) {
    // A stream without an encoding gives Buffers.
    const bytes = chunk as Buffer;
    for (let at = 0; at < bytes.length && !isGone(); at += WRITE_CHARS) {
      stream.write(bytes.subarray(at, at + WRITE_CHARS));
      await hand();
    }
    if (isGone()) return;
  }
  stream.end();
  await hand();
}

// Resolves when output takes more, or never will. Both listeners go together: a race of two once() would leave one behind each time.
function drained(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      output.off("drain", done).off("close", done);
      resolve();
    };
    output.on("drain", done).on("close", done);
  });
}

/** A point as CONTRACT `parse` fixes it, or the error when its time does not fit int64 nanoseconds. */
export function pointJson(point: Point, precision: Precision, line: number): string {
  const time = point.time === undefined ? undefined : point.time * NS_PER[precision];
  if (time !== undefined && !isInt64(time)) return errorJson("timestamp out of range", line, 1);
  const tags = point.tags.map(({ key, value }) => `${keyJson(key)}:${textJson(value)}`);
  const fields = point.fields.map(({ key, value }) => `${keyJson(key)}:{"${value.kind}":${valueJson(value)}}`);
  const tail = time === undefined ? "" : `,"time":"${String(time)}"`;
  return `{"measurement":${textJson(point.measurement)},"tags":{${tags.join(",")}},"fields":{${fields.join(",")}}${tail}}`;
}

function errorJson(error: string, line: number, column: number): string {
  return JSON.stringify({ error, line, column });
}

function textJson(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return JSON.stringify(decodeUtf8(bytes).text);
  return `{"binary":"${Buffer.from(bytes).toString("base64")}"}`;
}

// JSON has only text for keys: one that is not UTF-8 is the JSON text of its binary form.
function keyJson(bytes: Uint8Array): string {
  return isUtf8(bytes) ? textJson(bytes) : JSON.stringify(textJson(bytes));
}

function valueJson(value: FieldValue): string {
  switch (value.kind) {
    // Shortest digits that read back as the same double, except the sign of zero, which JSON.stringify does not write.
    case "float":
      return JSON.stringify(value.value);
    case "bool":
      return String(value.value);
    case "string":
      return textJson(value.value);
    default:
      return `"${String(value.value)}"`;
  }
}
