// Plan: as shapes.test.ts, for series that come with their name: admitted as a copy of one like it, a series is exactly what it is when
// admitted by the book. Labels are of any spelling, lines with tags of the same names come between, and the order of known series
// changes, so that the guess which one is next is wrong as often as right.
import { afterAll, expect, test } from "@jest/globals";
import type { Engine } from "#limpet/aggregate/engine.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { ROOT_KEYS, ROOT_SERIES, ROOT_SHAPES, TABLE_COUNT } from "#limpet/kernel/layout.js";
import { encodeRequest, encodeRequest2, type SentSeries } from "../http/writeRequest.js";
import { pick, type Random, seededRandom } from "../reference/seededRandom.js";
import { disposeEngines, feedLines, finish, imbalance, openEngine, tick } from "./openEngine.js";

const START = 1_700_000_000_000;
const NO_SHAPES = "\n- { match: no_such_metric, interval: 1m, outputs: [max], input_relabel_configs: [{ action: labeldrop, regex: x }] }";

afterAll(disposeEngines);

const count = (engine: Engine, table: number): number => i32.load(engine.root + table + TABLE_COUNT);

function write(engine: Engine, nowMs: number, sent: readonly SentSeries[], version: "1.0" | "2.0"): SeriesDocument {
  const document = new SeriesDocument(version === "1.0" ? encodeRequest(sent) : encodeRequest2(sent), version);
  while (!document.done) engine.step(nowMs, { kind: "document", document });
  return document;
}

function booksOf(engine: Engine): unknown {
  const { rules, samplesMatched, samplesIgnored, linesInvalid } = engine.ledger();
  return {
    ours: rules.filter(({ pairsMatched }) => pairsMatched > 0),
    samplesMatched,
    samplesIgnored,
    linesInvalid,
    series: i32.load(engine.root + ROOT_SERIES),
  };
}

/** Labels in order, out of order, twice, empty, not ASCII, of 200 and of 20 000 bytes. */
function series(random: Random): SentSeries {
  const digit = (n: number): string => String(Math.floor(random() * n));
  const labels: [string, string][] = [
    ["__name__", pick(random, ["cpu_n", "cpu_n", "cpu_f", "net_n", "odd.name", "größe_n"])],
    ["host", `h${digit(40)}`],
    ["pod", pick(random, ["p1", "p2", "p3", "x".repeat(200)])],
    ["region", pick(random, ["eu", "us", "us", "süd", "eu,us=\\ 1", "r".repeat(200)])],
  ];
  if (random() < 0.1) labels.push(["Zone", "z"]);
  if (random() < 0.1) labels.push(["a.b", digit(2)]);
  if (random() < 0.05) labels.push(["region", "eu"]);
  if (random() < 0.05) labels.push(["empty", ""]);
  if (random() < 0.05) labels.push(["l".repeat(150), "long name"]);
  if (random() < 0.02) labels.push(["long", "v".repeat(20_000)]);
  if (random() < 0.05) labels.splice(0, 1);
  labels.sort(([a], [b]) => (a < b ? -1 : 1));
  if (random() < 0.2) labels.sort(() => random() - 0.5);
  const timestamp = START + Math.floor(random() * 60_000);
  return { labels, samples: [{ value: Math.floor(random() * 100), timestamp, start: random() < 0.3 ? timestamp - 500 : 0 }] };
}

function line(random: Random): string {
  const host = String(Math.floor(random() * 40));
  const time = String(START + Math.floor(random() * 60_000));
  // Half of them are of series that come by remote write too.
  if (random() < 0.5) return `prometheus,host=h${host},pod=p1,region=us cpu_n=${host} ${time}`;
  return `cpu,a.b=1,host=h${host},region=${pick(random, ["eu", "us"])} n=1 ${time}`;
}

const RULE_SETS: Readonly<Record<string, string>> = {
  gauges: "- { interval: 10s, by: [region], outputs: [sum_samples, count_samples, max] }",
  counters: "- { interval: 10s, by: [region, a.b], outputs: [total, increase, count_series], first_sample: zero }",
  starts: "- { interval: 10s, without: [host, pod], outputs: [total, increase] }",
  several: `
- { match: '{region!="us"}', interval: 10s, by: [region], outputs: [sum_samples] }
- { match: '{__name__=~".*_n"}', interval: 10s, by: [__name__], outputs: [increase], first_sample: zero }
- { interval: 20s, without: [host, pod], outputs: [min], tagdrop: { pod: [p1] } }
- { interval: 20s, by: [region], outputs: [max], namepass: [prometheus*], fieldexclude: [net*] }`,
  capped:
    "- { interval: 10s, by: [region], outputs: [last], max_series: 50 }\n- { match: cpu_n, interval: 10s, by: [region], outputs: [total], max_series: 30 }",
  few: "- { interval: 10s, by: [region], outputs: [avg], max_groups: 9 }",
};

test.each(Object.keys(RULE_SETS))("series shapes: %s, labels of any spelling -> rows and books as without", (set) => {
  for (const seed of [1, 2]) {
    const random = seededRandom(seed);
    const rules = RULE_SETS[set] ?? "";
    const [engine, twin] = [openEngine(rules, { startMs: START }), openEngine(rules + NO_SHAPES, { startMs: START })];
    for (let batch = 0; batch < 6; batch++) {
      const sent = Array.from({ length: 150 }, () => series(random));
      const lines = Array.from({ length: 20 }, () => line(random));
      const version = random() < 0.5 ? "1.0" : "2.0";
      for (const side of [engine, twin]) {
        const first = write(side, START + 60_000, sent, version);
        feedLines(side, START + 60_000, ...lines);
        const again = write(side, START + 60_000, batch % 2 === 0 ? sent : sent.toReversed(), "1.0");
        expect(again.invalid).toBe(first.invalid);
      }
    }
    expect(count(engine, ROOT_SHAPES)).toBeGreaterThan(5);
    expect(count(twin, ROOT_SHAPES)).toBe(0);
    expect(count(engine, ROOT_KEYS)).toBe(count(twin, ROOT_KEYS));
    expect(booksOf(engine)).toEqual(booksOf(twin));
    expect(imbalance(engine).every((left) => left === 0)).toBe(true);
    expect(finish(engine, START + 120_000)).toEqual(finish(twin, START + 120_000));
  }
});

