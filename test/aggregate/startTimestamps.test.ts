// Start timestamps of remote write 2.0 (DESIGN 4): what they tell of first samples and resets, as a table, and against a naive
// model on random counters. Times are seconds after the start of the engine, whose state is complete from then on.
import { afterEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Engine } from "#limpet/aggregate/engine.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { rowsOf } from "#limpet/metric/rowBlock.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { encodeRequest2, type SentSample } from "../http/writeRequest.js";
import { disposeEngines, openEngine } from "./openEngine.js";

const BEGIN_MS = 1_763_870_000_000;
const MEMORY_S = 100;
type Sent = readonly [second: number, value: number, start?: number];

afterEach(disposeEngines);

function open(rest = ""): Engine {
  const yaml = `- {match: m, interval: 10s, by: [a], outputs: [total, increase_prometheus], series_memory: ${String(MEMORY_S)}s, staleness_interval: 1d${rest}}\n`;
  return openEngine(yaml, { startMs: BEGIN_MS, maxFutureMs: 1e9 });
}

function send(engine: Engine, ...sent: readonly Sent[]): void {
  const samples = sent.map(([second, value, start]): SentSample => {
    const timestamp = BEGIN_MS + second * 1000;
    return start === undefined ? { timestamp, value } : { timestamp, value, start: BEGIN_MS + start * 1000 };
  });
  const document = new SeriesDocument(
    encodeRequest2([
      {
        labels: [
          ["__name__", "m"],
          ["a", "1"],
        ],
        samples,
      },
    ]),
    "2.0",
  );
  while (!document.done) engine.step(BEGIN_MS + 1, { kind: "document", document });
}

/** The last value of an output. */
function last(engine: Engine, output: "total" | "increase_prometheus"): number | undefined {
  let value: number | undefined;
  for (const action of engine.step(BEGIN_MS + 10_000_000, { kind: "finish" }))
    if (action.kind === "rows") for (const row of rowsOf(action.block)) if (row.name.endsWith(`_${output}`)) value = row.value;
  return value;
}

