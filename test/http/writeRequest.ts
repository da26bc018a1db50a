// Remote write requests as any sender would make them: protobufjs and the message of the specification, none of our own code.
import protobuf from "protobufjs";

export interface SentSeries {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
  /** The samples are staleness markers. */
  readonly stale?: boolean;
}

const { root } = protobuf.parse(`
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { fixed64 value = 1; int64 timestamp = 2; }
`);
const WriteRequest = root.lookupType("WriteRequest");

/** The bits of a value: a double field could not carry the marker's NaN. */
function bitsOf(value: number, stale: boolean): protobuf.Long | number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return stale ? new protobuf.util.Long(2, 0x7ff00000, true) : new protobuf.util.Long(view.getInt32(4), view.getInt32(0), true);
}

/** The bytes before Snappy. */
export function encodeRequest(series: readonly SentSeries[]): Uint8Array {
  return WriteRequest.encode({
    timeseries: series.map(({ labels, samples, stale = false }) => ({
      labels: labels.map(([name, value]) => ({ name, value })),
      samples: samples.map(({ value, timestamp }) => ({ value: bitsOf(value, stale), timestamp })),
    })),
  }).finish();
}