const plain = (host: string, type?: number): SentSeries => ({
  labels: [
    ["__name__", "m"],
    ["host", host],
    ["region", "eu"],
  ],
  samples: [{ value: 1, timestamp: START }],
  ...(type === undefined ? {} : { type }),
});

test("series shapes: many hosts of one region -> one shape, and every series counted", () => {
  const engine = openEngine("- { interval: 10s, by: [region], outputs: [sum_samples] }", { startMs: START });
  write(
    engine,
    START,
    Array.from({ length: 100 }, (_, i) => plain(`h${String(i)}`)),
    "1.0",
  );
  expect([count(engine, ROOT_SHAPES), count(engine, ROOT_KEYS), i32.load(engine.root + ROOT_SERIES)]).toEqual([1, 100, 100]);
  expect(finish(engine, START + 10_000)).toEqual([`m:10s_by_region_sum_samples{region="eu"} 100 ${String(START + 10_000)}`]);
});

test("series shapes: a copy whose sender says its type -> the note of the rule, as by the book", () => {
  const engine = openEngine("- { interval: 10s, by: [region], outputs: [increase] }", { startMs: START });
  expect([...write(engine, START, [plain("a")], "2.0").notes]).toEqual([]);
  const [note] = [...write(engine, START, [plain("b", 2)], "2.0").notes.values()];
  expect(count(engine, ROOT_SHAPES)).toBe(1);
  expect(note).toContain("counts the increases of m, which its sender calls a gauge");
});

test("series shapes: a group has gone and comes back -> new series go to the new group, known ones too", () => {
  const engine = openEngine("- { interval: 10s, by: [region], outputs: [count_samples], staleness_interval: 1m }", { startMs: START });
  let now = START;
  const at = (host: string): SentSeries => ({ ...plain(host), samples: [{ value: 1, timestamp: now }] });
  write(engine, now, [at("a"), at("d")], "1.0");
  for (let i = 0; i < 20; i++) {
    now += 60_000;
    tick(engine, now);
  }
  expect(count(engine, ROOT_SHAPES)).toBe(0);
  write(engine, now, [at("b"), at("c"), at("a"), at("d")], "1.0");
  expect(finish(engine, now + 10_000)).toEqual([`m:10s_by_region_count_samples{region="eu"} 4 ${String(now + 10_000)}`]);
});

test("known series: the labels of the one that came next before begin as those of this one -> told apart", () => {
  const engine = openEngine("- { interval: 10s, by: [region], outputs: [count_samples] }", { startMs: START });
  const short: SentSeries = { ...plain("b"), labels: plain("b").labels.slice(0, 2) };
  write(engine, START, [plain("a"), plain("b"), short], "1.0");
  write(engine, START, [plain("a"), plain("b"), plain("a"), short], "1.0");
  expect(finish(engine, START + 10_000)).toEqual([
    `m:10s_by_region_count_samples 2 ${String(START + 10_000)}`,
    `m:10s_by_region_count_samples{region="eu"} 5 ${String(START + 10_000)}`,
  ]);
});

test("series shapes: texts that are no UTF-8 -> one series where they are one by the book", () => {
  const engine = openEngine("- { interval: 10s, by: [region], outputs: [count_series] }", { startMs: START });
  write(engine, START, [plain("a")], "1.0");
  for (const byte of [0xfe, 0xff]) {
    const request = encodeRequest([plain("~")]).map((value) => (value === 0x7e ? byte : value));
    const document = new SeriesDocument(request, "1.0");
    while (!document.done) engine.step(START, { kind: "document", document });
  }
  expect(finish(engine, START + 10_000)).toEqual([`m:10s_by_region_count_series{region="eu"} 2 ${String(START + 10_000)}`]);
});

test("a request of many pieces, lines and another request between them -> every series is its own", () => {
  const engine = openEngine("- { interval: 10s, by: [host], outputs: [sum_samples] }", { startMs: START });
  const host = (of: string, i: number): SentSeries => ({ ...plain(`${of}-${String(i)}`), samples: [{ value: i, timestamp: START }] });
  const request = (of: string): SeriesDocument => new SeriesDocument(encodeRequest(Array.from({ length: 9000 }, (_, i) => host(of, i))), "1.0");
  const documents = [request("a"), request("b")];
  let lines = 0;
  while (documents.some(({ done }) => !done)) {
    for (const document of documents) if (!document.done) engine.step(START, { kind: "document", document });
    feedLines(engine, START, `prometheus,host=line,region=eu m=1 ${String(START)}`);
    lines++;
  }
  expect(lines).toBeGreaterThan(3);
  const rows = finish(engine, START + 10_000);
  const expected = ["a", "b"].flatMap((of) =>
    Array.from({ length: 9000 }, (_, i) => `m:10s_by_host_sum_samples{host="${of}-${String(i)}"} ${String(i)}`),
  );
  expected.push(`m:10s_by_host_sum_samples{host="line"} ${String(lines)}`);
  expect(rows).toEqual(expected.map((row) => `${row} ${String(START + 10_000)}`).sort());
});
