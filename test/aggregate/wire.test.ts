// Plan: nothing of a sample is lost between the router that reads it and the owner that applies it. The same input goes into one
// engine, and through a Partition as batches into four engines that share the key space and get them seconds later: all rows are
// equal, byte by byte. The clock is the same for all.
import { afterEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Engine, EngineAction } from "#limpet/aggregate/engine.js";
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { Partition } from "#limpet/aggregate/partition.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { RowReader } from "#limpet/metric/rowBlock.js";
import { formatRow } from "#limpet/metric/rowText.js";
import type { WriteVersion } from "#limpet/metric/seriesReader.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import { encodeRequest, encodeRequest2, type SentSeries } from "../http/writeRequest.js";
import { disposeEngines, openEngine } from "./openEngine.js";

const START_MS = 1_763_870_000_000;
const OWNERS = 4;
const SLICES = 16;
/** From the router to the owners: past the end of windows, within their grace. */
const DELAY_MS = 4000;
const outputs = await loadOutputs();
const partitions: Partition[] = [];

afterEach(() => {
  disposeEngines();
  for (const partition of partitions.splice(0)) partition.dispose();
});

const RULES = `
- { interval: 10s, by: [], outputs: [sum_samples, last, count_samples, total], output_name: "each:{metric}:{output}" }
- { interval: 10s, without: [host], outputs: [increase, rate_sum, count_series, unique_samples, max, min, "quantiles(0.5)"] }
- { interval: 10s, by: [host], outputs: [sum_samples, count_samples, total], time: arrival, output_name: "arrived:{metric}:{output}" }
- { interval: 10s, by: [a.b, db], outputs: [last, count_series], namepass: [prometheus_remote_write], output_name: "named:{metric}:{output}" }
- { interval: 20s, by: [host], outputs: [sum_samples], dedup_interval: 5s, output_name: "once:{metric}:{output}" }
`;

const BY_EVENT = RULES.split("\n")
  .filter((rule) => !rule.includes("time: arrival"))
  .join("\n");

interface Setup {
  readonly naming: "telegraf" | "vmagent";
  readonly yaml: string;
}
const SETUP: Setup = { naming: "telegraf", yaml: RULES };
/** Where it makes no difference when a line arrived, batches are lines and nothing else. */
const SETUPS: readonly (readonly [what: string, setup: Setup])[] = [
  ["", SETUP],
  [", as vmagent names them", { naming: "vmagent", yaml: RULES }],
  [", no rule by arrival", { naming: "telegraf", yaml: BY_EVENT }],
];
type Input = () => LineDocument | SeriesDocument;
/** What arrives when, in ms after the start. */
type Arrivals = readonly (readonly [ms: number, input: Input])[];

const lines =
  (text: string | Uint8Array, unitNs = 1n, db?: string): Input =>
  () =>
    new LineDocument(Buffer.from(text), unitNs, db === undefined ? undefined : { key: Buffer.from("db"), value: Buffer.from(db) });

const write =
  (version: WriteVersion, ...series: readonly SentSeries[]): Input =>
  () =>
    new SeriesDocument(version === "1.0" ? encodeRequest(series) : encodeRequest2(series), version);

function rowsIn(actions: readonly EngineAction[]): string[] {
  const rows: string[] = [];
  for (const action of actions) {
    if (action.kind !== "rows") continue;
    const reader = new RowReader(action.block.bytes);
    while (reader.next()) {
      const bytes = Buffer.from(action.block.bytes.subarray(reader.rowStart, reader.rowEnd)).toString("hex");
      rows.push(`${formatRow(reader.row(), "prom")} from ${String(reader.startMs)} ${bytes}`);
    }
  }
  return rows;
}

function ticked(engine: Engine, nowMs: number): string[] {
  const rows: string[] = [];
  do rows.push(...rowsIn(engine.step(nowMs, { kind: "tick" })));
  while (engine.busy);
  return rows;
}

const END_MS = 60_000;
const times = (arrivals: Arrivals): number[] => [...new Set([...arrivals.flatMap(([ms]) => [ms, ms + DELAY_MS]), END_MS])].sort((a, b) => a - b);

