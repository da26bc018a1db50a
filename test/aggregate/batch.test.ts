// Plan: whatever a router sends, twice, out of order or with gaps, is applied once to each range, and the answers say how far each
// range is. Pairs outside the ranges that take a batch are not even counted. Windows wait for what a router says it still has, and
// no longer than hold.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { BatchSaid } from "#limpet/aggregate/batch.js";
import type { Engine } from "#limpet/aggregate/engine.js";
import { LEDGER_COMPLETE } from "#limpet/kernel/layout.js";
import { KEY_END, type KeyRange, WHOLE } from "#limpet/slice/keyRange.js";
import { disposeEngines, imbalance, openEngine, rowTexts, tick } from "./openEngine.js";

const RULES = `
- { match: m_f, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples] }
- { match: c_n, interval: 20s, grace: 5s, by: [s], outputs: [total], first_sample: zero }`;
const MIDDLE = KEY_END / 2;
const LOW: KeyRange = { low: 0, high: MIDDLE };
const HIGH: KeyRange = { low: MIDDLE, high: KEY_END };
const SERIES = Array.from({ length: 16 }, (_, k) => `s=s${String(k)}`);

afterEach(disposeEngines);

interface Said {
  readonly seq: number;
  readonly prev: number;
  readonly kept?: number;
  readonly oldestMs?: number;
  readonly ranges?: readonly KeyRange[];
  readonly router?: string;
  readonly statedMs?: number;
}

function head({ seq, prev, kept = 1, oldestMs, ranges = [WHOLE], router = "r.1", statedMs = 0 }: Said): BatchSaid {
  return { router, seq, statedMs, ranges: ranges.map((range) => ({ ...range, prev, kept, oldestMs })) };
}

/** One sample of 1 per series at `atMs`. */
function body(atMs: number): Buffer {
  return Buffer.from(SERIES.map((tags) => `m,${tags} f=1 ${String(atMs)}000000\nc,${tags} n=1 ${String(atMs)}000000\n`).join(""));
}

function send(engine: Engine, nowMs: number, said: Said, sent = body(nowMs)): string {
  const answers = engine.batch(nowMs, head(said), sent);
  return answers
    .map(({ low, high, answer, applied }) => `${String(low / KEY_END)}-${String(high / KEY_END)} ${answer} ${String(applied)}`)
    .join(", ");
}

const heartbeat = (engine: Engine, nowMs: number, said: Said): string => send(engine, nowMs, said, Buffer.alloc(0));
const matched = (engine: Engine): number => engine.ledger().rules[0]?.pairsMatched ?? -1;
const ranges = (engine: Engine): number => engine.parts.list.length;

