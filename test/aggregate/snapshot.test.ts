// Plan: a snapshot is the state, all of it and nothing else: parts of the key space add up to the whole, another program's or a
// damaged file is refused as such, and what version 1 wrote is read for ever (fixtures/snapshot-v1.bin; later versions:
// test/frozen). That it changes no row at any moment is the conformance suite's.
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine } from "#limpet/aggregate/engine.js";
import { restoreSnapshot, takeSnapshot } from "#limpet/aggregate/snapshot.js";
import { SnapshotError } from "#limpet/aggregate/snapshotError.js";
import { type KeyRange, WHOLE } from "#limpet/slice/keyRange.js";
import { disposeEngines, feedLines, finish, imbalance, openEngine, tick } from "./openEngine.js";

const RULES = `
- { match: m_f, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, stddev, last, "quantiles(0.5)"] }
- { match: c_n, interval: 20s, grace: 5s, by: [s], outputs: [total, increase], first_sample: zero }
- { match: c_n, interval: 10s, grace: 5s, by: [s], outputs: [rate_sum], first_sample: baseline }`;
const ID = { term: "1.2", number: 3 };
const fixture = new URL("../fixtures/snapshot-v1.bin", import.meta.url);
const fixtureRows = new URL("../fixtures/snapshot-v1.txt", import.meta.url);

afterEach(disposeEngines);

/** An engine with open windows, running totals, late carry, idle groups, and sketches of both signs. */
function busyEngine(): Engine {
  const engine = openEngine(RULES, { startMs: 100_000 });
  for (let i = 0; i < 40; i++) {
    const at = 101_000 + i * 500;
    const service = `s${String(i % 7)}é`;
    feedLines(
      engine,
      at,
      `m,s=${service},h=h${String(i)} f=${String((i - 20) * 1.37)} ${String(at)}`,
      `c,s=${service},h=h${String(i % 9)} n=${String(i * i)} ${String(at)}`,
    );
  }
  tick(engine, 126_000);
  feedLines(engine, 126_000, "c,s=s1é,h=h1 n=9999 119999");
  feedLines(engine, 128_000, "m,s=s2é,h=h1 f=1e300 128000", "m,s=s2é,h=h1 f=0 128000", "c,s=s3é,h=h3 n=1 128000");
  return engine;
}

function snapshotOf(engine: Engine, range: KeyRange = WHOLE): Uint8Array {
  const block = {
    sink: "s",
    rule: "r",
    windowEndMs: 5,
    rowCount: 1,
    bytes: Uint8Array.of(1, 2, 3),
    keys: Uint32Array.of(4_000_000_000),
    offeredMs: 7,
  };
  return takeSnapshot(engine, range, ID, { outbox: [block] });
}

/** What an engine goes on to say: rows of later samples, of a tick and of its end. */
function future(engine: Engine): string[] {
  feedLines(engine, 129_000, "m,s=s2é,h=h1 f=7 129000", "c,s=s3é,h=h3 n=21 129000", "c,s=s1é,h=h1 n=10009 129500");
  return [...tick(engine, 135_000), ...finish(engine, 141_000)];
}

function codeOf(bytes: Uint8Array): string {
  const engine = openEngine(RULES, { startMs: 100_000 });
  try {
    restoreSnapshot(engine, bytes);
    return "restored";
  } catch (error) {
    return error instanceof SnapshotError ? error.code : String(error);
  } finally {
    disposeEngines();
  }
}

