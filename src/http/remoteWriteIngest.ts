// Prometheus remote write 1.0, the receiving side: its headers and its Snappy. A 2.0 message is told apart by its content type
// and refused with 415, at which senders fall back to 1.0.
// https://prometheus.io/docs/specs/prw/remote_write_spec/ and .../remote_write_spec_2_0/
import type { IncomingHttpHeaders } from "node:http";
import { SnappyError, uncompressSnappy } from "../base/snappy.js";
import { type HttpAnswer, textAnswer } from "./server.js";
import type { Unpacked } from "./unpack.js";

const PROTO_V1 = "prometheus.writerequest";

/** A refusal, before the body is asked for. */
export function checkWriteHeaders(headers: IncomingHttpHeaders): HttpAnswer | undefined {
  const [type = "", ...parameters] = (headers["content-type"] ?? "application/x-protobuf").toLowerCase().split(";");
  if (type.trim() !== "application/x-protobuf") return unsupported(`content-type ${type.trim()} is not taken; send application/x-protobuf`);
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.trim().split("=");
    const message = value.replaceAll('"', "");
    if (name === "proto" && message !== PROTO_V1) return unsupported(`${message} is not taken; send remote write 1.0 (prometheus.WriteRequest)`);
  }
  const encoding = (headers["content-encoding"] ?? "snappy").trim().toLowerCase();
  return encoding === "snappy" ? undefined : unsupported(`content-encoding ${encoding} is not taken; send snappy (block format)`);
}

function unsupported(message: string): HttpAnswer {
  return { ...textAnswer(415, `${message}\n`), headers: { accept: "application/x-protobuf;proto=prometheus.WriteRequest" } };
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
