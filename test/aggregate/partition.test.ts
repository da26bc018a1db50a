// The partition of input by owner, against the engine: a line's lanes are those of the Groups an engine makes of it.
import { afterEach, describe, expect, it } from "@jest/globals";
import { piecesOf } from "#limpet/aggregate/laneBody.js";
import type { LaneLines } from "#limpet/aggregate/laneLines.js";
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { Partition, type PartitionOptions } from "#limpet/aggregate/partition.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { GROUP_SLICE_KEY, ROOT_GROUPS, TABLE_MASK } from "#limpet/kernel/layout.js";
import { tableAt } from "#limpet/kernel/table.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import { encodeRequest2, type SentSeries } from "../http/writeRequest.js";
import { pick, seededRandom } from "../reference/seededRandom.js";
import { disposeEngines, openEngine } from "./openEngine.js";

const NOW = 1_763_870_000_000;
const outputs = await loadOutputs();
const open: Partition[] = [];

afterEach(() => {
  disposeEngines();
  for (const partition of open.splice(0)) partition.dispose();
});

const RULES = `
- { match: '{__name__=~"cpu_.*"}', interval: 10s, by: [host], outputs: [sum_samples, total] }
- { interval: 10s, by: [region], outputs: [count_samples, "quantiles(0.5)"], namedrop: [ "mem*" ] }
- { match: '{service!=""}', interval: 20s, without: [host], outputs: [max], dedup_interval: 5s }
- { match: '{region="eu"}', interval: 10s, outputs: [last], input_relabel_configs: [ { action: labeldrop, regex: host } ] }
- { match: '{__name__="disk_used"}', interval: 10s, by: [host], outputs: [avg], output_relabel_configs: [ { target_label: cluster, replacement: one } ] }
`;

function openPartition(lanes: number, options: Partial<PartitionOptions> & { yaml?: string } = {}): Partition {
  const { yaml = RULES, ...rest } = options;
  const { rules, problems } = readRules([{ name: "rules.yaml", text: yaml }], { outputs, env: {}, naming: "telegraf" });
  if (rules.length === 0) throw new Error(problems.map(({ message }) => message).join("; "));
  const partition = new Partition({ rules, outputs, naming: "telegraf", memoryBytesMax: 2 ** 28, holdMs: 60_000, ...rest });
  open.push(partition);
  divide(partition, lanes);
  return partition;
}

/** 64 slices, dealt out to the lanes. */
function divide(partition: Partition, lanes: number): void {
  partition.divide(
    { lows: Uint32Array.from({ length: 64 }, (_, i) => i * 2 ** 26), numbers: Int32Array.from({ length: 64 }, (_, i) => (i * 7) % lanes) },
    lanes,
  );
}

function laneOf(key: number, lanes: number): number {
  return (Math.floor(key / (KEY_END / 64)) * 7) % lanes;
}

function read(partition: Partition, text: string, document = new LineDocument(Buffer.from(text))): LaneLines[] {
  while (!document.done) partition.read(NOW, document);
  return partition.take();
}

/** Lane -> its lines, as text. */
function texts(taken: readonly LaneLines[]): Map<number, string[]> {
  return new Map(taken.map(({ lane, body }) => [lane, linesOf(body)]));
}

function linesOf(body: Uint8Array): string[] {
  const texts = piecesOf(body).map(({ document }) => (document.kind === "lines" ? Buffer.from(document.bytes).toString() : "a series\n"));
  return texts.join("").trimEnd().split("\n");
}

/** Lanes of the Groups that an engine makes of a line. */
function lanesByEngine(line: string, lanes: number): number[] {
  const engine = openEngine(RULES);
  // An engine makes Groups for text fields too, before it sees that they are none.
  const numbers = line.replace(/,?state="[^"]*"/, "");
  if (/ {2}|^\S+ \d+$/.test(numbers)) return [];
  engine.feed(NOW, Buffer.from(numbers));
  const found = new Set<number>();
  for (let i = i32.load(engine.root + ROOT_GROUPS + TABLE_MASK); i >= 0; i--) {
    const group = tableAt(engine.root + ROOT_GROUPS, i);
    if (group !== 0) found.add(laneOf(i32.load(group + GROUP_SLICE_KEY) >>> 0, lanes));
  }
  disposeEngines();
  return [...found].sort((a, b) => a - b);
}

function someLines(seed: number, count: number): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const name = pick(random, ["cpu", "disk", "mem", "net\\ if", "prometheus"]);
    const tags = [
      pick(random, ["", `,host=h${String(Math.floor(random() * 20))}`]),
      pick(random, ["", ",region=eu", ",region=us", ",region=a\\ b"]),
      pick(random, ["", ",service=s1", ",service=s2"]),
    ].join("");
    const fields = pick(random, ["used=1", "used=1.5,free=3i", 'state="on, off"', 'used=2,state="x y"', "busy=t", "used=1e3"]);
    const time = pick(random, [` ${String(NOW - i)}000000`, ` ${String(NOW - i)}000000`, ` ${String(NOW - i)}000000 `]);
    return `${name}${tags} ${fields}${time}`;
  });
}

