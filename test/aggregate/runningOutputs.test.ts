// What the conformance suite cannot see, because there nothing is late, retired within a process, swept or out of bounds: the
// outputs that run on in a Group (sum_samples_total, histogram_bucket, the totals), distinct series, negative samples. On a
// virtual clock: lines and times in, rows and the ledger out.
import { afterEach, describe, expect, test } from "@jest/globals";
import { Engine, type EngineAction } from "#limpet/aggregate/engine.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { RowReader } from "#limpet/metric/rowBlock.js";
import { WHOLE } from "#limpet/slice/keyRange.js";

const outputs = await loadOutputs();
/** A multiple of the intervals used here. */
const T0 = 1_700_000_040_000;
const engines: Engine[] = [];

afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

function open(rule: string, startMs = T0): Engine {
  const { rules, problems } = readRules([{ name: "r", text: `- ${rule}\n` }], { outputs, env: {}, naming: "telegraf" });
  expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
  const engine = new Engine({ rules, outputs, naming: "telegraf", startMs, maxFutureMs: 60_000, memoryBytesMax: 2 ** 28 });
  engines.push(engine);
  return engine;
}

/** `tags value second` of one field, at `nowSec`. */
function send(engine: Engine, nowSec: number, ...samples: readonly string[]): void {
  const lines = samples.map((sample) => {
    const [tags = "", value = "", second = ""] = sample.split(" ");
    return `m${tags === "-" ? "" : `,${tags}`} f=${value} ${String(T0 + Number(second) * 1000)}000000\n`;
  });
  engine.feed(T0 + nowSec * 1000, Buffer.from(lines.join("")));
}

/** `output labels value @end from start`, seconds since T0; only cumulative rows have a start. */
function rowsIn(actions: readonly EngineAction[]): string[] {
  const texts: string[] = [];
  for (const action of actions) {
    if (action.kind !== "rows") continue;
    const reader = new RowReader(action.block.bytes);
    while (reader.next()) {
      const { name, labels, timestamp, value } = reader.row();
      const words = [name.replace("m_f:10s_", ""), ...Object.values(labels), String(value), `@${String((timestamp - T0) / 1000)}`];
      texts.push([...words, ...(reader.startMs === 0 ? [] : ["from", String((reader.startMs - T0) / 1000)])].join(" "));
    }
  }
  return texts.sort();
}

function tick(engine: Engine, nowSec: number): string[] {
  return rowsIn(engine.step(T0 + nowSec * 1000, { kind: "tick" }));
}

const BASE = "{match: m_f, interval: 10s, by: [__name__], grace: 5s, staleness_interval: 20s";

describe("negative samples", () => {
  test("histogram_bucket alone: a negative sample -> ignored{negative}, no group comes to life", () => {
    const engine = open(`${BASE}, outputs: [histogram_bucket]}`);
    send(engine, 1, "- -1 1", "- -0.5 2");
    expect(tick(engine, 15)).toEqual([]);
    expect(engine.ledger().rules[0]).toMatchObject({ pairsMatched: 2, pairsApplied: 0, pairsIgnored: { negative: 2 } });
  });

  test("histogram_bucket beside max: a negative sample -> max takes it, no bucket does", () => {
    const engine = open(`${BASE}, outputs: [histogram_bucket, max]}`);
    send(engine, 1, "- -1 1", "- -0 2");
    expect(tick(engine, 15)).toEqual(["histogram_bucket 0...1.000e-09 1 @10 from 0", "max 0 @10"]);
    expect(engine.ledger().rules[0]).toMatchObject({ pairsMatched: 2, pairsApplied: 2, pairsIgnored: {} });
  });

  test("histogram_bucket beside total: a negative sample that is superseded too -> superseded", () => {
    const engine = open(`${BASE}, outputs: [histogram_bucket, total]}`);
    send(engine, 5, "- 3 5", "- -1 2");
    expect(engine.ledger().rules[0]).toMatchObject({ pairsMatched: 2, pairsApplied: 1, pairsIgnored: { superseded: 1 } });
  });
});