/** All rows of one engine that gets the input itself. */
function rowsOfOne(arrivals: Arrivals, { naming, yaml }: Setup): string[] {
  const engine = openEngine(yaml, { startMs: START_MS, naming });
  const rows: string[] = [];
  for (const ms of times(arrivals)) {
    for (const [at, input] of arrivals) {
      if (at !== ms) continue;
      const document = input();
      while (!document.done) engine.step(START_MS + ms, { kind: "document", document });
    }
    rows.push(...ticked(engine, START_MS + ms));
  }
  return rows.sort();
}

interface Sent {
  readonly owner: number;
  readonly seq: number;
  readonly prev: number;
  readonly body: Uint8Array;
  readonly atMs: number;
}

/** The batches a router makes of the input. */
function batches(arrivals: Arrivals, { naming, yaml }: Setup): Sent[] {
  const { rules } = readRules([{ name: "rules.yaml", text: yaml }], { outputs, env: {}, naming });
  const partition = new Partition({ rules, outputs, naming, memoryBytesMax: 2 ** 28, holdMs: 60_000 });
  partitions.push(partition);
  const numbers = Int32Array.from({ length: SLICES }, (_, i) => (i * 7) % OWNERS);
  partition.divide({ lows: Uint32Array.from({ length: SLICES }, (_, i) => (i * KEY_END) / SLICES), numbers }, OWNERS);
  const sent: Sent[] = [];
  const prev = new Map<number, number>();
  for (const ms of new Set(arrivals.map(([at]) => at))) {
    const bodies = new Map<number, Uint8Array[]>();
    for (const [at, input] of arrivals) {
      if (at !== ms) continue;
      const document = input();
      while (!document.done) {
        partition.read(START_MS + ms, document);
        for (const { lane, body } of partition.take()) bodies.set(lane, [...(bodies.get(lane) ?? []), body]);
      }
    }
    for (const [owner, pieces] of bodies) {
      const seq = sent.length + 1;
      sent.push({ owner, seq, prev: prev.get(owner) ?? 0, body: Buffer.concat(pieces), atMs: ms + DELAY_MS });
      prev.set(owner, seq);
    }
  }
  return sent;
}

/** All rows of the owners. */
function rowsOfOwners(arrivals: Arrivals, { naming, yaml }: Setup): string[] {
  const engines = Array.from({ length: OWNERS }, () => openEngine(yaml, { startMs: START_MS, naming }));
  const sent = batches(arrivals, { naming, yaml });
  const rows: string[] = [];
  for (const ms of times(arrivals)) {
    for (const [owner, engine] of engines.entries()) {
      for (const { seq, prev, body } of sent.filter((batch) => batch.owner === owner && batch.atMs === ms)) {
        const ranges = Array.from({ length: SLICES }, (_, i) => ({ low: (i * KEY_END) / SLICES, high: ((i + 1) * KEY_END) / SLICES }))
          .filter((_, i) => (i * 7) % OWNERS === owner)
          .map((range) => ({ ...range, prev, kept: 1, oldestMs: undefined }));
        const answers = engine.batch(START_MS + ms, { router: "r.1", seq, statedMs: START_MS + ms, ranges }, body);
        expect(new Set(answers.map(({ answer }) => answer))).toEqual(new Set(["applied"]));
      }
      rows.push(...ticked(engine, START_MS + ms));
    }
  }
  return rows.sort();
}

/** How many rows, all of them equal. */
function compare(arrivals: Arrivals, setup = SETUP): number {
  const one = rowsOfOne(arrivals, setup);
  const owners = rowsOfOwners(arrivals, setup);
  const [ones, others] = [new Set(one), new Set(owners)];
  expect({ lost: one.filter((row) => !others.has(row)), other: owners.filter((row) => !ones.has(row)) }).toEqual({ lost: [], other: [] });
  expect(owners).toHaveLength(one.length);
  return one.length;
}

const ns = (ms: number): string => `${String(START_MS + ms)}000000`;

