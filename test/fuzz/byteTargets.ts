// Things machines send: remote write of both versions, Snappy, gzip, snapshots.
import { Engine } from "#limpet/aggregate/engine.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { SnapshotError } from "#limpet/aggregate/snapshotError.js";
import type { Rng } from "#limpet/base/rng.js";
import { compressSnappy, SnappyError, uncompressSnappy } from "#limpet/base/snappy.js";
import { xxh64 } from "#limpet/base/xxh64.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { unpack } from "#limpet/http/unpack.js";
import { decodeWriteRequest, WriteRequestError } from "#limpet/metric/remoteWriteDecode.js";
import { SeriesReader, type WriteVersion } from "#limpet/metric/seriesReader.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { corpus, type FuzzTarget, fixture, holds, same } from "./target.js";

const UNPACKED_MAX = 1 << 20;

function remoteWrite(version: WriteVersion): FuzzTarget {
  return {
    name: `remote-write-${version}`,
    seeds: corpus(`remote-write-${version}`),
    run(bytes) {
      const reader = new SeriesReader(bytes, version);
      let count = 0;
      let problems = 0;
      const found: unknown[] = [];
      for (; reader.next(); count++) {
        if (reader.problem !== "") problems++;
        else found.push(current(reader));
      }
      same("series", count, reader.seriesCount);
      if (version === "1.0" && reader.fault === undefined && problems === 0) same("without objects and with", found, decoded(bytes, found));
    },
  };
}

function current(reader: SeriesReader): unknown {
  const { samples, labelsLength } = reader;
  holds(`labels of ${String(labelsLength)} bytes`, labelsLength >= 0);
  const target = Buffer.alloc(Math.min(labelsLength, 1 << 20) + 16, 7);
  if (labelsLength <= 1 << 20) {
    reader.writeLabels(target, 8);
    holds("written within their place", target.subarray(0, 8).every((byte) => byte === 7) && target.subarray(-8).every((byte) => byte === 7));
  }
  const labels = labelsLength <= 1 << 20 ? reader.labels() : undefined;
  return { labels, samples: Array.from({ length: samples.count }, (_, i) => [samples.timestamps[i], samples.values[i], samples.stale[i]]) };
}

/** As the other decoder has it; series with damaged labels, which it refuses as a whole, are left out of the comparison. */
function decoded(bytes: Buffer, found: readonly unknown[]): unknown {
  try {
    return decodeWriteRequest(bytes).map(({ labels, samples }) => ({
      labels,
      samples: samples.map(({ timestamp, value, stale }) => [timestamp, value, Number(stale)]),
    }));
  } catch (error) {
    if (error instanceof WriteRequestError) return found;
    throw error;
  }
}

const snappy: FuzzTarget = {
  name: "snappy",
  seeds: corpus("snappy"),
  run(bytes) {
    same("packed and unpacked", Buffer.from(uncompressSnappy(compressSnappy(bytes), bytes.length)).toString("hex"), bytes.toString("hex"));
    try {
      const unpacked = uncompressSnappy(bytes, UNPACKED_MAX);
      holds(`${String(unpacked.length)} bytes`, unpacked.length <= UNPACKED_MAX);
    } catch (error) {
      if (!(error instanceof SnappyError)) throw error;
    }
  },
};

const gzip: FuzzTarget = {
  name: "gzip",
  seeds: corpus("gzip"),
  async run(bytes) {
    const result = await unpack(bytes, "gzip", UNPACKED_MAX);
    if (result.ok) holds(`${String(result.bytes.length)} bytes`, result.bytes.length <= UNPACKED_MAX);
    else holds(`status ${String(result.status)}`, result.status === 400 || result.status === 413);
  },
};

const outputs = await loadOutputs();
const NOW_MS = 1_700_000_000_000;
const RULES = `
- {name: counters, match: c, interval: 10s, by: [host], outputs: [total, rate_sum, increase]}
- {name: gauges, match: g, interval: 10s, by: [host], outputs: [avg, stddev, "quantiles(0.5, 0.9)", count_series, unique_samples, histogram_bucket]}
`;
const { rules } = readRules([{ name: "rules.yaml", text: RULES }], { outputs, env: {}, naming: "telegraf" });

function openEngine(): Engine {
  return new Engine({ rules, outputs, naming: "telegraf", startMs: NOW_MS, maxFutureMs: 60_000, memoryBytesMax: 64 << 20 });
}

function takenSnapshot(): Buffer {
  const engine = openEngine();
  for (let i = 0; i < 12; i++)
    engine.feed(NOW_MS, Buffer.from(`c,host=h${String(i % 3)} value=${String(i)}\ng,host=h${String(i % 2)} value=${String(i * 1.5 - 3)}\n`));
  const bytes = takeSnapshot(engine, WHOLE, { term: "1.2", number: 3 });
  engine.dispose();
  return Buffer.from(bytes);
}

const snapshot: FuzzTarget = {
  name: "snapshot",
  seeds: [fixture("snapshot-v1.bin"), takenSnapshot()],
  run(bytes, rng) {
    const engine = openEngine();
    try {
      restoreSnapshot(engine, sealed(bytes, rng));
      engine.step(NOW_MS + 3_600_000, { kind: "tick" });
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
    } finally {
      engine.dispose();
    }
  },
};

/** Mostly with a checksum that holds, so that what stands behind it is reached. */
function sealed(bytes: Buffer, rng: Rng): Buffer {
  if (bytes.length < 16 || rng.int(8) === 0) return bytes;
  Buffer.from("LIMPETS1").copy(bytes);
  bytes.writeBigUInt64LE(xxh64(bytes.subarray(16)), 8);
  return bytes;
}

export const byteTargets: readonly FuzzTarget[] = [remoteWrite("1.0"), remoteWrite("2.0"), snappy, gzip, snapshot];
