// Remote write in, from the bytes of a request to the Cells: a sample of a series that is known, one of a series that is new (hosts
// are new, names and groups are known), and unpacking. Requests hold the numbers of 300 lines, names made as Telegraf makes them.
import type { Engine } from "#limpet/aggregate/engine.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { compressSnappy, uncompressSnappy } from "#limpet/base/snappy.js";
import type { Bench } from "./bench.js";
import { linesOf, makeWorkload, stampTimes } from "./data.js";
import { writeRequest } from "./doors.js";
import { keptBySize } from "./frozenRows.js";
import { openEngine, START_MS } from "./openEngine.js";

const LINES_PER_REQUEST = 300;
/** CPU time is counted in ticks of some ms: one round is over too soon. */
const UNPACKED_ROUNDS = 10;
const GAUGES = "- { interval: 10s, by: [region, service], outputs: [sum_samples, count_samples, max, avg] }";
const COUNTERS = "- { interval: 10s, by: [region, service], outputs: [increase] }";

const requestsOf = keptBySize((lines: number) => {
  const workload = makeWorkload({ lines, series: lines, seed: 1, roundMs: 1000, fullPrecision: false, shuffle: false });
  stampTimes(workload, START_MS);
  const requests: Uint8Array[] = [];
  for (let line = 0; line < lines; line += LINES_PER_REQUEST)
    requests.push(writeRequest(linesOf(workload, line, Math.min(lines, line + LINES_PER_REQUEST)).toString("latin1")).slice());
  return requests;
});
const packedOf = keptBySize((lines: number) => requestsOf(lines).map((request) => ({ packed: compressSnappy(request), bytes: request.length })));

/** Samples of the requests. */
function apply(engine: Engine, requests: readonly Uint8Array[]): number {
  let samples = 0;
  for (const request of requests) {
    const document = new SeriesDocument(request, "1.0");
    while (!document.done) engine.step(START_MS + 2000, { kind: "document", document });
    if (document.invalid > 0) throw new Error(document.problem);
    samples += document.samples;
  }
  return samples;
}

function known(what: string, rules: string): Bench {
  const opened = keptBySize((lines: number) => {
    const engine = openEngine(rules);
    apply(engine, requestsOf(lines));
    return engine;
  });
  return {
    name: `remote write in: known series, ${what}`,
    run(scale) {
      const lines = Math.ceil(20_000 * scale);
      return { ops: apply(opened(lines), requestsOf(lines)), unit: "sample" };
    },
  };
}

function unknown(what: string, rules: string): Bench {
  return {
    name: `remote write in: new series, ${what}`,
    run(scale) {
      const engine = openEngine(rules);
      const ops = apply(engine, requestsOf(Math.ceil(10_000 * scale)));
      engine.dispose();
      return { ops, unit: "sample" };
    },
  };
}

export const knownGauges = known("gauges", GAUGES);
export const knownCounters = known("counters", COUNTERS);
export const newGauges = unknown("gauges", GAUGES);
export const newCounters = unknown("counters", COUNTERS);

export const unpacking: Bench = {
  name: "remote write in: uncompress",
  run(scale) {
    let ops = 0;
    for (let round = 0; round < UNPACKED_ROUNDS; round++) {
      for (const { packed, bytes } of packedOf(Math.ceil(20_000 * scale))) {
        if (uncompressSnappy(packed, 1 << 25).length !== bytes) throw new Error("bytes are missing");
        ops += bytes;
      }
    }
    return { ops, unit: "byte" };
  },
};