describe("start timestamps", () => {
  const cases: readonly (readonly [what: string, rest: string, sent: readonly Sent[], total: number])[] = [
    ["none -> the first sample is a baseline, as nobody knows what it contains", "", [[5, 7]], 0],
    ["later than the engine's start -> the first sample counts at once", "", [[5, 7, 2]], 7],
    ["at the engine's start -> counts", "", [[5, 7, 0]], 7],
    ["earlier than the engine's start -> a baseline", "", [[5, 7, -1]], 0],
    ["earlier, though the series is new to a slice that is complete for long -> still a baseline", "", [[500, 7, -1]], 0],
    ["none, the slice is complete for long -> counts", "", [[500, 7]], 7],
    ["equal to the sample's time, as senders say that do not know it -> no evidence", "", [[5, 7, 5]], 0],
    ["after the sample's time -> no evidence", "", [[5, 7, 6]], 0],
    ["first_sample: baseline -> stays a baseline", ", first_sample: baseline", [[5, 7, 2]], 0],
    ["first_sample: zero -> counts, whatever the start says", ", first_sample: zero", [[5, 7, -1]], 7],
    [
      "the same for all samples -> differences",
      "",
      [
        [5, 7, 2],
        [6, 9, 2],
        [7, 12, 2],
      ],
      12,
    ],
    [
      "later than the last sample -> a reset, though the value did not fall",
      "",
      [
        [5, 7, 2],
        [8, 9, 6],
      ],
      16,
    ],
    [
      "at the last sample's time -> the same counter, as OpenTelemetry's unknown start has it",
      "",
      [
        [5, 7, 5],
        [8, 9, 5],
      ],
      2,
    ],
    [
      "the same, but the value fell -> a reset all the same",
      "",
      [
        [5, 7, 2],
        [8, 3, 2],
      ],
      10,
    ],
    [
      "expired series comes back, started since -> counts",
      "",
      [
        [5, 7, 2],
        [150, 9, 140],
      ],
      16,
    ],
    [
      "expired series comes back, started before -> a baseline",
      "",
      [
        [5, 7, 2],
        [150, 9, 2],
      ],
      7,
    ],
    [
      "long forgotten series comes back, started before -> a baseline",
      "",
      [
        [5, 7, 2],
        [900, 9, 2],
      ],
      7,
    ],
    [
      "older sample that was overtaken -> superseded",
      "",
      [
        [8, 9, 2],
        [5, 7, 2],
      ],
      9,
    ],
    [
      "delta temporality -> of no interest",
      ", temporality: delta, outputs: [total]",
      [
        [5, 7, 2],
        [6, 9, 5],
      ],
      16,
    ],
  ];
  test.each(cases)("%s", (_what, rest, sent, total) => {
    const engine = rest.includes("delta")
      ? openEngine("- {match: m, interval: 10s, by: [a], outputs: [total], temporality: delta}\n", { startMs: BEGIN_MS })
      : open(rest);
    for (const sample of sent) send(engine, sample);
    expect(last(engine, "total")).toBe(total);
  });

  test("a first sample that counts from its start -> not in increase_prometheus; a reset is", () => {
    const engine = open();
    send(engine, [5, 7, 2], [8, 9, 6]);
    expect(last(engine, "increase_prometheus")).toBe(9);
  });

  test("a reset that only the start tells -> in the rate too", () => {
    const engine = openEngine("- {match: m, interval: 10s, by: [a], outputs: [rate_sum]}\n", { startMs: BEGIN_MS });
    send(engine, [1, 7, 0], [11, 9, 5]);
    const rates = engine.step(BEGIN_MS + 60_000, { kind: "tick" }).flatMap((action) => (action.kind === "rows" ? [...rowsOf(action.block)] : []));
    expect(rates.map(({ value }) => value)).toEqual([0.9]);
  });

  test("series that began while the process was away -> counts after a restart with its state", () => {
    const before = open();
    const fresh = openEngine(
      "- {match: m, interval: 10s, by: [a], outputs: [total, increase_prometheus], series_memory: 100s, staleness_interval: 1d}\n",
      {
        startMs: BEGIN_MS + 60_000,
        maxFutureMs: 1e9,
      },
    );
    restoreSnapshot(fresh, takeSnapshot(before, WHOLE, { term: "0.0", number: 1 }));
    send(fresh, [70, 7, 30]);
    expect(last(fresh, "total")).toBe(7);
  });

  test("lines after remote write -> know nothing of its start", () => {
    const engine = open();
    send(engine, [5, 7, 2]);
    engine.feed(BEGIN_MS + 6000, Buffer.from(`m,a=1 value=9 ${String(BEGIN_MS + 6000)}000000\n`));
    expect(last(engine, "total")).toBe(9);
  });

  test("random counters that start, run, reset and vanish -> total as a model that knows every increment", () => {
    const event = fc.record({ gap: fc.integer({ min: 1, max: 250 }), add: fc.nat(9), restart: fc.boolean(), told: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 12 }), (events) => {
        const engine = open();
        let [second, start, value] = [0, 0, 0];
        let seen: { second: number; value: number } | undefined;
        let total = 0;
        for (const { gap, add, restart, told } of events) {
          const before = second;
          second += gap;
          if (restart && gap > 1) [start, value] = [before + 1, 0];
          value += add;
          send(engine, told ? [second, value, start] : [second, value]);
          const age = seen === undefined ? Infinity : second - seen.second;
          const began = told && start > (seen?.second ?? -Infinity) && start < second;
          if (seen !== undefined && age <= MEMORY_S) total += began || value < seen.value ? value : value - seen.value;
          else if (told && start < second) total += began ? value : 0;
          else total += age > 2 * MEMORY_S && second >= MEMORY_S ? value : 0;
          seen = { second, value };
        }
        expect(last(engine, "total")).toBe(total);
        disposeEngines();
      }),
      { numRuns: 150 },
    );
  });
});
