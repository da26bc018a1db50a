// Whole documents beside the stream of standard input: neither disturbs the other, whatever comes between their pieces.
import { afterEach, describe, expect, test } from "@jest/globals";
import { Engine, type EngineAction } from "#limpet/aggregate/engine.js";
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { rowsOf } from "#limpet/metric/rowBlock.js";
import { encodeRequest, encodeRequest2, type SentSeries } from "../http/writeRequest.js";

const NOW_MS = 1_763_870_000_000;
const outputs = await loadOutputs();
const engines: Engine[] = [];

afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

function openEngine(rules: string): Engine {
  const read = readRules([{ name: "rules.yaml", text: rules }], { outputs, env: {}, naming: "telegraf" });
  const engine = new Engine({ rules: read.rules, outputs, naming: "telegraf", startMs: NOW_MS, maxFutureMs: 60_000, memoryBytesMax: 1 << 28 });
  engines.push(engine);
  return engine;
}

const SUM = "- match: '{__name__=~\"cpu_.+\"}'\n  interval: 10s\n  by: [__name__, host, db]\n  outputs: [sum_samples]\n";

/** Steps until the document is done; `between` runs after every piece. Returns the number of pieces. */
function readAll(engine: Engine, document: LineDocument | SeriesDocument, between: () => void = () => undefined): number {
  for (let pieces = 1; ; pieces++) {
    engine.step(NOW_MS, { kind: "document", document });
    if (document.done) return pieces;
    between();
  }
}

function lines(text: string, unitNs?: bigint, db?: string): LineDocument {
  return new LineDocument(Buffer.from(text), unitNs, db === undefined ? undefined : { key: Buffer.from("db"), value: Buffer.from(db) });
}

/** What the engine emits in the end: labels and value, sorted. */
function finish(engine: Engine): string[] {
  return rowLines(engine.step(NOW_MS + 20_000, { kind: "finish" }));
}

function rowLines(actions: readonly EngineAction[]): string[] {
  const found: string[] = [];
  for (const action of actions) {
    if (action.kind !== "rows") continue;
    for (const { name, labels, value } of rowsOf(action.block)) {
      found.push(
        `${name.split(":", 1)[0] ?? ""} ${Object.entries(labels)
          .map(([k, v]) => `${k}=${v}`)
          .join(",")} ${String(value)}`,
      );
    }
  }
  return found.sort();
}

