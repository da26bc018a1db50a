// Prometheus remote write 1.0 and 2.0, the receiving side: headers, Snappy, and the answer.
//
//   all good                          204
//   series that cannot be among them  400, the good ones applied: senders must not repeat it, and do not. Telegraf's outputs.http
//                                     repeats every refusal without end, and each time the good ones would count again: 204
//   no such message                   400, nothing applied      over the bound 413      another type or encoding 415
//
// A 2.0 answer says how much was taken. A sender that reads zeroes beside 204 takes us for a 1.0 receiver that understood nothing.
// https://prometheus.io/docs/specs/prw/remote_write_spec/ and .../remote_write_spec_2_0/
import type { IncomingHttpHeaders } from "node:http";
import type { SeriesDocument } from "../aggregate/seriesDocument.js";
import { SnappyError, uncompressSnappy } from "../base/snappy.js";
import type { WriteVersion } from "../metric/seriesReader.js";
import { type HttpAnswer, textAnswer } from "./server.js";
import type { Unpacked } from "./unpack.js";

const MESSAGES = { "1.0": "prometheus.WriteRequest", "2.0": "io.prometheus.write.v2.Request" } as const;
const VERSIONS: ReadonlyMap<string, WriteVersion> = new Map([
  [MESSAGES["1.0"].toLowerCase(), "1.0"],
  [MESSAGES["2.0"].toLowerCase(), "2.0"],
]);

export type WriteHead = { readonly ok: true; readonly version: WriteVersion } | { readonly ok: false; readonly answer: HttpAnswer };

/** What the headers say of the body. */
export function readWriteHead(headers: IncomingHttpHeaders): WriteHead {
  const [type = "", ...parameters] = (headers["content-type"] ?? "application/x-protobuf").toLowerCase().split(";");
  if (type.trim() !== "application/x-protobuf") return unsupported(`content-type ${type.trim()} is not taken; send application/x-protobuf`);
  let version: WriteVersion = "1.0";
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=").map((part) => part.trim());
    if (name !== "proto") continue;
    const message = value.replaceAll('"', "");
    const named = VERSIONS.get(message);
    if (named === undefined) return unsupported(`message ${message} is not taken; send ${MESSAGES["2.0"]} or ${MESSAGES["1.0"]}`);
    version = named;
  }
  const encoding = (headers["content-encoding"] ?? "snappy").trim().toLowerCase();
  return encoding === "snappy" ? { ok: true, version } : unsupported(`content-encoding ${encoding} is not taken; send snappy (block format)`);
}

function unsupported(message: string): WriteHead {
  const accept = Object.values(MESSAGES).map((name) => `application/x-protobuf;proto=${name}`);
  return { ok: false, answer: { ...textAnswer(415, `${message}\n`), headers: { accept: accept.join(", ") } } };
}

/** The message of a body, at most `bytesMax` bytes. */
export function unpackWriteRequest(body: Buffer, bytesMax: number): Unpacked {
  try {
    const { buffer, byteOffset, byteLength } = uncompressSnappy(body, bytesMax);
    return { ok: true, bytes: Buffer.from(buffer, byteOffset, byteLength) };
  } catch (error) {
    if (!(error instanceof SnappyError)) throw error;
    return { ok: false, status: error.tooLarge ? 413 : 400, message: error.message };
  }
}

/** What is wrong with a document that was read; undefined when nothing is. */
export function problemOf({ reader, invalid, problem }: SeriesDocument): string | undefined {
  if (reader.fault !== undefined) return reader.fault;
  return invalid === 0 ? undefined : `${String(invalid)} of ${String(reader.seriesCount)} series cannot be taken; ${problem ?? ""}`;
}

/** The answer to a document that was read. */
export function writeAnswer(document: SeriesDocument, version: WriteVersion, headers: IncomingHttpHeaders): HttpAnswer {
  const problem = problemOf(document);
  const written = version === "1.0" ? {} : writtenHeaders(document.samples);
  if (problem === undefined) return { status: 204, contentType: "", body: "", headers: written };
  if (document.reader.fault !== undefined) return { ...textAnswer(400, `${problem}\n`), headers: written };
  const all = { ...written, "limpet-series-invalid": String(document.invalid) };
  const repeats = /^Telegraf\//.test(headers["user-agent"] ?? "");
  return repeats ? { status: 204, contentType: "", body: "", headers: all } : { ...textAnswer(400, `${problem}\n`), headers: all };
}

/** Histograms and exemplars are not kept. */
function writtenHeaders(samples: number): Readonly<Record<string, string>> {
  return {
    "x-prometheus-remote-write-samples-written": String(samples),
    "x-prometheus-remote-write-histograms-written": "0",
    "x-prometheus-remote-write-exemplars-written": "0",
  };
}
