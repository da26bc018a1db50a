// A remote-write endpoint for the comparison: takes every request at once, keeps the bytes, looks into them only afterwards.
// Both sides write to the same one, so neither is slowed by it more than the other. It never refuses, so it says nothing about retries.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Reader } from "protobufjs/minimal.js";
import { uncompress } from "snappyjs";

export interface Receiver {
  readonly url: string;
  /** The bodies received since the last take(), compressed as they came. */
  take(): Buffer[];
  close(): Promise<void>;
}

export interface ReceivedRow {
  readonly name: string;
  /** Without __name__, as `key="value",...`, sorted. */
  readonly labels: string;
  readonly value: number;
}

/** Listens on a free loopback port. */
export async function startReceiver(): Promise<Receiver> {
  let bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      bodies.push(Buffer.concat(parts));
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  // A TCP server's address is never a string (that is for pipes).
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api/v1/write`,
    take() {
      const taken = bodies;
      bodies = [];
      return taken;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
    },
  };
}

/** Every sample of a remote write 1.0 body (snappy block of a prometheus.WriteRequest). Throws on bytes that are none. */
export function rowsOfBody(body: Uint8Array): ReceivedRow[] {
  const reader = Reader.create(uncompress(body));
  const rows: ReceivedRow[] = [];
  eachField(reader, reader.len, (field) => {
    if (field === 1) rows.push(...timeSeries(reader, lengthEnd(reader)));
    else return false;
    return true;
  });
  return rows;
}

/** TimeSeries: labels = 1, samples = 2. */
function timeSeries(reader: Reader, end: number): ReceivedRow[] {
  let name = "";
  const labels: string[] = [];
  const values: number[] = [];
  eachField(reader, end, (field) => {
    if (field === 1) {
      const [key, value] = label(reader, lengthEnd(reader));
      if (key === "__name__") name = value;
      else labels.push(`${key}="${value}"`);
    } else if (field === 2) values.push(sampleValue(reader, lengthEnd(reader)));
    else return false;
    return true;
  });
  const joined = labels.sort().join(",");
  return values.map((value) => ({ name, labels: joined, value }));
}

/** Label: name = 1, value = 2. */
function label(reader: Reader, end: number): [key: string, value: string] {
  let key = "";
  let value = "";
  eachField(reader, end, (field) => {
    if (field === 1) key = reader.string();
    else if (field === 2) value = reader.string();
    else return false;
    return true;
  });
  return [key, value];
}

/** Sample: value = 1 (double, absent when 0), timestamp = 2. */
function sampleValue(reader: Reader, end: number): number {
  let value = 0;
  eachField(reader, end, (field) => {
    if (field !== 1) return false;
    value = reader.double();
    return true;
  });
  return value;
}

/** Calls `read` for each field up to `end`; skips the field when it returns false. */
function eachField(reader: Reader, end: number, read: (field: number) => boolean): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (!read(tag >>> 3)) reader.skipType(tag & 7);
  }
}

/** Reads a length prefix; returns where that many bytes end. */
function lengthEnd(reader: Reader): number {
  const length = reader.uint32();
  return reader.pos + length;
}