describe("documents and the stream", () => {
  test("document between the halves of a line of the stream -> both are whole, line numbers are their own", () => {
    const engine = openEngine(SUM);
    engine.feed(NOW_MS, Buffer.from("cpu,host=a idle=1\ncpu,host=a id"));
    // With their times the lines take the hot loop, the one without does not.
    const line = (value: number): string => `cpu,host=b idle=${String(value)} ${String(NOW_MS)}000000\n`;
    const document = lines(`${line(1)}${line(1)}cpu,host=b idle=0\nbad\n${line(3)}`);
    readAll(engine, document);
    const actions = engine.feed(NOW_MS, Buffer.from("le=4\nworse\n"));
    expect(actions).toEqual([{ kind: "invalid", reason: "syntax", line: 3, column: 6, message: expect.any(String) }]);
    expect(document.faults).toEqual([{ reason: "syntax", line: 4, column: 4, message: expect.any(String) }]);
    expect([document.good, document.invalid]).toEqual([4, { syntax: 1, too_long: 0 }]);
    expect(finish(engine)).toEqual(["cpu_idle host=a 5", "cpu_idle host=b 5"]);
    expect(engine.ledger()).toMatchObject({ linesRead: 8, linesInvalid: { syntax: 2 }, samplesReceived: 6 });
  });

  test("large documents woven with each other and the stream -> every line once", () => {
    const engine = openEngine(SUM);
    const count = 20_000;
    const time = `${String(NOW_MS)}000000`;
    const text = (host: string): string => `cpu,host=${host} idle=1,busy=2i ${time}\n`.repeat(count);
    const second = lines(text("second"));
    const stream = Buffer.from(text("stream"));
    let sent = 0;
    const pieces = readAll(engine, lines(text("first")), () => {
      if (!second.done) engine.step(NOW_MS, { kind: "document", document: second });
      engine.feed(NOW_MS, stream.subarray(sent, sent + 99_991));
      sent += 99_991;
    });
    readAll(engine, second);
    engine.feed(NOW_MS, stream.subarray(sent), true);
    expect(pieces).toBeGreaterThan(3);
    expect(finish(engine)).toEqual(
      ["busy", "idle"].flatMap((field) =>
        ["first", "second", "stream"].map((host) => `cpu_${field} host=${host} ${String(field === "idle" ? count : 2 * count)}`),
      ),
    );
    expect(engine.ledger().linesRead).toBe(3 * count);
  });

  test("line one byte longer than allowed -> refused, the longest one read", () => {
    const engine = openEngine(SUM);
    const rest = "cpu,host=a,pad= idle=1".length;
    const line = (bytes: number): string => `cpu,host=a,pad=${"x".repeat(bytes - rest)} idle=1\r\n`;
    const document = lines(`${line(1 << 20)}${line((1 << 20) + 1)}`, 1n, "d");
    readAll(engine, document);
    expect([document.good, document.faults]).toMatchObject([1, [{ reason: "too_long", line: 2 }]]);
    expect(finish(engine)).toEqual(["cpu_idle db=d,host=a 1"]);
  });

  test("line longer than a piece may be -> skipped with its number, the next one read", () => {
    const engine = openEngine(SUM);
    const document = lines(`cpu,host=a idle=1\ncpu,host=${"x".repeat(3 << 20)} idle=1\ncpu,host=a idle=2\nbad\n`);
    readAll(engine, document);
    expect(document.faults).toMatchObject([
      { reason: "too_long", line: 2 },
      { reason: "syntax", line: 4 },
    ]);
    expect(finish(engine)).toEqual(["cpu_idle host=a 3"]);
  });

  test.each([
    ["s", 1_000_000_000n, "1763870003"],
    ["ms", 1_000_000n, "1763870003000"],
    ["us", 1000n, "1763870003000000"],
    ["ns", 1n, "1763870003000000000"],
  ])("precision %s -> the same window", (_name, unitNs, time) => {
    const engine = openEngine(SUM);
    readAll(engine, lines(`cpu,host=a idle=1 ${time}\n`, unitNs));
    const rows = engine.step(NOW_MS + 20_000, { kind: "tick" });
    expect(rowLines(rows)).toEqual(["cpu_idle host=a 1"]);
    expect(rows[0]).toMatchObject({ block: { windowEndMs: NOW_MS + 10_000 } });
  });

  test("one line posted to two databases and to none -> three groups, the tag wins over the line's own", () => {
    const engine = openEngine(SUM);
    for (const db of ["one", "two", "one"]) readAll(engine, lines("cpu,host=a idle=1\ncpu,db=own,host=a idle=1\n", 1n, db));
    readAll(engine, lines("cpu,host=a idle=5\n"));
    expect(finish(engine)).toEqual(["cpu_idle db=one,host=a 4", "cpu_idle db=two,host=a 2", "cpu_idle host=a 5"]);
  });
});

