// A receiver of remote write 2.0 as strict as its specification: it decodes with protobufjs and refuses what is not allowed there.
// Definitions: https://github.com/prometheus/prometheus/blob/main/prompb/io/prometheus/write/v2/types.proto
import type { RequestListener } from "node:http";
import protobuf from "protobufjs";
import { uncompressSnappy } from "#limpet/base/snappy.js";

export const requestType = protobuf
  .parse(`syntax = "proto3";
message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries {
  repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4;
  Metadata metadata = 5;
}
message Histogram {} message Exemplar {}
message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
message Metadata {
  enum MetricType { unknown = 0; counter = 1; gauge = 2; histogram = 3; gaugehistogram = 4; summary = 5; info = 6; stateset = 7; }
  MetricType type = 1; uint32 help_ref = 3; uint32 unit_ref = 4;
}`)
  .root.lookupType("Request");

export interface Row2 {
  readonly labels: readonly (readonly [string, string])[];
  readonly timestamp: number;
  readonly value: number;
  readonly startMs: number;
  readonly type: string;
}

/** The rows of a request. Throws on what the specification forbids. */
export function decodeRequest2(bytes: Uint8Array): Row2[] {
  const options = { longs: Number, enums: String, arrays: true, defaults: true } as const;
  // toObject has no type of its own; the options above make every field present.
  const { symbols, timeseries } = requestType.toObject(requestType.decode(bytes), options) as {
    symbols: string[];
    timeseries: {
      labelsRefs: number[];
      samples: { value: number; timestamp: number; startTimestamp: number }[];
      metadata: { type: string; helpRef: number; unitRef: number } | null;
    }[];
  };
  if (symbols[0] !== "") throw new Error("the first symbol is not the empty text");
  return timeseries.map(({ labelsRefs, samples, metadata }) => {
    if (labelsRefs.length % 2 !== 0) throw new Error("an odd number of label references");
    const texts = labelsRefs.map((ref) => {
      const symbol = symbols[ref];
      if (symbol === undefined || symbol === "") throw new Error(`reference ${ref} is no text`);
      return symbol;
    });
    const labels = Array.from({ length: texts.length / 2 }, (_, i): [string, string] => [texts[2 * i] ?? "", texts[2 * i + 1] ?? ""]);
    for (const [i, [name]] of labels.entries()) {
      if (i > 0 && Buffer.compare(Buffer.from(labels[i - 1]?.[0] ?? ""), Buffer.from(name)) >= 0) throw new Error("labels not sorted, or one twice");
    }
    const [sample] = samples;
    if (sample === undefined || samples.length !== 1) throw new Error(`${samples.length} samples`);
    return { labels, timestamp: sample.timestamp, value: sample.value, startMs: sample.startTimestamp, type: metadata?.type ?? "unknown" };
  });
}

/** Reads 2.0 and nothing else, and keeps the rows. */
export function receiver2(): { readonly listener: RequestListener; readonly rows: Row2[]; readonly refused: number[] } {
  const rows: Row2[] = [];
  const refused: number[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { headers } = request;
      const answer = (status: number, body = ""): void => {
        refused.push(status);
        response.writeHead(status).end(body);
      };
      if (headers["content-type"] !== "application/x-protobuf;proto=io.prometheus.write.v2.Request") return answer(415);
      if (headers["content-encoding"] !== "snappy" || headers["x-prometheus-remote-write-version"] !== "2.0.0") return answer(400, "headers");
      let found: Row2[];
      try {
        found = decodeRequest2(uncompressSnappy(Buffer.concat(chunks), 2 ** 24));
      } catch (error) {
        return answer(400, String(error));
      }
      rows.push(...found);
      const written = { samples: found.length, histograms: 0, exemplars: 0 };
      for (const [kind, count] of Object.entries(written)) response.setHeader(`X-Prometheus-Remote-Write-${kind}-Written`, count);
      response.writeHead(204).end();
    });
  };
  return { listener, rows, refused };
}
