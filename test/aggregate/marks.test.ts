// Plan: marks are rows too. A Group's end is said once for each of its series, at the end of the first Window without it; its
// beginning is a zero just behind the Window's start for what is cumulative. Asked for or not, they change no sample.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine, EngineAction } from "#limpet/aggregate/engine.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { type MarkKind, RowReader } from "#limpet/metric/rowBlock.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { disposeEngines, feedLines, openEngine, rowTexts } from "./openEngine.js";

const RULE = `
- { match: c_n, interval: 10s, grace: 5s, staleness_interval: 1m, by: [s], outputs: [total, max, histogram_bucket, "quantiles(0.5, 0.9)"], first_sample: zero }`;
const BOTH: ReadonlySet<MarkKind> = new Set(["stale", "zero"]);

afterEach(disposeEngines);

/** Blocks in order: their mark, then their rows as `name{labels} value timestamp from START type`, sorted. */
function blocks(actions: readonly EngineAction[]): [string, ...string[]][] {
  return actions.flatMap((action): [string, ...string[]][] => {
    if (action.kind !== "rows") return [];
    const reader = new RowReader(action.block.bytes);
    const view = new DataView(action.block.bytes.buffer, action.block.bytes.byteOffset);
    const texts: string[] = [];
    while (reader.next()) {
      const { name, labels } = reader.row();
      const bits = view.getBigUint64(reader.rowEnd - 16, true);
      const value = Number.isNaN(reader.value) ? `NaN:${bits.toString(16)}` : String(reader.value);
      texts.push(`${name}${JSON.stringify(labels)} ${value} ${String(reader.timestampMs)} from ${String(reader.startMs)} ${reader.type}`);
    }
    return [[action.block.mark ?? "samples", ...texts.sort()]];
  });
}

function marked(actions: readonly EngineAction[]): [string, ...string[]][] {
  return blocks(actions).filter(([mark]) => mark !== "samples");
}

function tickTo(engine: Engine, nowMs: number): EngineAction[] {
  return engine.step(nowMs, { kind: "tick" });
}