const ODD_LINES = [
  `cpu,host=a usage=1,idle=2i ${ns(1000)}`,
  `cpu,host=b usage=1 ${ns(1000)}`,
  `cpu,host=a usage=3,idle=5i ${ns(2000)}`,
  "# a comment",
  "#limpet series 0001763870000000 0000000100",
  "#limpet lines 0001763000000000 0000000010",
  `  cpu,host=a usage=1e3,idle=-0.0,busy=t,n=9007199254740993i,u=18446744073709551615u  ${ns(2500)} `,
  `cpu,host=a usage=7 ${String(START_MS + 3000)}000999`,
  "cpu,host=a usage=8",
  "cpu,host=a,region=x\\ y usage=8  ",
  `net\\ if,na\\,me=a\\=b,pa\\ th=c:\\x\\ y,tail=q\\ used\\ now=1 ${ns(3000)}`,
  `m,t=c:\\dir\\,u=v f=1 ${ns(3000)}`,
  `m,t=c:\\dir\\\\ f=1 ${ns(3000)}`,
  `m,t=tail\\ f=1 ${ns(3000)}`,
  `\\#m,t=x f=1 ${ns(3000)}`,
  `m,t=x s="two\n#limpet series 0001763870000000 0000000005\nlines, \\" and",v=2 ${ns(3100)}`,
  `m,t=x v=3,s="no time,\n# at all"`,
  `prometheus_remote_write,host=a up=1,my.gauge=4 ${ns(3000)}`,
  `prometheus,host=a up=1 ${ns(3000)}`,
  `odd.name-9,a.b=1,a_b=2 x.y=1 ${ns(3000)}`,
  `dup,host=1,host=2 v=1,v=2 ${ns(3000)}`,
  `tab\tf=1 ${ns(3000)}`,
  `vt,a=b\u000bf=1 ${ns(3000)}`,
  `ctl,a=\u0001 f=1 ${ns(3000)}`,
  `uni,host=köln f=1 ${ns(3000)}`,
  "bad line",
  `m,=x f=1 ${ns(3000)}`,
  `m f=NaN ${ns(3000)}`,
  `old,host=a f=1 ${ns(-500_000)}`,
  `soon,host=a f=1 ${ns(30_000)}`,
];
const ODD_TEXT = Buffer.concat([
  Buffer.from(`${ODD_LINES.join("\n")}\n`),
  Buffer.from(`utf,host=a`),
  Buffer.of(0xff, 0xc3),
  Buffer.from(` f=1 ${ns(3000)}\r\nlast,host=a v=1 ${ns(3000)}`),
]);

const series = (
  name: string,
  labels: Readonly<Record<string, string>>,
  ...samples: readonly (readonly [ms: number, value: number, start?: number])[]
): SentSeries => ({
  labels: [...(name === "" ? [] : [["__name__", name] as const]), ...Object.entries(labels)],
  samples: samples.map(([ms, value, start]) => ({ timestamp: START_MS + ms, value, ...(start === undefined ? {} : { start: START_MS + start }) })),
});

const ODD_SERIES: readonly SentSeries[] = [
  series("up", { host: "a", "a.b": "dot" }, [1000, 1], [2000, 2.5], [3000, -0]),
  series("up", { host: "b" }, [1000, Number.NaN], [1500, 4], [2000, Number.POSITIVE_INFINITY]),
  series("my.metric", { host: "a", "label-x": "1" }, [1000, 1e300]),
  series("9bad", { host: "a" }, [1000, 0.1]),
  series("", { host: "nameless" }, [1000, 5]),
  series("m", { host: "tail\\", path: 'a\nb\tc, d=e "f"' }, [1000, 5]),
  series("m", { host: "", region: "eu", le: "0.5", quantile: "x", "#": "#limpet" }, [1000, 6]),
  series("m_ü", { host: "ü", ü: "1" }, [1000, 7], [1001, 8]),
  series("twice", { host: "a" }, [1000, 1], [1000, 2]),
  {
    labels: [
      ["__name__", "dup"],
      ["a", "1"],
      ["a", "2"],
    ],
    samples: [{ timestamp: START_MS, value: 1 }],
  },
  { ...series("up", { host: "a" }, [3500, 1]), stale: true },
  {
    labels: [
      ["__name__", "times"],
      ["host", "a"],
    ],
    samples: [-1, 0, 2 ** 60, -(2 ** 60)].map((timestamp) => ({ timestamp, value: 1 })),
  },
  { ...series("hist", { host: "a" }), histograms: 2 },
];