describe("remote write", () => {
  const series = (labels: Readonly<Record<string, string>>, ...values: number[]): SentSeries => ({
    labels: Object.entries(labels),
    samples: values.map((value, i) => ({ value, timestamp: NOW_MS + i })),
  });

  function readRequest(engine: Engine, ...sent: SentSeries[]): SeriesDocument {
    const document = new SeriesDocument(encodeRequest(sent), "1.0");
    readAll(engine, document);
    return document;
  }

  test("series in any order of labels -> one group; names are not rewritten", () => {
    const engine = openEngine(SUM);
    readRequest(engine, series({ __name__: "cpu_a:b", host: "x", pod: "1" }, 1, 2), series({ pod: "2", host: "x", __name__: "cpu_a:b" }, 4));
    readRequest(engine, series({ __name__: "cpu_a:b", host: "x", pod: "1" }, 8));
    expect(rowLines(engine.step(NOW_MS + 20_000, { kind: "finish" }))).toEqual(["cpu_a host=x 15"]);
    expect(engine.ledger()).toMatchObject({ series: 2, samplesReceived: 4, samplesMatched: 4 });
  });

  test("counter that comes as lines and by remote write -> one series", () => {
    const engine = openEngine("- match: http_requests\n  interval: 10s\n  by: [host]\n  outputs: [increase]\n");
    engine.feed(NOW_MS, Buffer.from(`http,host=a requests=10 ${String(NOW_MS)}000000\n`));
    readRequest(engine, {
      labels: [
        ["__name__", "http_requests"],
        ["host", "a"],
      ],
      samples: [{ value: 13, timestamp: NOW_MS + 1 }],
    });
    expect(finish(engine)).toEqual(["http_requests host=a 3"]);
    expect(engine.ledger().series).toBe(2);
    expect(engine.ledger().rules[0]?.series).toBe(1);
  });

  test("stale markers, NaN, infinities, no name, unmatched -> ignored by reason, the books balance", () => {
    const engine = openEngine(SUM);
    const stale = { ...series({ __name__: "cpu_x" }, 1), stale: true };
    readRequest(engine, stale, series({ __name__: "cpu_x" }, Number.NaN, Infinity, 2), series({ host: "a" }, 1), series({ __name__: "mem" }, 1));
    expect(engine.ledger()).toMatchObject({ samplesReceived: 6, samplesMatched: 1, samplesIgnored: { stale: 1, nan: 2, name: 1, unmatched: 1 } });
  });

  test.each([
    ["1.0", encodeRequest],
    ["2.0", encodeRequest2],
  ] as const)("%s: series with a label twice, one with endless labels -> left out and counted, all others applied", (version, encode) => {
    const engine = openEngine(SUM);
    const good = series({ __name__: "cpu_x", host: "a" }, 7);
    const twice = { ...good, labels: [...good.labels, ["host", "b"] as const] };
    const endless = { ...good, labels: [...good.labels, ["long", "x".repeat(1_200_000)] as const] };
    const document = new SeriesDocument(encode([good, twice, good, endless, series({ __name__: "cpu_x", host: "c" }, 9)]), version);
    readAll(engine, document);
    expect(document).toMatchObject({ read: 5, invalid: 2, samples: 3, problem: "series 2: label host stands twice in cpu_x" });
    expect(finish(engine)).toEqual(["cpu_x host=a 14", "cpu_x host=c 9"]);
    expect(engine.ledger()).toMatchObject({ samplesReceived: 3, linesInvalid: { series: 2 } });
  });

  test("one series by 1.0, then by 2.0 -> one Key", () => {
    const engine = openEngine(SUM);
    readAll(engine, new SeriesDocument(encodeRequest([series({ __name__: "cpu_x", host: "a" }, 1)]), "1.0"));
    readAll(engine, new SeriesDocument(encodeRequest2([series({ __name__: "cpu_x", host: "a" }, 2)]), "2.0"));
    expect([engine.ledger().keys, finish(engine)]).toEqual([1, ["cpu_x host=a 3"]]);
  });

  test("native histograms -> ignored by reason, the books balance; exemplars do not count", () => {
    const engine = openEngine(SUM);
    const document = new SeriesDocument(encodeRequest2([{ ...series({ __name__: "cpu_x" }), histograms: 3, exemplars: 2 }]), "2.0");
    readAll(engine, document);
    expect(document).toMatchObject({ samples: 0, histograms: 3 });
    expect(engine.ledger()).toMatchObject({ samplesReceived: 3, samplesIgnored: { histogram: 3 } });
  });

  test("request of very many samples -> read in pieces, so that the clock and other input come in between", () => {
    const engine = openEngine(SUM);
    const samples = Array.from({ length: 3000 }, (_, i) => ({ value: 1, timestamp: NOW_MS + i }));
    const request = encodeRequest(Array.from({ length: 10 }, () => ({ labels: [["__name__", "cpu_x"]] as const, samples })));
    expect(readAll(engine, new SeriesDocument(request, "1.0"))).toBeGreaterThan(4);
    expect(finish(engine)).toEqual(["cpu_x  30000"]);
  });

  test.each([
    [
      2,
      "total",
      "rule r counts the increases of m, which its sender calls a gauge: every fall will look like a reset; use avg, min, max or last for it",
    ],
    [
      1,
      "sum_samples",
      "rule r makes sum_samples of m, which its sender calls a counter: running totals are added up; use total, increase or rate_sum for it",
    ],
    [1, "total", undefined],
    [2, "sum_samples", undefined],
    [0, "total", undefined],
  ])("2.0 metadata of type %i under %s -> a note where they contradict each other, once per series", (type, output, note) => {
    const engine = openEngine(`- {name: r, match: m, interval: 10s, by: [a], outputs: [${output}]}\n`);
    const request = (): SeriesDocument => new SeriesDocument(encodeRequest2([{ ...series({ __name__: "m" }, 1), type }]), "2.0");
    const first = request();
    readAll(engine, first);
    expect([...first.notes.values()]).toEqual(note === undefined ? [] : [note]);
    const second = request();
    readAll(engine, second);
    expect(second.notes.size).toBe(0);
  });
});
