// Remote write requests as any sender would make them: protobufjs and the messages of the specifications, none of our own code.
import protobuf from "protobufjs";

export interface SentSample {
  readonly value: number;
  readonly timestamp: number;
  /** 2.0: since when the counter counts. */
  readonly start?: number;
}

export interface SentSeries {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly SentSample[];
  /** The samples are staleness markers. */
  readonly stale?: boolean;
  /** 2.0: the start of all samples, as 2.0-rc.3 had it. */
  readonly created?: number;
  /** 2.0: of the metadata. */
  readonly type?: number;
  readonly histograms?: number;
  readonly exemplars?: number;
}

const { root } = protobuf.parse(`
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; repeated Metadata metadata = 3; }
  message Metadata { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
  message Label { string name = 1; string value = 2; }
  message Sample { fixed64 value = 1; int64 timestamp = 2; }
  message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
  message Histogram { uint64 count_int = 1; double sum = 3; int64 timestamp = 15; }
`);
const { root: root2 } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
  message TimeSeries {
    repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4;
    Metadata metadata = 5; int64 created_timestamp = 6;
  }
  message Sample { fixed64 value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
  message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
  message Histogram { uint64 count_int = 1; double sum = 3; int64 timestamp = 15; }
  message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
`);
const WriteRequest = root.lookupType("WriteRequest");
const Request = root2.lookupType("Request");

/** The bits of a value: a double field could not carry the marker's NaN. */
function bitsOf(value: number, stale: boolean): protobuf.Long | number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return stale ? new protobuf.util.Long(2, 0x7ff00000, true) : new protobuf.util.Long(view.getInt32(4), view.getInt32(0), true);
}

const times = <T>(count: number | undefined, value: T): T[] => new Array<T>(count ?? 0).fill(value);
const HISTOGRAM = { countInt: 3, sum: 4.5, timestamp: 1_763_870_000_000 };

/** A 1.0 request; the bytes before Snappy. */
export function encodeRequest(series: readonly SentSeries[]): Uint8Array {
  return WriteRequest.encode({
    timeseries: series.map(({ labels, samples, stale = false, histograms, exemplars }) => ({
      labels: labels.map(([name, value]) => ({ name, value })),
      samples: samples.map(({ value, timestamp }) => ({ value: bitsOf(value, stale), timestamp })),
      histograms: times(histograms, HISTOGRAM),
      exemplars: times(exemplars, { labels: [{ name: "trace_id", value: "1" }], value: 1, timestamp: 2 }),
    })),
    metadata: [{ type: 1, metricFamilyName: "cpu_x", help: "some help", unit: "" }],
  }).finish();
}

/** A 2.0 request; the bytes before Snappy. `refs` changes the label references of each series. */
export function encodeRequest2(series: readonly SentSeries[], refs: (refs: number[]) => number[] = (same) => same): Uint8Array {
  const symbols = new Map([["", 0]]);
  const ref = (text: string): number => {
    const known = symbols.get(text) ?? symbols.size;
    symbols.set(text, known);
    return known;
  };
  const timeseries = series.map(({ labels, samples, stale = false, created = 0, type, histograms, exemplars }) => ({
    labelsRefs: refs(labels.flatMap(([name, value]) => [ref(name), ref(value)])),
    samples: samples.map(({ value, timestamp, start = 0 }) => ({ value: bitsOf(value, stale), timestamp, startTimestamp: start })),
    histograms: times(histograms, HISTOGRAM),
    exemplars: times(exemplars, { labelsRefs: [ref("trace_id"), ref("1")], value: 1, timestamp: 2 }),
    ...(type === undefined ? {} : { metadata: { type, helpRef: ref("some help") } }),
    createdTimestamp: created,
  }));
  return Request.encode({ symbols: [...symbols.keys()], timeseries }).finish();
}
