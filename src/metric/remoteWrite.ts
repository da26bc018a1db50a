// Remote write 1.0, writing: frozen rows to the bytes of a prometheus.WriteRequest, without strings and without objects per row.
// https://prometheus.io/docs/specs/prw/remote_write_spec/
//
//   WriteRequest { repeated TimeSeries timeseries = 1 }
//   TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2 }      one sample each: a row
//   Label        { string name = 1; string value = 2 }      Sample { double value = 1; int64 timestamp = 2 }
//
// Two passes over a row's labels: the first adds up the lengths that protobuf puts in front, the second copies. Label bytes are
// copied as they are, so are the eight bytes of the value: every NaN keeps its bits, the staleness marker above all. Rows are
// not checked here (rowLabels.ts); start timestamps have no place in 1.0. Cost: bench/remoteWrite.bench.ts.

import { int64Bytes, nestedBytes, ProtoWriter } from "./protoWriter.js";
import { labelCountOf } from "./rowBlock.js";

export class WriteRequestEncoder {
  readonly #out = new ProtoWriter();
  /** The block of the last row, and a view on it. */
  #block: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#block.buffer);

  get byteLength(): number {
    return this.#out.length;
  }

  /** Starts the next request. The buffer is kept. */
  reset(): void {
    this.#out.reset();
  }

  /** What was added since reset(). A view: the next reset() and add() write over it. */
  bytes(): Uint8Array {
    return this.#out.written();
  }

  /** Appends the row that starts at `rowStart` of a RowBlock's bytes. */
  add(block: Uint8Array, rowStart: number): void {
    if (block !== this.#block) {
      this.#block = block;
      this.#view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    }
    const out = this.#out;
    const view = this.#view;
    const labelCount = labelCountOf(view.getUint16(rowStart, true));
    let end = rowStart + 2;
    let seriesBytes = 0;
    for (let i = 0; i < labelCount; i++) {
      const nameBytes = view.getUint16(end, true);
      const valueBytes = view.getUint32(end + 2 + nameBytes, true);
      seriesBytes += nestedBytes(nestedBytes(nameBytes) + nestedBytes(valueBytes));
      end += 6 + nameBytes + valueBytes;
    }
    const timestampMs = view.getFloat64(end, true);
    const sampleBytes = 10 + int64Bytes(timestampMs);
    seriesBytes += nestedBytes(sampleBytes);
    out.reserve(nestedBytes(seriesBytes));

    out.tagged(0x0a, seriesBytes);
    let at = rowStart + 2;
    for (let i = 0; i < labelCount; i++) {
      const nameBytes = view.getUint16(at, true);
      const valueBytes = view.getUint32(at + 2 + nameBytes, true);
      out.tagged(0x0a, nestedBytes(nameBytes) + nestedBytes(valueBytes));
      out.tagged(0x0a, nameBytes);
      out.copy(block, at + 2, nameBytes);
      out.tagged(0x12, valueBytes);
      out.copy(block, at + 6 + nameBytes, valueBytes);
      at += 6 + nameBytes + valueBytes;
    }
    out.tagged(0x12, sampleBytes);
    out.byte(0x09);
    out.copy(block, at + 8, 8);
    out.byte(0x10);
    out.int64(timestampMs);
  }
}
