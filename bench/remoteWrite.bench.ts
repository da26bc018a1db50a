// The way of a row out: frozen, encoded as a WriteRequest, compressed. A flush of 100k rows pays each of them once per row.
import { compressSnappy } from "#limpet/base/snappy.js";
import { WriteRequestEncoder } from "#limpet/metric/remoteWrite.js";
import { WriteRequestEncoder2 } from "#limpet/metric/remoteWrite2.js";
import { RowReader } from "#limpet/metric/rowBlock.js";
import type { Bench } from "./bench.js";
import { frozenRows, identities, keptBySize } from "./frozenRows.js";

const ROWS_PER_REQUEST = 5000;
const groupsOf = keptBySize(identities);
const blockOf = keptBySize((groups) => frozenRows(groupsOf(groups)));

type Encoder = Pick<WriteRequestEncoder, "add" | "bytes" | "reset">;

/** Encodes a block request by request; `send` gets each request's bytes. Returns the rows. */
function encode(block: Uint8Array, send: (request: Uint8Array) => void, encoder: Encoder = new WriteRequestEncoder()): number {
  const reader = new RowReader(block);
  let rows = 0;
  while (reader.next()) {
    encoder.add(block, reader.rowStart);
    rows++;
    if (rows % ROWS_PER_REQUEST !== 0) continue;
    send(encoder.bytes());
    encoder.reset();
  }
  send(encoder.bytes());
  return rows;
}

const requestsOf = keptBySize((groups) => {
  const requests: Uint8Array[] = [];
  const rows = encode(blockOf(groups), (request) => requests.push(request.slice()));
  return { requests, rows };
});

export const freezeRows: Bench = {
  name: "rowWriter: freeze rows",
  run(scale) {
    const groups = groupsOf(Math.ceil(20_000 * scale));
    if (frozenRows(groups).length < groups.length * 400) throw new Error("rows are missing");
    return { ops: groups.length * 4, unit: "row" };
  },
};

export const encodeRows: Bench = {
  name: "remoteWrite: encode rows",
  run(scale) {
    let bytes = 0;
    const ops = encode(blockOf(Math.ceil(25_000 * scale)), (request) => (bytes += request.length));
    if (bytes < ops * 100) throw new Error(`${String(ops)} rows made ${String(bytes)} bytes`);
    return { ops, unit: "row" };
  },
};

export const encodeRows2: Bench = {
  name: "remoteWrite2: encode rows",
  run(scale) {
    let bytes = 0;
    const ops = encode(blockOf(Math.ceil(25_000 * scale)), (request) => (bytes += request.length), new WriteRequestEncoder2());
    if (bytes < ops * 30) throw new Error(`${String(ops)} rows made ${String(bytes)} bytes`);
    return { ops, unit: "row" };
  },
};

export const compressRows: Bench = {
  name: "snappy: compress encoded rows",
  run(scale) {
    const { requests, rows } = requestsOf(Math.ceil(25_000 * scale));
    let bytes = 0;
    for (const request of requests) bytes += compressSnappy(request).length;
    if (bytes === 0) throw new Error("nothing came out");
    return { ops: rows, unit: "row" };
  },
};
