// Remote write 1.0, reading: the WriteRequest message (after Snappy) to series with labels and samples. Small and bounded, for
// the embedded receiver and for tests; what it does not know (metadata, exemplars, histograms) it skips. Ingest reads the same
// bytes without making objects (seriesReader.ts).
// https://prometheus.io/docs/specs/prw/remote_write_spec/
import { ProtoReader } from "./protoReader.js";

export interface DecodedSample {
  /** ms since the epoch. */
  readonly timestamp: number;
  readonly value: number;
  /** The staleness marker: NaN bits 0x7ff0000000000002, which a JavaScript number does not keep apart. */
  readonly stale: boolean;
}

export interface DecodedSeries {
  /** As sent: with __name__, in the sender's order. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly DecodedSample[];
}

/** The bytes are no WriteRequest. */
export class WriteRequestError extends Error {
  readonly code = "write_request";
}

/** All series of a WriteRequest, in the sender's order. Throws WriteRequestError. Nothing returned points into `bytes`. */
export function decodeWriteRequest(bytes: Uint8Array): DecodedSeries[] {
  const reader = new ProtoReader(bytes);
  const series: DecodedSeries[] = [];
  while (reader.next(bytes.length)) if (reader.tag === 0x0a) series.push(decodeSeries(reader));
  if (reader.fault !== "") throw new WriteRequestError(`not a WriteRequest: ${reader.fault}`);
  return series;
}

function decodeSeries(reader: ProtoReader): DecodedSeries {
  const { start, stop } = reader;
  const labels: [string, string][] = [];
  const samples: DecodedSample[] = [];
  reader.at = start;
  while (reader.next(stop)) {
    if (reader.tag === 0x0a) labels.push(decodeLabel(reader));
    else if (reader.tag === 0x12) samples.push(decodeSample(reader));
  }
  return { labels, samples };
}

/** Name and value of the label message the reader stands at; it then stands behind it. */
export function decodeLabel(reader: ProtoReader): [string, string] {
  const { start, stop } = reader;
  let name = "";
  let value = "";
  reader.at = start;
  while (reader.next(stop)) {
    if (reader.tag === 0x0a) name = reader.text();
    else if (reader.tag === 0x12) value = reader.text();
  }
  return [name, value];
}

function decodeSample(reader: ProtoReader): DecodedSample {
  const { start, stop } = reader;
  let value = 0;
  let timestamp = 0;
  let stale = false;
  reader.at = start;
  while (reader.next(stop)) {
    if (reader.tag === 0x09) {
      value = reader.double();
      stale = reader.isStale();
    } else if (reader.tag === 0x10) timestamp = reader.varint;
  }
  return { timestamp, value, stale };
}
