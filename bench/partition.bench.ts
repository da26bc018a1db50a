// partition: ns per line, or sample by remote write, from a document to the lanes' bodies, series known. 20 owners with 50 slices each; a line of R1 has four
// fields in the groups of one service, of R7 in those of three rules.
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { Partition } from "#limpet/aggregate/partition.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { Bench } from "./bench.js";
import { linesOf, makeWorkload, stampTimes } from "./data.js";
import { writeRequest } from "./doors.js";
import { keptBySize } from "./frozenRows.js";
import { START_MS } from "./openEngine.js";
import { type RuleSet, ruleFile } from "./rules.js";

const OWNERS = 20;
const SLICES = 1000;
const outputs = await loadOutputs();

function openPartition(set: RuleSet): Partition {
  const { rules } = readRules([{ name: "bench.yaml", text: ruleFile(set, "limpet", "10s", "10s") }], { outputs, env: {}, naming: "telegraf" });
  const partition = new Partition({ rules, outputs, naming: "telegraf", memoryBytesMax: 1 << 30, holdMs: 60_000 });
  const lows = Uint32Array.from({ length: SLICES }, (_, i) => Math.floor((i * KEY_END) / SLICES));
  partition.divide({ lows, numbers: Int32Array.from({ length: SLICES }, (_, i) => (i * 7) % OWNERS) }, OWNERS);
  return partition;
}

/** Reads all of it; returns the bytes for all lanes. */
function readAll(partition: Partition, document: LineDocument | SeriesDocument): number {
  let taken = 0;
  while (!document.done) {
    partition.read(START_MS, document);
    for (const { body } of partition.take()) taken += body.length;
  }
  return taken;
}

function lineBench(set: RuleSet): Bench {
  const prepared = keptBySize((lines) => {
    const workload = makeWorkload({ lines, series: 20_000, seed: 1, roundMs: 10_000, fullPrecision: false, shuffle: false });
    stampTimes(workload, START_MS);
    const partition = openPartition(set);
    readAll(partition, new LineDocument(workload.bytes));
    return { partition, workload };
  });
  return {
    name: `partition: ${set}`,
    run(scale) {
      const { partition, workload } = prepared(Math.max(1000, Math.ceil(200_000 * scale)));
      if (readAll(partition, new LineDocument(workload.bytes)) < workload.bytes.length / 2) throw new Error("lines are missing");
      return { ops: workload.lineEnds.length, unit: "line of 193 bytes" };
    },
  };
}

/** Requests of 300 lines' numbers. */
function seriesBench(set: RuleSet): Bench {
  const prepared = keptBySize((lines) => {
    const workload = makeWorkload({ lines, series: lines, seed: 1, roundMs: 10_000, fullPrecision: false, shuffle: false });
    stampTimes(workload, START_MS);
    const partition = openPartition(set);
    const requests: Uint8Array[] = [];
    for (let line = 0; line < lines; line += 300)
      requests.push(writeRequest(linesOf(workload, line, Math.min(lines, line + 300)).toString("latin1")).slice());
    for (const request of requests) readAll(partition, new SeriesDocument(request, "1.0"));
    return { partition, requests };
  });
  return {
    name: `partition: ${set}, remote write`,
    run(scale) {
      const { partition, requests } = prepared(Math.max(300, Math.ceil(20_000 * scale)));
      let ops = 0;
      for (const request of requests) {
        const document = new SeriesDocument(request, "1.0");
        if (readAll(partition, document) < request.length) throw new Error("series are missing");
        ops += document.samples;
      }
      return { ops, unit: "sample" };
    },
  };
}

export const series = seriesBench("R1");
export const simple = lineBench("R1");
export const many = lineBench("R7");