describe("snapshot", () => {
  test("snapshot: restored -> the same rows from then on, the outbox, the same ledger", () => {
    const engine = busyEngine();
    const bytes = snapshotOf(engine);
    const copy = openEngine(RULES, { startMs: 900_000 });
    const restored = restoreSnapshot(copy, bytes);
    expect(restored).toMatchObject({ id: ID, groups: 21, forgottenGroups: 0, forgottenRules: [], lateOutputs: [] });
    expect(restored.outbox).toEqual([
      { sink: "s", rule: "r", windowEndMs: 5, rowCount: 1, bytes: Uint8Array.of(1, 2, 3), keys: Uint32Array.of(4_000_000_000), offeredMs: 7 },
    ]);
    expect(copy.ledger().rules.map(({ pairsMatched, pairsApplied }) => [pairsMatched, pairsApplied])).toEqual(
      engine.ledger().rules.map(({ pairsMatched, pairsApplied }) => [pairsMatched, pairsApplied]),
    );
    const expected = future(engine);
    expect(expected.length).toBeGreaterThan(20);
    expect(future(copy)).toEqual(expected);
  });

  test.each([0.01, 0.3, 0.5, 0.77])("snapshot: the key space cut at %d -> both parts together are the whole", (share) => {
    const engine = busyEngine();
    const cut = Math.floor(share * 2 ** 32);
    const copy = openEngine(RULES, { startMs: 900_000 });
    const parts = [
      { low: 0, high: cut },
      { low: cut, high: 2 ** 32 },
    ].map((range) => restoreSnapshot(copy, snapshotOf(engine, range)).groups);
    expect((parts[0] ?? 0) + (parts[1] ?? 0)).toBe(21);
    expect(future(copy)).toEqual(future(engine));
  });

  test("snapshot: cut off anywhere -> refused", () => {
    const bytes = snapshotOf(busyEngine());
    disposeEngines();
    for (let length = 0; length < bytes.length; length += length < 40 ? 1 : 97) {
      expect([length, codeOf(bytes.subarray(0, length))]).toEqual([length, length < 8 ? "not_a_snapshot" : "damaged"]);
    }
    expect(codeOf(Buffer.concat([bytes, Buffer.of(0)]))).toBe("damaged");
  });

  test("snapshot: any one byte wrong -> refused, before anything is restored", () => {
    const bytes = snapshotOf(busyEngine());
    disposeEngines();
    const engine = openEngine(RULES, { startMs: 100_000 });
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      let code = "";
      try {
        restoreSnapshot(engine, damaged);
      } catch (error) {
        code = (error as SnapshotError).code; // checked below
      }
      expect([at, code]).toEqual([at, at < 8 ? "not_a_snapshot" : "damaged"]);
    }
    expect(engine.ledger().rules.map(({ groups }) => groups)).toEqual([0, 0, 0]);
  });

  test("snapshot: a rule gone, an output added -> the one's groups forgotten; the new output begins with the next window, the old ones lose nothing", () => {
    const bytes = snapshotOf(busyEngine());
    const [first = "", , third = ""] = RULES.trim().split("\n");
    const engine = openEngine(`${first}\n${third.replace("rate_sum", "rate_sum, max")}`, { startMs: 128_000 });
    expect(restoreSnapshot(engine, bytes)).toMatchObject({
      groups: 14,
      forgottenGroups: 7,
      forgottenRules: [expect.any(String)],
      lateOutputs: [`${engine.rules[1]?.rule.name ?? ""}: max`],
    });
    feedLines(engine, 129_000, "c,s=s1é,h=h1 n=20000 129000");
    const rows = finish(engine, 135_000);
    expect(rows.filter((row) => row.includes("c_n") && row.includes("_max") && row.includes("130000"))).toEqual([]);
    expect(rows.some((row) => row.includes("c_n") && row.includes("130000"))).toBe(true);
    feedLines(engine, 136_000, "c,s=s1é,h=h1 n=20001 136000");
    expect(finish(engine, 140_000).some((row) => row.includes("_max"))).toBe(true);
    expect(rows.some((row) => row.includes("m_f:10s_by_s_sum_samples"))).toBe(true);
  });

  test("snapshot: an added output that another rule's group writes too -> that group left out and said, the others restored", () => {
    const rules = (second: string): string => `
- { match: '{__name__=~"a_f|b_f"}', interval: 10s, grace: 5s, by: [s], outputs: [sum_samples] }
- { match: '{__name__=~"b_f|c_f"}', interval: 10s, grace: 5s, by: [s], outputs: [${second}] }`;
    const engine = openEngine(rules("min"), { startMs: 100_000 });
    feedLines(engine, 101_000, "a,s=x f=1 101000", "b,s=x f=2 101000", "c,s=x f=3 101000");
    const copy = openEngine(rules("min, sum_samples"), { startMs: 101_000 });
    expect(restoreSnapshot(copy, snapshotOf(engine))).toMatchObject({ groups: 3, forgottenGroups: 1, collidingRules: [copy.rules[1]?.rule.name] });
    feedLines(copy, 102_000, "b,s=x f=20 102000");
    expect(imbalance(copy)).toEqual([0, 0, 0]);
    expect(tick(copy, 115_000).filter((row) => row.startsWith("b_"))).toEqual(['b_f:10s_by_s_sum_samples{s="x"} 22 110000']);
  });

  test("snapshot: the counter output taken out -> each series counted once under max_series", () => {
    const rule = (outputs: string): string => `- { match: a_f, interval: 10s, grace: 5s, by: [s], max_series: 2, outputs: [${outputs}] }`;
    const lines = ["a,s=x,h=1 f=1 101000", "a,s=x,h=2 f=2 101000"];
    const engine = openEngine(rule("total, max"), { startMs: 100_000 });
    feedLines(engine, 101_000, ...lines);
    const copy = openEngine(rule("max"), { startMs: 101_000 });
    restoreSnapshot(copy, snapshotOf(engine));
    feedLines(copy, 102_000, ...lines);
    expect(copy.ledger().rules[0]).toMatchObject({ series: 2, pairsMatched: 4, pairsApplied: 4, pairsDropped: {} });
  });

  test("snapshot: version 1 as it was first written -> read, its rows unchanged", () => {
    const engine = openEngine(RULES, { startMs: 900_000 });
    expect(restoreSnapshot(engine, readFileSync(fixture)).id).toEqual(ID);
    expect(`${future(engine).join("\n")}\n`).toBe(readFileSync(fixtureRows, "utf8"));
  });
});