describe("marks", () => {
  test("marks: a group begins -> before its first rows a zero for each cumulative series, 1 ms into the window", () => {
    const engine = openEngine(RULE, { startMs: 100_000, marks: BOTH });
    feedLines(engine, 111_000, "c,s=x n=5 111000");
    const found = blocks(tickTo(engine, 126_000));
    expect(found.map(([mark]) => mark)).toEqual(["zero", "samples"]);
    expect(found[0]?.slice(1)).toEqual([
      'c_n:10s_by_s_histogram_bucket{"s":"x","vmrange":"4.642e+00...5.275e+00"} 0 110001 from 110000 counter',
      'c_n:10s_by_s_total{"s":"x"} 0 110001 from 110000 counter',
    ]);
    feedLines(engine, 127_000, "c,s=x n=7 127000");
    expect(marked(tickTo(engine, 136_000))).toEqual([]);
  });

  test("type: set by the rule -> on its rows and marks; what is cumulative stays so", () => {
    const engine = openEngine("- { interval: 10s, grace: 5s, by: [s], outputs: [total, max], type: histogram }", { startMs: 100_000, marks: BOTH });
    feedLines(engine, 111_000, "c,s=x n=5 111000");
    expect(blocks(tickTo(engine, 126_000))).toEqual([
      ["zero", 'c_n:10s_by_s_total{"s":"x"} 0 110001 from 110000 histogram'],
      ["samples", 'c_n:10s_by_s_max{"s":"x"} 5 120000 from 0 histogram', 'c_n:10s_by_s_total{"s":"x"} 0 120000 from 110000 histogram'],
    ]);
  });

  test("marks: a group's first window began before the process -> its zero is no older than the process; after its end -> none", () => {
    const engine = openEngine(RULE, { startMs: 113_000, marks: BOTH });
    feedLines(engine, 113_000, "c,s=x n=5 112000", "c,s=y n=5 105000");
    const zeroes = marked(tickTo(engine, 126_000)).flatMap(([, ...rows]) => rows);
    expect(zeroes.filter((row) => row.includes("_total"))).toEqual(['c_n:10s_by_s_total{"s":"x"} 0 113000 from 110000 counter']);
  });

  test("marks: a slice moves, or its process comes back with its state, within a group's first window -> its zero is written all the same", () => {
    const from = openEngine(RULE, { startMs: 100_000, marks: BOTH });
    feedLines(from, 112_000, "c,s=x n=5 112000");
    const to = openEngine(RULE, { startMs: 121_000, marks: BOTH });
    restoreSnapshot(to, takeSnapshot(from, WHOLE, { term: "1.2", number: 1 }));
    to.parts.split(2 ** 31);
    const zeroes = marked(tickTo(to, 126_000)).flatMap(([, ...rows]) => rows);
    expect(zeroes.filter((row) => row.includes("_total"))).toEqual(['c_n:10s_by_s_total{"s":"x"} 0 110001 from 110000 counter']);
  });

  test("marks: a group is silent for staleness_interval -> one marker per series, at the end of the first window without it; back again -> a new zero", () => {
    const engine = openEngine(RULE, { startMs: 100_000, marks: BOTH });
    feedLines(engine, 111_000, "c,s=x n=5 111000");
    tickTo(engine, 126_000);
    expect(marked(tickTo(engine, 184_000))).toEqual([]);
    const end = blocks(tickTo(engine, 185_000));
    const marker = "NaN:7ff0000000000002 180000 from";
    expect(end).toEqual([
      [
        "stale",
        `c_n:10s_by_s_histogram_bucket{"s":"x","vmrange":"4.642e+00...5.275e+00"} ${marker} 110000 counter`,
        `c_n:10s_by_s_max{"s":"x"} ${marker} 0 gauge`,
        `c_n:10s_by_s_quantiles{"quantile":"0.5","s":"x"} ${marker} 0 gauge`,
        `c_n:10s_by_s_quantiles{"quantile":"0.9","s":"x"} ${marker} 0 gauge`,
        `c_n:10s_by_s_total{"s":"x"} ${marker} 110000 counter`,
      ],
    ]);
    feedLines(engine, 189_000, "c,s=x n=6 189000");
    const again = blocks(tickTo(engine, 206_000));
    expect(again[0]?.[0]).toBe("zero");
    expect(again[0]?.[2]).toBe('c_n:10s_by_s_total{"s":"x"} 0 180001 from 180000 counter');
  });

  test("marks: a row that relabelling drops, a shadow rule -> not marked", () => {
    const relabelled = RULE.replace(
      " }",
      ", output_relabel_configs: [{ action: drop, source_labels: [__name__], regex: '.*_(max|quantiles|histogram_bucket)' }] }",
    );
    for (const [rule, rows] of [
      [relabelled, 1],
      [RULE.replace(" }", ", state: shadow }"), 0],
    ] as const) {
      const engine = openEngine(rule, { startMs: 100_000, marks: BOTH });
      feedLines(engine, 111_000, "c,s=x n=5 111000");
      tickTo(engine, 126_000);
      expect(marked(tickTo(engine, 195_000)).flatMap(([, ...texts]) => texts)).toHaveLength(rows);
    }
  });

  test("marks: nobody wants them -> the same samples, nothing else", () => {
    const run = (marks: ReadonlySet<MarkKind>): EngineAction[] => {
      const engine = openEngine(RULE, { startMs: 100_000, marks });
      return [111_000, 121_000, 201_000, 211_000].flatMap((at) => {
        feedLines(engine, at, `c,s=x n=${String(at)} ${String(at)}`, `c,s=y n=${String(at)} ${String(at)}`);
        return tickTo(engine, at + 15_000);
      });
    };
    const all = run(BOTH);
    const plain = run(new Set());
    expect(marked(plain)).toEqual([]);
    expect(marked(all).map(([mark]) => mark)).toEqual(["zero", "stale", "zero"]);
    expect(rowTexts(plain)).toEqual(rowTexts(all.filter((action) => action.kind === "rows" && action.block.mark === undefined)));
  });

  test("marks: in the outbox of a snapshot -> restored with it", () => {
    const engine = openEngine(RULE, { startMs: 100_000 });
    const block = { sink: "s", rule: "r", windowEndMs: 5, rowCount: 1, bytes: Uint8Array.of(1, 2, 3), mark: "stale" as const };
    const bytes = takeSnapshot(engine, WHOLE, { term: "1.2", number: 3 }, { outbox: [block] });
    expect(restoreSnapshot(openEngine(RULE, { startMs: 100_000 }), bytes).outbox).toEqual([block]);
  });

  test("row: more labels than a group may have -> the sample is dropped as series_cap, the engine goes on", () => {
    const engine = openEngine("- { match: c_n, interval: 10s, grace: 5s, outputs: [max] }", { startMs: 100_000 });
    const tags = (count: number): string => Array.from({ length: count }, (_, i) => `,t${String(i)}=v`).join("");
    feedLines(engine, 111_000, `c${tags(4097)} n=5 111000`, `c${tags(70_000)} n=5 111000`, `c${tags(4096)} n=5 111000`);
    expect(engine.ledger().rules[0]).toMatchObject({ pairsMatched: 3, pairsApplied: 1, pairsDropped: { series_cap: 2 } });
    expect(rowTexts(tickTo(engine, 126_000))).toHaveLength(1);
  });
});