const CREATED: Arrivals = [
  [2000, write("2.0", { ...series("req_total", { host: "a" }, [1000, 40]), created: START_MS + 500 })],
  [3000, write("2.0", series("req_total", { host: "b" }, [2000, 7, 1500], [2900, 9, 1500]), series("req_total", { host: "c" }, [2000, 7, -1500]))],
  // A reset that only the start tells, in the next window and in the same.
  [13_000, write("2.0", { ...series("req_total", { host: "a" }, [12_000, 50]), created: START_MS + 11_000 })],
  [14_000, write("2.0", series("req_total", { host: "b" }, [13_000, 10, 12_500], [13_500, 11, 13_200]), ...ODD_SERIES)],
];

describe("wire", () => {
  test.each(SETUPS)("lines: odd ones%s -> as in one process", (_what, setup) => {
    expect(
      compare(
        [
          [3500, lines(ODD_TEXT)],
          [8000, lines(ODD_TEXT)],
        ],
        setup,
      ),
    ).toBeGreaterThan(150);
  });

  test("lines: other precisions, a database's tag, no time -> as in one process", () => {
    const text = ODD_LINES.map((line) => line.replace(/(\d{13})\d{6}( ?)$/, "$1$2")).join("\n");
    const arrivals: Arrivals = [
      [3500, lines(text, 1_000_000n)],
      [3600, lines(text, 1_000_000n, "my db, a=b")],
      [3700, lines(`m,db=own,x=\\ y f=1 ${String(START_MS / 1000 + 3)}\nm,db=own f=2\n`, 1_000_000_000n, "plain")],
      [3800, lines(`cpu,host=a,d.b=1 f=1 ${String(START_MS + 3000)}123\r\n`, 1000n, "plain")],
    ];
    expect(compare(arrivals)).toBeGreaterThan(150);
  });

  test.each(SETUPS)("remote write: odd series%s -> as in one process", (_what, setup) => {
    expect(
      compare(
        [
          [3500, write("1.0", ...ODD_SERIES)],
          [4500, write("2.0", ...ODD_SERIES)],
        ],
        setup,
      ),
    ).toBeGreaterThan(60);
  });

  test("remote write 2.0: start timestamps -> first samples, resets and totals as in one process", () => {
    expect(compare(CREATED)).toBeGreaterThan(20);
  });

  test("time: arrival, delivered in the next window -> the window it arrived in", () => {
    expect(
      compare([
        [8500, lines("cpu,host=a f=1\n")],
        [9500, write("1.0", series("cpu_f", { host: "a" }, [9000, 3]))],
      ]),
    ).toBeGreaterThan(3);
  });

  test("any mix of documents -> as in one process", () => {
    const pool: readonly Input[] = [
      lines(ODD_TEXT),
      ...ODD_LINES.map((line) => lines(`${line}\n`)),
      ...ODD_SERIES.flatMap((one) => [write("1.0", one), write("2.0", one)]),
      ...CREATED.map(([, input]) => input),
    ];
    // Later ones would come after a window, which only a declared backlog could hold.
    const arrival = fc.tuple(fc.integer({ min: 6, max: 31 }), fc.nat(pool.length - 1));
    fc.assert(
      fc.property(fc.constantFrom(...SETUPS), fc.array(arrival, { minLength: 1, maxLength: 10 }), ([, setup], chosen) => {
        const arrivals = chosen.map(([halves, i]): readonly [number, Input] => [halves * 500, pool[i] ?? lines("")]).sort(([a], [b]) => a - b);
        compare(arrivals, setup);
        disposeEngines();
        for (const partition of partitions.splice(0)) partition.dispose();
      }),
      { numRuns: 40, seed: 1 },
    );
  });
});