describe("partition", () => {
  it("lines: of any form -> once to each lane that has one of their Groups, as they came", () => {
    for (const lanes of [1, 3, 20]) {
      const partition = openPartition(lanes);
      const lines = someLines(lanes, 60);
      // Twice: when they are new, and when they are known.
      for (let round = 0; round < 2; round++) {
        const taken = texts(read(partition, `${lines.join("\n")}\n`));
        const expected = new Map<number, string[]>();
        for (const line of lines)
          for (const lane of lanesByEngine(`${line}\n`, lanes)) expected.set(lane, [...(expected.get(lane) ?? []), line.trimEnd()]);
        expect([...taken].map(([lane, got]) => [lane, got.map((line) => line.trimEnd())]).sort()).toEqual([...expected].sort());
      }
    }
  });

  it("counts: twice the same -> as an engine counts", () => {
    const partition = openPartition(3);
    const engine = openEngine(RULES);
    const text = `${someLines(9, 300).join("\n")}\nbad line\n`;
    for (let round = 0; round < 2; round++) {
      read(partition, text);
      engine.feed(NOW, Buffer.from(text));
    }
    const { samplesReceived, samplesMatched, samplesIgnored } = engine.ledger();
    expect(partition.ledger()).toMatchObject({ samplesReceived, samplesMatched, samplesIgnored });
    expect(samplesReceived).toBeGreaterThan(samplesMatched);
    expect(partition.linesRead).toBe(602);
    expect(partition.linesInvalid).toEqual({ syntax: 2, too_long: 0 });
  });

  it("divide: anew -> known lines follow", () => {
    const partition = openPartition(1);
    const text = `${someLines(4, 100).join("\n")}\n`;
    expect(read(partition, text).map(({ lane }) => lane)).toEqual([0]);
    divide(partition, 5);
    const fresh = openPartition(5);
    expect(texts(read(partition, text))).toEqual(texts(read(fresh, text)));
  });

  it("time: none, or another precision -> nanoseconds, stamped once", () => {
    const partition = openPartition(1);
    expect(texts(read(partition, "cpu,host=a x=1\n")).get(0)).toEqual([`cpu,host=a x=1 ${String(NOW)}000000`]);
    const seconds = new LineDocument(Buffer.from("cpu,host=a x=1 1763870001"), 1_000_000_000n, { key: Buffer.from("db"), value: Buffer.from("m") });
    expect(texts(read(partition, "", seconds)).get(0)).toEqual(["cpu,host=a,db=m x=1 1763870001000000000"]);
  });

  it("oldest: of each lane, but of what is too old to hold a window -> none", () => {
    const partition = openPartition(1);
    const at = (ms: number): string => `cpu,host=a x=1 ${String(NOW + ms)}000000\n`;
    expect(read(partition, at(5) + at(-20) + at(-60_001) + at(7))).toMatchObject([{ lines: 4, oldestMs: NOW - 20 }]);
    expect(read(partition, at(-70_000))).toMatchObject([{ lines: 1, oldestMs: Number.POSITIVE_INFINITY }]);
    expect(read(partition, "")).toEqual([]);
  });

  it("oldest: some rule goes by arrival -> not later than that", () => {
    const partition = openPartition(1, { yaml: "- { interval: 10s, by: [host], outputs: [sum_samples], time: arrival }" });
    const at = (ms: number): string => `cpu,host=a x=1 ${String(NOW + ms)}000000\n`;
    for (const [ms, oldest] of [
      [50, 0],
      [-70_000, 0],
      [-20, -20],
    ] as const)
      expect(read(partition, at(ms))).toMatchObject([{ oldestMs: NOW + oldest }]);
  });

  it("pieces: read before they are taken -> each with its own arrival", () => {
    const partition = openPartition(1);
    partition.read(NOW, new LineDocument(Buffer.from("cpu,host=a x=1\n")));
    partition.read(NOW + 5, new LineDocument(Buffer.from("# none\ncpu,host=a x=2\n")));
    const [{ body, lines } = { body: Buffer.alloc(0), lines: 0 }] = partition.take();
    expect(lines).toBe(2);
    expect(piecesOf(body).map(({ arrivedMs }) => arrivedMs)).toEqual([NOW, NOW + 5]);
    expect(linesOf(body)).toEqual([`cpu,host=a x=1 ${String(NOW)}000000`, `cpu,host=a x=2 ${String(NOW + 5)}000000`]);
  });

  it("lines: arrival makes no difference, nothing looks like a head -> nothing but them", () => {
    const body = (partition: Partition, text: string): string => Buffer.from(read(partition, text)[0]?.body ?? "").toString();
    const line = `cpu,host=a x=1 ${String(NOW)}000000\n`;
    const odd = `cpu,host=a x=1,s="\n#limpet lines" ${String(NOW)}000000\n`;
    const plain = openPartition(1);
    expect(body(plain, line + line)).toBe(line + line);
    expect(body(plain, odd)).toMatch(/^#limpet lines \d+ 0000000054\ncpu/);
    const byArrival = openPartition(1, { yaml: "- { interval: 10s, by: [host], outputs: [sum_samples], time: arrival }" });
    expect(body(byArrival, line)).toBe(`#limpet lines ${String(NOW).padStart(18, "0")} ${String(line.length).padStart(10, "0")}\n${line}`);
  });

  it("two rules with one output -> both go where its owner can refuse the second", () => {
    const yaml = `
- { match: '{__name__="a_x"}', interval: 10s, by: [host], outputs: [sum_samples], output_name: "same_{output}" }
- { match: '{__name__="b_x"}', interval: 10s, by: [host], outputs: [sum_samples], output_name: "same_{output}" }`;
    const partition = openPartition(16, { yaml });
    const taken = read(partition, `a,host=h x=1 ${String(NOW)}000000\nb,host=h x=1 ${String(NOW)}000000\n`);
    expect(taken).toMatchObject([{ lines: 2 }]);
  });

  it("caps: of the rules -> are their owner's business", () => {
    const partition = openPartition(1, { yaml: "- { interval: 10s, by: [host], outputs: [sum_samples], max_groups: 1, max_series: 1 }" });
    expect(read(partition, `cpu,host=a x=1\ncpu,host=b x=1\n`)).toMatchObject([{ lines: 2 }]);
  });

  it("memory: short -> forgets what it knows, and loses nothing", () => {
    const partition = openPartition(4, { memoryBytesMax: 12 * 2 ** 20 });
    let lines = 0;
    for (let round = 0; round < 12; round++) {
      const text = Array.from({ length: 1000 }, (_, i) => `cpu,host=${"h".repeat(200)}${String(round * 1000 + i)} x=1 ${String(NOW)}000000\n`).join(
        "",
      );
      for (const taken of read(partition, text)) lines += taken.lines;
    }
    expect(partition.resets).toBeGreaterThan(0);
    expect(lines).toBeGreaterThanOrEqual(12_000);
    expect(partition.ledger()).toMatchObject({ samplesReceived: 12_000, samplesMatched: 12_000, samplesIgnored: {} });
  });

  it("remote write: series -> one piece of each lane, with the samples that are numbers", () => {
    const partition = openPartition(1);
    const labels = [
      ["__name__", "cpu_x"],
      ["host", "a"],
    ] as const;
    const sample = { value: 2.5, timestamp: NOW, start: NOW - 9 };
    const request = encodeRequest2([
      { labels, samples: [sample, { value: Number.NaN, timestamp: NOW }, { value: 3, timestamp: NOW + 1 }] },
      { labels, samples: [sample], stale: true },
    ]);
    const document = new SeriesDocument(request, "2.0");
    while (!document.done) partition.read(NOW, document);
    const taken = partition.take();
    expect(taken).toMatchObject([{ lane: 0, lines: 2, oldestMs: NOW }]);
    const [piece, ...more] = piecesOf(taken[0]?.body ?? Buffer.alloc(0));
    if (piece?.document.kind !== "series") throw new Error("no series");
    const { reader } = piece.document;
    expect(reader.next()).toBe(true);
    expect(reader.labels()).toEqual(labels);
    expect([...reader.samples.values.subarray(0, reader.samples.count)]).toEqual([2.5, 3]);
    expect([...reader.samples.starts.subarray(0, reader.samples.count)]).toEqual([NOW - 9, 0]);
    expect([reader.next(), more]).toEqual([false, []]);
  });

  it("remote write: a series of long labels, said again and again in few bytes -> read in bounded pieces", () => {
    const partition = openPartition(1);
    const series: SentSeries = {
      labels: [
        ["__name__", "cpu_x"],
        ["host", "h".repeat(100_000)],
      ],
      samples: [{ value: 1, timestamp: NOW }],
    };
    const document = new SeriesDocument(encodeRequest2(new Array<SentSeries>(200).fill(series)), "2.0");
    let lines = 0;
    while (!document.done) {
      partition.read(NOW, document);
      for (const taken of partition.take()) {
        lines += taken.lines;
        expect(taken.body.length).toBeLessThan(2 ** 21);
      }
    }
    expect(lines).toBe(200);
  });
});
