// Plan: whatever comes in, and in whatever pieces, the engine keeps its books and does the same.
//   - the fast reader and the complete decoder lead to the same rows and the same ledger (a line on its own is always new to an
//     engine, so it takes the decoder's way; the same lines again take the reader's)
//   - the equations of the ledger hold after any bytes
//   - InfluxData's corpus at random chunk edges: what the decoder says, counted

import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Engine } from "#limpet/aggregate/engine.js";
import { ROOT_PAGES } from "#limpet/kernel/layout.js";
import { decodeLine } from "#limpet/metric/lineDecoder.js";
import { pick, type Random, seededRandom } from "../reference/seededRandom.js";
import { disposeEngines, finish, forgetKeys, imbalance, openEngine } from "./openEngine.js";

const REPLAY = { startMs: Number.NEGATIVE_INFINITY };
const RULES = `
- { interval: 10s, outputs: [sum_samples, count_samples, min, max, last, stdvar, "quantiles(0.5)"] }
- { match: '{__name__=~"cpu.*"}', interval: 10s, by: [host], outputs: [total, increase], first_sample: zero }`;
const NUMBERS = [
  ..."0 -0 1 -1 1.5 00.5 .5 5. 1e3 1E-3 -1.25e+2 1e400 1e-400 123456789012345 1234567890123456 0.30000000000000004 179769313486231570000".split(" "),
  ..."0i -0i 7i -7i 007i 00u 7u -7u 123456789012345i 9223372036854775807i 9223372036854775808i 18446744073709551615u".split(" "),
  ..."t T f F true True TRUE false False FALSE tr fals nan inf + - 1. . 1.2.3 0x1 1_0 1f".split(" "),
  ...['""', '"a b"', '"a,b=c"', '"a\\"b"', '"\\\\"', '"two\nlines"', '"open'],
];
const NAMES = ["f", "g", "usage_user", "with\\ space", "with\\,comma", "with\\=equals", "back\\slash", "back\\", "é", "\x7f", "f.g"];
const TIMES = [
  "",
  " ",
  " 1700000001000000000",
  " 1700000011999999999",
  " 1700000001",
  " -1",
  " 0000000000000000001",
  " 9223372036854775807",
  " 9223372036854775808",
  " 17x",
];
const KEYS = [
  "cpu",
  "cpu,host=a",
  "cpu,host=b",
  "cpu,host=a\\ b,x=y",
  "mem,host=a",
  "m\\,n",
  "a\\\\b,t=\\\\",
  "cpu,host=",
  ",",
  "#no",
  "cpu,host=a,host=b",
  "\xff\xfe",
];
const ENDS = ["\n", "\n", "\n", "\r\n", "\n\n", " \n", "\t\n", "\r"];

/** A line as Telegraf writes it (wild 0), or as nobody should. */
function randomLine(random: Random, wild: number): string {
  const strange = (): boolean => random() < wild;
  const count = 1 + Math.floor(random() * 4);
  const fields = Array.from({ length: count }, (_, i) => {
    const name = strange() ? pick(random, NAMES) : (NAMES[i] ?? "f");
    const value = strange()
      ? pick(random, NUMBERS)
      : pick(random, [String(Math.floor(random() * 1e6) / 64), `${String(Math.floor(random() * 1e9))}i`, "true"]);
    return `${name}=${value}`;
  });
  const key = pick(random, strange() ? KEYS : KEYS.slice(0, 5));
  const line = `${key}${strange() ? "  " : " "}${fields.join(",")}${strange() ? pick(random, TIMES) : ` 17000000${String(10 + Math.floor(random() * 40))}123456789`}${strange() ? pick(random, ENDS) : "\n"}`;
  if (!strange() || random() < 0.5) return line;
  const at = Math.floor(random() * line.length);
  return line.slice(0, at) + pick(random, ["", " ", ",", "=", '"', "\\", "\n", "\0", "9", "e", line.slice(at, at + 3)]) + line.slice(at + 1);
}

/** Everything an engine has to say about its input. */
function outcome(engine: Engine): unknown {
  const { samplesReceived, samplesIgnored, linesRead, linesInvalid, rules } = engine.ledger();
  const pairs = rules.map(({ pairsMatched, pairsApplied, pairsIgnored }) => [pairsMatched, pairsApplied, pairsIgnored]);
  return { rows: finish(engine, 0), samplesReceived, samplesIgnored, linesRead, linesInvalid, pairs };
}

const seeds = fc.tuple(fc.integer(), fc.constantFrom(0, 0.05, 0.3));

afterEach(disposeEngines);

