// Remote write 2.0, writing: frozen rows to the bytes of an io.prometheus.write.v2.Request, without strings and without objects
// per row. https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
//
//   Request    { repeated string symbols = 4; repeated TimeSeries timeseries = 5 }
//   TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; Metadata metadata = 5 }   one sample each: a row
//   Sample     { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3 }      Metadata { MetricType type = 1 }
//
// The start timestamp stands in the sample, as since 2.0-rc.4; older texts had it in field 6 of TimeSeries, which receivers
// ignore. Rows are not checked here (rowLabels.ts). Cost: bench/remoteWrite.bench.ts.
import { int64Bytes, nestedBytes, ProtoWriter, varintBytes } from "./protoWriter.js";
import { labelCountOf, typeNumberOf } from "./rowBlock.js";
import { SymbolWriter } from "./symbolWriter.js";

export class WriteRequestEncoder2 {
  readonly #series = new ProtoWriter();
  readonly #symbols = new SymbolWriter();
  /** Symbols of the row being added: name, value, name, ... */
  #refs = new Uint32Array(64);
  /** The block of the last row, and a view on it. */
  #block: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#block.buffer);

  /** Starts the next request. Buffers are kept. */
  reset(): void {
    this.#series.reset();
    this.#symbols.reset();
  }

  /** The request so far, a new buffer. */
  bytes(): Uint8Array {
    return Buffer.concat([this.#symbols.written(), this.#series.written()]);
  }

  /** Appends the row that starts at `rowStart` of a RowBlock's bytes. */
  add(block: Uint8Array, rowStart: number): void {
    if (block !== this.#block) {
      this.#block = block;
      this.#view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    }
    const view = this.#view;
    const head = view.getUint16(rowStart, true);
    const refs = 2 * labelCountOf(head);
    const end = this.#findRefs(block, rowStart + 2, refs);
    let refsBytes = 0;
    for (let i = 0; i < refs; i++) refsBytes += varintBytes(this.#refs[i] ?? 0);
    const timestampMs = view.getFloat64(end, true);
    const startMs = view.getFloat64(end + 16, true);
    const type = typeNumberOf(head);
    const sampleBytes = 10 + int64Bytes(timestampMs) + (startMs === 0 ? 0 : 1 + int64Bytes(startMs));
    const seriesBytes = nestedBytes(refsBytes) + nestedBytes(sampleBytes) + (type === 0 ? 0 : nestedBytes(2));

    const out = this.#series;
    out.reserve(nestedBytes(seriesBytes));
    out.tagged(0x2a, seriesBytes);
    out.tagged(0x0a, refsBytes);
    for (let i = 0; i < refs; i++) out.varint(this.#refs[i] ?? 0);
    out.tagged(0x12, sampleBytes);
    out.byte(0x09);
    out.copy(block, end + 8, 8);
    out.byte(0x10);
    out.int64(timestampMs);
    if (startMs !== 0) {
      out.byte(0x18);
      out.int64(startMs);
    }
    if (type === 0) return;
    // MetricType counts as rowTypes does.
    out.tagged(0x2a, 2);
    out.byte(0x08);
    out.byte(type);
  }

  /** Looks the row's labels up; returns where they end. */
  #findRefs(block: Uint8Array, from: number, refs: number): number {
    const view = this.#view;
    if (refs > this.#refs.length) this.#refs = new Uint32Array(2 * refs);
    let at = from;
    for (let i = 0; i < refs; i += 2) {
      const nameBytes = view.getUint16(at, true);
      this.#refs[i] = this.#symbols.of(block, at + 2, nameBytes);
      at += 2 + nameBytes;
      const valueBytes = view.getUint32(at, true);
      this.#refs[i + 1] = this.#symbols.of(block, at + 4, valueBytes);
      at += 4 + valueBytes;
    }
    return at;
  }
}