describe("running outputs", () => {
  const ALL = "outputs: [sum_samples_total, histogram_bucket, total, total_prometheus], first_sample: zero";

  test("idle windows -> repeated; silent for staleness_interval -> retired; back -> from nothing, a new start", () => {
    const engine = open(`${BASE}, ${ALL}}`);
    send(engine, 2, "- 1 1", "- 1.1 2");
    expect(tick(engine, 15)).toEqual([
      "histogram_bucket 1.000e+00...1.136e+00 1 @10 from 0",
      "histogram_bucket 8.799e-01...1.000e+00 1 @10 from 0",
      "sum_samples_total 2.1 @10 from 0",
      "total 1.1 @10 from 0",
      "total_prometheus 0.10000000000000009 @10 from 0",
    ]);
    expect(tick(engine, 25)).toHaveLength(5);
    expect(tick(engine, 65)).toEqual([]);
    send(engine, 71, "- 5 71");
    expect(tick(engine, 85)).toEqual([
      "histogram_bucket 4.642e+00...5.275e+00 1 @80 from 70",
      "sum_samples_total 5 @80 from 70",
      "total 3.9 @80 from 70",
      "total_prometheus 3.9 @80 from 70",
    ]);
  });

  test("late: carry -> late samples go into the next running values, and are counted", () => {
    const engine = open(`${BASE}, outputs: [sum_samples_total, histogram_bucket, max]}`);
    send(engine, 2, "- 1 1");
    tick(engine, 15);
    send(engine, 16, "- 2 3", "- -3 4", "- 7 12");
    expect(tick(engine, 25)).toEqual([
      "histogram_bucket 1.896e+00...2.154e+00 1 @20 from 0",
      "histogram_bucket 6.813e+00...7.743e+00 1 @20 from 0",
      "histogram_bucket 8.799e-01...1.000e+00 1 @20 from 0",
      "max 7 @20",
      "sum_samples_total 7 @20 from 0",
    ]);
    expect(engine.ledger().rules[0]).toMatchObject({ pairsMatched: 4, pairsApplied: 4, pairsDropped: {} });
  });

  test("late: drop -> dropped{late}, nothing runs on", () => {
    const engine = open(`${BASE}, late: drop, outputs: [sum_samples_total, histogram_bucket]}`);
    send(engine, 2, "- 1 1");
    tick(engine, 15);
    send(engine, 16, "- 2 3", "- 7 12");
    expect(tick(engine, 25)).toHaveLength(3);
    expect(engine.ledger().rules[0]).toMatchObject({ pairsApplied: 2, pairsDropped: { late: 1 } });
  });

  test("late negative sample with histogram_bucket alone -> ignored{negative}", () => {
    const engine = open(`${BASE}, outputs: [histogram_bucket]}`);
    send(engine, 2, "- 1 1");
    tick(engine, 15);
    send(engine, 16, "- -2 3");
    expect(engine.ledger().rules[0]).toMatchObject({ pairsApplied: 1, pairsIgnored: { negative: 1 }, pairsDropped: {} });
  });

  test("deltas: total and count_series together, out of order -> every delta counts", () => {
    const engine = open(`${BASE}, temporality: delta, outputs: [total, total_prometheus, count_series]}`);
    send(engine, 5, "host=a 1 5", "host=a 2 3", "host=b 4 4");
    expect(tick(engine, 15)).toEqual(["count_series 2 @10", "total 7 @10 from 0", "total_prometheus 7 @10 from 0"]);
  });

  test("snapshot between two windows -> running values, sets and histograms go on", () => {
    const rule = `${BASE}, outputs: [sum_samples_total, histogram_bucket, count_series, unique_samples]}`;
    const before = open(rule);
    send(before, 2, "host=a 1 1", "host=b 1 2");
    tick(before, 15);
    send(before, 16, "host=a 0 11", "host=a -0 12", "host=c 1 13");
    const bytes = takeSnapshot(before, WHOLE, { term: "0.0", number: 1 });
    const after = open(rule);
    restoreSnapshot(after, bytes);
    for (const engine of [before, after]) {
      send(engine, 17, "host=a 1 14", "host=d 2 15");
      expect(tick(engine, 25)).toEqual([
        "count_series 3 @20",
        "histogram_bucket 0...1.000e-09 2 @20 from 0",
        "histogram_bucket 1.896e+00...2.154e+00 1 @20 from 0",
        "histogram_bucket 8.799e-01...1.000e+00 4 @20 from 0",
        "sum_samples_total 6 @20 from 0",
        "unique_samples 3 @20",
      ]);
    }
  });
});

describe("distinct sets", () => {
  test("count_series: thousands of series and values, small integers and powers of two -> exact", () => {
    const engine = open(`${BASE}, outputs: [count_series, unique_samples]}`);
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `host=h${String(i % 5000)} ${String(i % 3 === 0 ? 2 ** (i % 900) : i % 4000)} ${String(1 + (i % 8))}`,
    );
    send(engine, 9, ...lines);
    const values = new Set(lines.map((line) => Number(line.split(" ")[1])));
    expect(tick(engine, 15)).toEqual(["count_series 5000 @10", `unique_samples ${String(values.size)} @10`]);
  });

  test("count_series: a sweep within series_memory -> the series are still known", () => {
    const engine = open(`${BASE}, series_memory: 1h, outputs: [count_series]}`);
    send(engine, 2, "host=a 1 1", "host=b 1 2");
    tick(engine, 15);
    tick(engine, 80);
    expect(engine.ledger().rules[0]).toMatchObject({ series: 2, groups: 1 });
    tick(engine, 3 * 3600);
    expect(engine.ledger().rules[0]).toMatchObject({ series: 0, groups: 0 });
  });

  test("memory: windows of sets and histograms come and go -> it does not grow", () => {
    const engine = open(`${BASE.replace("__name__", "host")}, outputs: [count_series, unique_samples, histogram_bucket]}`);
    const used: number[] = [];
    for (let window = 0; window < 60; window++) {
      const from = window * 40;
      send(engine, from + 1, ...Array.from({ length: 2000 }, (_, i) => `host=h${String(i % 100)} ${String(i + 0.5)} ${String(from + 1)}`));
      tick(engine, from + 39);
      used.push(engine.memory().bytes);
    }
    expect(used.at(-1)).toBe(used[5]);
  });
});