describe("input", () => {
  test("input: the same bytes through the reader and, line by line, through the decoder -> the same rows and ledger", () => {
    fc.assert(
      fc.property(seeds, ([seed, wild]) => {
        const random = seededRandom(seed);
        const bytes = Buffer.from(Array.from({ length: 40 }, () => randomLine(random, wild)).join(""), "latin1");
        const [fast, slow] = [openEngine(RULES, REPLAY), openEngine(RULES, REPLAY)];
        fast.feed(0, bytes, true);
        // Keys and predictions forgotten before each line: nothing is plain any more.
        for (let at = 0; at < bytes.length; ) {
          const result = decodeLine(bytes, at, bytes.length, true);
          if (result.kind === "incomplete") throw new Error("incomplete at the end");
          forgetKeys(slow);
          slow.feed(0, bytes.subarray(at, result.next), result.next === bytes.length);
          at = result.next;
        }
        expect(outcome(fast)).toEqual(outcome(slow));
        disposeEngines();
      }),
      { numRuns: 150 },
    );
  });

  test("input: any pieces -> the same rows, ledger and errors", () => {
    fc.assert(
      fc.property(seeds, ([seed, wild]) => {
        const random = seededRandom(seed);
        const bytes = Buffer.from(Array.from({ length: 40 }, () => randomLine(random, wild)).join(""), "latin1");
        const [whole, pieces] = [openEngine(RULES, REPLAY), openEngine(RULES, REPLAY)];
        const expected = whole.feed(0, bytes, true);
        const actual = [];
        for (let at = 0; at < bytes.length; ) {
          const end = Math.min(bytes.length, at + 1 + Math.floor(random() * 60));
          actual.push(...pieces.feed(0, bytes.subarray(at, end), end === bytes.length));
          at = end;
        }
        expect(actual).toEqual(expected);
        expect(outcome(pieces)).toEqual(outcome(whole));
        disposeEngines();
      }),
      { numRuns: 100 },
    );
  });

  test("input: any lines, clocks, ticks -> received = matched + ignored, matched pairs = applied + ignored + dropped", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), ([seed, wild], small) => {
        const random = seededRandom(seed);
        const capped = RULES.replaceAll(
          "interval: 10s",
          "interval: 10s, grace: 1s, staleness_interval: 1m, series_memory: 1m, max_series: 9, max_groups: 5",
        );
        const engine = openEngine(capped, {
          startMs: 1_700_000_000_000,
          maxFutureMs: 15_000,
          memoryBytesMax: small ? (ROOT_PAGES + 5) * 65_536 : 2 ** 26,
        });
        let nowMs = 1_700_000_000_000;
        for (let i = 0; i < 60; i++) {
          const line =
            random() < 0.5 ? `cpu,host=h${String(Math.floor(random() * 2000))},x=${"x".repeat(600)} f=${String(i)}\n` : randomLine(random, wild);
          engine.feed(nowMs, Buffer.from(line, "latin1"));
          nowMs += Math.floor(random() * 3000) * (random() < 0.05 ? 100 : 1);
          if (random() < 0.3) engine.step(nowMs, { kind: "tick" });
          expect(imbalance(engine)).toEqual([0, 0, 0]);
        }
        engine.step(nowMs, { kind: "finish" });
        expect(imbalance(engine)).toEqual([0, 0, 0]);
        disposeEngines();
      }),
      { numRuns: 100 },
    );
  });

  test("input: the conformance corpus at random chunk edges -> never throws, counts what the decoder finds", () => {
    // The fixture's own shape (its README).
    const corpus = JSON.parse(readFileSync(new URL("../fixtures/line-protocol-corpus/corpus.json", import.meta.url), "utf8")) as {
      decode: Record<string, { input: { text: string | { binary: string } } }>;
    };
    const random = seededRandom(7);
    let points = 0;
    for (const { input } of Object.values(corpus.decode)) {
      const bytes = typeof input.text === "string" ? Buffer.from(input.text) : Buffer.from(input.text.binary, "base64");
      let fields = 0;
      let errors = 0;
      for (let at = 0; at < bytes.length; ) {
        const result = decodeLine(bytes, at, bytes.length, true);
        if (result.kind === "incomplete") throw new Error("incomplete at the end");
        if (result.kind === "point") fields += result.point.fields.length;
        if (result.kind === "error") errors++;
        at = result.next;
      }
      const engine = openEngine(RULES, REPLAY);
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + 1 + Math.floor(random() * bytes.length));
        engine.feed(0, bytes.subarray(at, end), end === bytes.length);
        at = end;
      }
      const { samplesReceived, linesInvalid } = engine.ledger();
      expect([bytes.toString("latin1"), samplesReceived, linesInvalid["syntax"] ?? 0]).toEqual([bytes.toString("latin1"), fields, errors]);
      points += fields;
      disposeEngines();
    }
    expect(points).toBeGreaterThan(1000);
  });
});
