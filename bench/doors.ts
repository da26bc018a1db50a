// How lines come to a side of the comparison, and the bodies of its posts.
//
//   pipe     Limpet by standard input, as Telegraf's execd gives it; vmagent, which has none, by `http`
//   http     both by posts of 2000 lines on 2 connections: vmagent's best batch
//   gzip     the same, compressed (the bodies are made before the clock starts)
//   fleet    230 lines per post, what one Telegraf collects, over 1000 connections
//   remote   Prometheus remote write: the numbers of 300 lines per request, names made as Telegraf makes them
import { constants, gzipSync } from "node:zlib";
import { Writer } from "protobufjs/minimal.js";
import { compressSnappy } from "#limpet/base/snappy.js";
import { linesOf, type Workload } from "./data.js";

export const DOORS = ["pipe", "http", "gzip", "fleet", "remote"] as const;
export type Door = (typeof DOORS)[number];

export interface Posts {
  readonly path: string;
  readonly connections: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Bodies of lines [from, to), in order. */
  bodies(workload: Workload, from: number, to: number): Buffer[];
}

const LEVEL = { level: constants.Z_BEST_SPEED };

/** What a door's sender does. `pipe`: what vmagent gets. */
export function postsOf(door: Door): Posts {
  const plain = { path: "/write", connections: 2, headers: {}, bodies: inPieces(2000, (bytes) => bytes) };
  if (door === "gzip") return { ...plain, headers: { "content-encoding": "gzip" }, bodies: inPieces(2000, (bytes) => gzipSync(bytes, LEVEL)) };
  if (door === "fleet") return { ...plain, connections: 1000, bodies: inPieces(230, (bytes) => bytes) };
  if (door !== "remote") return plain;
  return {
    path: "/api/v1/write",
    connections: 2,
    headers: { "content-encoding": "snappy", "content-type": "application/x-protobuf", "x-prometheus-remote-write-version": "0.1.0" },
    bodies: inPieces(300, (bytes) => Buffer.from(compressSnappy(writeRequest(bytes.toString("latin1"))))),
  };
}

function inPieces(lines: number, make: (bytes: Buffer) => Buffer): Posts["bodies"] {
  return (workload, from, to) => {
    const bodies: Buffer[] = [];
    for (let line = from; line < to; line += lines) bodies.push(make(linesOf(workload, line, Math.min(line + lines, to))));
    return bodies;
  };
}

const FIELD = /([^=,]+)=("(?:[^"\\]|\\.)*"|[^,]*)/g;

/** The numbers of the workload's lines as a prometheus.WriteRequest: a series with one sample each. Strings are left out. */
export function writeRequest(text: string): Uint8Array {
  const request = Writer.create();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, key = "", fields = "", ns = ""] = /^((?:\\ |[^ ])+) (.*) (\d+)$/.exec(line) ?? [];
    const [measurement = "", ...tags] = key.split(",");
    const labels = tags.map((tag): [string, string] => [tag.slice(0, tag.indexOf("=")), tag.slice(tag.indexOf("=") + 1)]);
    for (const [, field = "", value = ""] of fields.matchAll(FIELD)) {
      if (value.startsWith('"')) continue;
      const name = `${measurement.replace("\\ ", "_")}_${field}`;
      const sorted = [...labels, ["__name__", name] as const].sort(([a], [b]) => (a < b ? -1 : 1));
      const series = request.uint32(0x0a).fork();
      for (const [label, of] of sorted) series.uint32(0x0a).fork().uint32(0x0a).string(label).uint32(0x12).string(of).ldelim();
      const number = value === "true" ? 1 : value === "false" ? 0 : Number.parseFloat(value);
      series
        .uint32(0x12)
        .fork()
        .uint32(0x09)
        .double(number)
        .uint32(0x10)
        .int64(Number(ns.slice(0, 13)))
        .ldelim();
      request.ldelim();
    }
  }
  return request.finish();
}