describe("batch", () => {
  test("batch: twice, or older ones later -> duplicate, applied once", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    expect(send(engine, 101_000, { seq: 1, prev: 0 })).toBe("0-1 applied 1");
    expect(send(engine, 101_000, { seq: 1, prev: 0 })).toBe("0-1 duplicate 1");
    expect(send(engine, 102_000, { seq: 4, prev: 1 })).toBe("0-1 applied 4");
    expect(send(engine, 101_000, { seq: 1, prev: 0 })).toBe("0-1 duplicate 4");
    expect(matched(engine)).toBe(32);
    expect(imbalance(engine)).toEqual([0, 0, 0]);
    expect(engine.ledger()).toMatchObject({ samplesReceived: 0, samplesMatched: 0, linesRead: 0 });
  });

  test("batch: its predecessor is missing -> gap, nothing applied; after it -> applied", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    expect(send(engine, 101_000, { seq: 2, prev: 1 })).toBe("0-1 gap 0");
    expect(matched(engine)).toBe(0);
    expect(send(engine, 101_000, { seq: 1, prev: 0 })).toBe("0-1 applied 1");
    expect(send(engine, 101_000, { seq: 2, prev: 1 })).toBe("0-1 applied 2");
  });

  test("batch: its predecessor is missing and given up -> counted once, incomplete since now, applied", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    expect(send(engine, 105_000, { seq: 9, prev: 7, kept: 9 })).toBe("0-1 applied 9");
    expect(heartbeat(engine, 106_000, { seq: 9, prev: 9, kept: 9 })).toBe("0-1 applied 9");
    expect(engine.ledger().losses).toBe(1);
    expect(f64.load((engine.parts.ledgers()[0]?.at ?? 0) + LEDGER_COMPLETE)).toBe(105_000);
    expect(matched(engine)).toBe(16);
  });

  test("batch: for one range -> its pairs alone are counted, the rest comes with the other's", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    expect(send(engine, 101_000, { seq: 1, prev: 0, ranges: [LOW] })).toBe("0-0.5 applied 1");
    const low = matched(engine);
    expect(low).toBeGreaterThan(0);
    expect(low).toBeLessThan(16);
    expect(send(engine, 101_000, { seq: 1, prev: 0, ranges: [LOW, HIGH] })).toBe("0-0.5 duplicate 1, 0.5-1 applied 1");
    expect(matched(engine)).toBe(16);
    expect(imbalance(engine)).toEqual([0, 0, 0]);
    const blocks = engine.step(116_000, { kind: "tick" }).flatMap((action) => (action.kind === "rows" ? [action.block] : []));
    expect(blocks.map(({ keys = [] }) => Math.floor(Math.max(...keys) / MIDDLE))).toEqual([0, 1]);
    expect(blocks.map(({ keys }) => keys?.length)).toEqual(blocks.map(({ rowCount }) => rowCount));
    expect(blocks.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(16);
  });

  test("batch: of routers that divide otherwise -> parts are cut where cursors differ, and joined when they agree", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    send(engine, 101_000, { seq: 1, prev: 0 });
    expect(send(engine, 101_000, { seq: 1, prev: 0, ranges: [LOW], router: "r.2" })).toBe("0-0.5 applied 1");
    expect(ranges(engine)).toBe(2);
    expect(send(engine, 101_000, { seq: 1, prev: 0, ranges: [WHOLE], router: "r.2" })).toBe("0-0.5 duplicate 1, 0.5-1 applied 1");
    expect(ranges(engine)).toBe(2);
    tick(engine, 161_000);
    expect(ranges(engine)).toBe(1);
    expect(matched(engine)).toBe(32);
  });

  test("batch: ranges not held, copies, frozen -> elsewhere, elsewhere, wait; what is held is applied", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    engine.parts.drop(HIGH);
    expect(send(engine, 101_000, { seq: 1, prev: 0 })).toBe("0-0.5 applied 1, 0.5-1 elsewhere 0");
    const [part] = engine.parts.list;
    if (part === undefined) throw new Error("no part");
    const before = matched(engine);
    engine.parts.setMode(part, "frozen");
    expect(send(engine, 102_000, { seq: 2, prev: 1 })).toBe("0-0.5 wait 0, 0.5-1 elsewhere 0");
    expect(matched(engine)).toBe(before);
    engine.parts.setMode(part, "copy");
    expect(send(engine, 102_000, { seq: 2, prev: 1 })).toBe("0-1 elsewhere 0");
    engine.parts.setMode(part, "serving");
    expect(send(engine, 102_000, { seq: 2, prev: 1 })).toBe("0-0.5 applied 2, 0.5-1 elsewhere 0");
  });

  test("batch: wrong lines in it -> counted, the others applied, no gap", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    const text = `m,s=a f=1 101000000000\nnonsense\nm,s=b f=1 101000000000\n`;
    expect(send(engine, 101_000, { seq: 1, prev: 0 }, Buffer.from(text))).toBe("0-1 applied 1");
    expect(engine.ledger()).toMatchObject({ linesRead: 1, linesInvalid: { syntax: 1 }, samplesReceived: 0 });
    expect(matched(engine)).toBe(2);
  });

  test("batch: larger than a piece -> applied in one step", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    const line = `m,s=a,fill=${"x".repeat(60)} f=1 101000000000\n`;
    expect(send(engine, 101_000, { seq: 1, prev: 0 }, Buffer.from(line.repeat(20_000)))).toBe("0-1 applied 1");
    expect(matched(engine)).toBe(20_000);
  });

  test("batch: pieces cut short, or whose heads are none -> lines and comments, the rest counted; no batch fails", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    const line = "m,s=a f=1 101000000000\n";
    const heads = [
      "",
      "# a user's\n",
      "#limpet lines 000000000000101000 9999999999\n",
      "#limpet lines 000000000000101000 000000002\n",
      "#limpet words 000000000000101000 0000000023\n",
      "#limpet series 000000000000101000 0000000000\n#limpet lines 000000000000101000 0000000000\n",
    ];
    for (const [i, text] of heads.entries()) send(engine, 101_000, { seq: i + 1, prev: i }, Buffer.from(text + line));
    expect(matched(engine)).toBe(heads.length);
    send(engine, 101_000, { seq: 7, prev: 6 }, Buffer.from("#limpet series 000000000000101000 0000000005\nhello"));
    send(engine, 101_000, { seq: 8, prev: 7 }, Buffer.from(`#limpet lines 000000000000101000 0000000022\n${line}`));
    expect(matched(engine)).toBe(heads.length + 1);
    expect(engine.ledger().linesInvalid).toEqual({ series: 1 });
  });

  test("batch: a router whose clock is far ahead -> its samples arrive as late as the future begins", () => {
    const engine = openEngine("- { interval: 10s, by: [s], outputs: [sum_samples], time: arrival }", { startMs: 100_000, maxFutureMs: 20_000 });
    const line = "m,s=a f=1 101000000000\n";
    send(engine, 101_000, { seq: 1, prev: 0 }, Buffer.from(`#limpet lines 000000000999999000 0000000023\n${line}`));
    send(engine, 101_000, { seq: 2, prev: 1 }, Buffer.from(`#limpet lines 000000000000100500 0000000023\n${line}`));
    const rows = tick(engine, 999_000).map((row) => row.split(" ").slice(1).join(" "));
    expect(rows.filter((row) => row.startsWith("1"))).toEqual(["1 110000", "1 130000"]);
  });

  test("batch: a router silent for an hour -> forgotten; the others stay", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    send(engine, 101_000, { seq: 1, prev: 0 });
    send(engine, 3_700_000, { seq: 1, prev: 0, router: "r.2" });
    tick(engine, 3_702_000);
    expect([...(engine.parts.at(0)?.cursors.keys() ?? [])]).toEqual(["r.2"]);
  });
});

describe("hold", () => {
  const opened = (): Engine => openEngine(RULES, { startMs: 100_000, holdMs: 30_000 });
  const closes = (engine: Engine, nowMs: number): number =>
    rowTexts(engine.step(nowMs, { kind: "tick" })).filter((row) => /^m_.* 110000$/.test(row)).length;

  test("hold: a router has older samples -> its windows wait, and their late samples count in time", () => {
    const engine = opened();
    send(engine, 106_000, { seq: 1, prev: 0, oldestMs: 104_000, statedMs: 106_000 });
    expect(closes(engine, 116_000)).toBe(0);
    send(engine, 117_000, { seq: 2, prev: 1, statedMs: 117_000 }, body(104_000));
    expect(tick(engine, 118_000).filter((row) => row.startsWith("m_"))).toHaveLength(16);
    expect(engine.ledger().rules[0]?.pairsDropped).toEqual({});
  });

  test("hold: what a router said before end + grace -> waits for a newer word", () => {
    const engine = opened();
    send(engine, 106_000, { seq: 1, prev: 0, oldestMs: 112_000, statedMs: 113_000 });
    expect(closes(engine, 116_000)).toBe(0);
    expect(heartbeat(engine, 116_500, { seq: 1, prev: 1, oldestMs: 112_000, statedMs: 115_000 })).toBe("0-1 applied 1");
    expect(closes(engine, 117_000)).toBe(16);
  });

  test("hold: a heartbeat that a newer word has overtaken -> says nothing", () => {
    const engine = opened();
    send(engine, 106_000, { seq: 1, prev: 0, oldestMs: 104_000, statedMs: 106_000 });
    heartbeat(engine, 106_100, { seq: 1, prev: 1, statedMs: 105_000 });
    expect(closes(engine, 116_000)).toBe(0);
  });

  test("hold: silent, or stuck at one sample -> hold after its last word, or after end + grace, and no longer", () => {
    const silent = opened();
    send(silent, 106_000, { seq: 1, prev: 0, oldestMs: 104_000, statedMs: 106_000 });
    expect([closes(silent, 135_900), closes(silent, 136_100)]).toEqual([0, 16]);
    const stuck = opened();
    for (let nowMs = 106_000; nowMs < 145_000; nowMs += 1000) {
      heartbeat(stuck, nowMs, { seq: 0, prev: 0, oldestMs: 104_000, statedMs: nowMs });
      if (nowMs === 106_000) send(stuck, nowMs, { seq: 1, prev: 0, oldestMs: 104_000, statedMs: nowMs });
      else heartbeat(stuck, nowMs, { seq: 1, prev: 1, oldestMs: 104_000, statedMs: nowMs });
      expect(closes(stuck, nowMs)).toBe(0);
    }
    expect(closes(stuck, 145_000)).toBe(16);
  });

  test("hold: taken over after the window's end -> a backlog holds it from then on", () => {
    const engine = opened();
    send(engine, 106_000, { seq: 1, prev: 0, oldestMs: 104_000, statedMs: 106_000 });
    const [part] = engine.parts.list;
    if (part === undefined) throw new Error("no part");
    part.takenOverMs = 150_000;
    heartbeat(engine, 150_000, { seq: 1, prev: 1, oldestMs: 104_000, statedMs: 150_000 });
    expect(closes(engine, 160_000)).toBe(0);
    heartbeat(engine, 170_000, { seq: 1, prev: 1, oldestMs: 104_000, statedMs: 170_000 });
    expect([closes(engine, 179_900), closes(engine, 180_100)]).toEqual([0, 16]);
  });
});
