// Plan: what passes the rules. As lines it is the input byte for byte, whatever way a line takes through the engine: the hot loop, the
// decoder, in part, without memory, in pieces, by HTTP. As rows it is every number with its own time. A random mix is compared with a
// naive model that splits text.
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Engine, EngineAction } from "#limpet/aggregate/engine.js";
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { rowsOf } from "#limpet/metric/rowBlock.js";
import { encodeRequest } from "../http/writeRequest.js";
import { seededRandom } from "../reference/seededRandom.js";
import { disposeEngines, feedLines, forgetKeys, imbalance, openEngine, tick } from "./openEngine.js";

afterEach(disposeEngines);

const RULES = `
- { name: taken, match: '{__name__=~"m_(a|b)"}', interval: 10s, by: [h], outputs: [sum_samples] }
- { name: kept, match: m_k, interval: 10s, by: [h], outputs: [sum_samples], matched: keep }
- { name: looks, match: m_s, interval: 10s, by: [h], outputs: [sum_samples], state: shadow }`;
const T = "1700000000000000000";
const LINES = { as: "lines", unmatched: "pass" } as const;
const ROWS = { as: "rows", unmatched: "pass" } as const;

/** What an action list hands out as lines. */
function text(actions: readonly EngineAction[]): string {
  return actions.map((action) => (action.kind === "lines" ? Buffer.from(action.bytes).toString() : "")).join("");
}

function fed(engine: Engine, input: string, final = false): string {
  return text(engine.feed(1_700_000_000_000, Buffer.from(input), final));
}

describe("lines", () => {
  test.each([
    ["nothing of it matched", `x,h=1 a=1,b="t, x=1",c=t,d=-0.50,e=9007199254740993i ${T}`, undefined],
    ["all of it matched", `m,h=1 a=1,b=2i ${T}`, ""],
    ["first field matched", `m,h=1 a=1,z=2i ${T}`, `m,h=1 z=2i ${T}`],
    ["last field matched", `m,h=1 z=2i,a=1 ${T}`, `m,h=1 z=2i ${T}`],
    ["middle fields matched", `m,h=1 y=1,a=1,b=2,z=2i,w="s" ${T}`, `m,h=1 y=1,z=2i,w="s" ${T}`],
    ["kept and taken", `m,h=1 a=1,k=5 ${T}`, `m,h=1 k=5 ${T}`],
    ["only a shadow rule wants it", `m,h=1 s=1 ${T}`, undefined],
    ["text where a rule wants a number", `m,h=1 a="1" ${T}`, undefined],
    ["escapes, decoded each time", `x\\ y,h=a\\\\\\,b a=1 ${T}`, undefined],
    ["no timestamp", "x,h=1 a=1", undefined],
    ["exponent and upper case", `x,h=1 a=1E+3,b=FALSE ${T}`, undefined],
    ["Windows line end", `x,h=1 a=1 ${T}\r`, undefined],
    ["separators", `  x,h=1   a=1  ${T}  `, undefined],
    ["text of two lines", `x,h=1 a="one\ntwo" ${T}`, undefined],
    ["a field twice", `x,h=1 a=1,a=2 ${T}`, undefined],
    ["nothing valid in its name", `€ €=1 ${T}`, undefined],
    ["decoded in part", `m,h=1 a=1e3,z=2i,y="q\\"" ${T}`, `m,h=1 z=2i,y="q\\"" ${T}`],
  ])("passed: %s -> those bytes, the first time and again", (_what, input, expected) => {
    const engine = openEngine(RULES, { pass: LINES });
    const wanted = (expected ?? input) === "" ? "" : `${expected ?? input}\n`;
    expect([1, 2, 3].map(() => fed(engine, `${input}\n`))).toEqual([wanted, wanted, wanted]);
    expect(fed(engine, `${input}\n${input}\n`)).toBe(wanted + wanted);
    expect(imbalance(engine)).toEqual([0, 0, 0, 0]);
  });

  test("passed: bad lines, comments and blank lines between -> left out and counted as before", () => {
    const engine = openEngine(RULES, { pass: LINES });
    expect(fed(engine, `x a=1 ${T}\nnonsense\n\n# note\nx a=2 ${T}\nx a=`)).toBe(`x a=1 ${T}\nx a=2 ${T}\n`);
    expect(fed(engine, `3 ${T}`, true)).toBe(`x a=3 ${T}\n`);
    expect(engine.ledger()).toMatchObject({ linesInvalid: { syntax: 1 }, samplesPassed: 3, samplesIgnored: { unmatched: 3 } });
  });

  test("passed: cut at every byte, all Keys forgotten -> the same bytes", () => {
    const input = `x,h=1 a=1 ${T}\nm,h=1 a=1,z=2 ${T}\nx,h=é a="ü" ${T}\n`;
    const engine = openEngine(RULES, { pass: LINES });
    let out = "";
    for (const byte of Buffer.from(input)) out += text(engine.feed(0, Buffer.of(byte)));
    expect(out).toBe(input.replace("a=1,z", "z"));
    forgetKeys(engine);
    expect(fed(engine, input)).toBe(out);
  });

  test("passed: random lines -> as a model that splits them", () => {
    const random = seededRandom(5);
    const pick = (of: readonly string[]): string => of[Math.floor(random() * of.length)] ?? "";
    const engine = openEngine(RULES, { pass: LINES });
    let input = "";
    let wanted = "";
    for (let i = 0; i < 5000; i++) {
      const names = ["a", "b", "k", "s", "y", "z"].filter(() => random() < 0.4);
      if (names.length === 0) continue;
      const key = `${pick(["m", "x"])},h=${pick(["1", "2", "q\\ r"])}`;
      const fields = names.map((name) => `${name}=${pick(["1", "2.5", "-3i", "t", '"s,=\\\\"', "1e5", "18446744073709551615u"])}`);
      const taken = (field: string): boolean => key.startsWith("m") && /^[ab]=[^"]/.test(field);
      input += `${key} ${fields.join(",")} ${T}\n`;
      const rest = fields.filter((field) => !taken(field));
      if (rest.length > 0) wanted += `${key} ${rest.join(",")} ${T}\n`;
    }
    // What went through the decoder in part is written anew.
    expect(canonical(fed(engine, input))).toBe(canonical(wanted));
    expect(imbalance(engine)).toEqual([0, 0, 0, 0]);
  });

  test("passed: no memory for new series -> lines that no rule wants pass all the same, the others are counted", () => {
    const engine = openEngine("- { match: m_a, interval: 10s, by: [h], outputs: [sum_samples] }", { pass: LINES, memoryBytesMax: 5 << 20 });
    const input = Array.from({ length: 20_000 }, (_, i) => `${i % 2 === 0 ? "m" : "x"},h=${String(i)} a=1 ${T}\n`);
    expect(fed(engine, input.join(""))).toBe(input.filter((line) => line.startsWith("x")).join(""));
    expect(engine.ledger().samplesIgnored["memory"]).toBeGreaterThan(0);
    expect(imbalance(engine)).toEqual([0, 0]);
  });

  test("passed: lines of thousands of fields, every other one taken -> all of the others, in order", () => {
    const engine = openEngine("- { match: '{__name__=~\"m_t.*\"}', interval: 10s, by: [h], outputs: [sum_samples] }", { pass: LINES });
    const fields = Array.from({ length: 4000 }, (_, i) => `${i % 2 === 0 ? "t" : "u"}${String(i)}=${String(i)}`);
    const wanted = `m,h=1 ${fields.filter((field) => field.startsWith("u")).join(",")} ${T}\n`;
    expect(fed(engine, `m,h=1 ${fields.join(",")} ${T}\n`.repeat(5))).toBe(wanted.repeat(5));
  });

  test("passed: a document -> its lines; another precision or a tag -> the same points, written anew", () => {
    const engine = openEngine(RULES, { pass: LINES });
    const read = (document: LineDocument): string => text(engine.step(1_700_000_000_123, { kind: "document", document }));
    expect(read(new LineDocument(Buffer.from(`x,h=1 a=1 ${T}\nm,h=1 a=1,z=1i ${T}\nx b=1`)))).toBe(
      `x,h=1 a=1 ${T}\nm,h=1 z=1i ${T}\nx b=1 1700000000123000000\n`,
    );
    const tag = { key: Buffer.from("db"), value: Buffer.from("d e") };
    expect(read(new LineDocument(Buffer.from("x,h=1 a=1E1 1700000000\n"), 1_000_000_000n, tag))).toBe(`x,db=d\\ e,h=1 a=10 ${T}\n`);
  });

  test("passed: series of remote write -> fields of the measurement Telegraf reads them as; markers and NaN do not pass", () => {
    const engine = openEngine(RULES, { pass: LINES });
    const labels = (name: string): [string, string][] => [
      ["__name__", name],
      ["h", "a b"],
    ];
    const sent = [
      { labels: labels("m_a"), samples: [{ value: 1, timestamp: 1 }] },
      { labels: labels("m_k"), samples: [{ value: 2, timestamp: 1 }] },
      { labels: labels("x:y"), samples: [1.5, Number.NaN, -1e21].map((value, i) => ({ value, timestamp: 1_700_000_000_000 + i })) },
      { labels: labels("x:y"), samples: [{ value: 0, timestamp: 5 }], stale: true },
    ];
    const document = new SeriesDocument(encodeRequest(sent), "1.0");
    const lines = [1, 2].map(() =>
      text(engine.step(0, { kind: "document", document: document.done ? new SeriesDocument(encodeRequest(sent), "1.0") : document })),
    );
    const wanted = ["m_k=2 1000000", `x:y=1.5 ${T}`, "x:y=-1000000000000000000000 1700000000002000000"];
    expect(lines).toEqual([1, 2].map(() => wanted.map((line) => `prometheus_remote_write,h=a\\ b ${line}\n`).join("")));
    expect(engine.ledger().samplesPassed).toBe(6);
  });

  test("passed: nothing unmatched, one rule keeps -> its samples alone; no rule keeps -> nothing is even looked at", () => {
    const drop = { as: "lines", unmatched: "drop" } as const;
    const input = `x,h=1 a=1 ${T}\nm,h=1 a=1,k=2,z="s" ${T}\n`;
    expect(fed(openEngine(RULES, { pass: drop }), input)).toBe(`m,h=1 k=2 ${T}\n`);
    expect(fed(openEngine(RULES.replace("matched: keep", "state: active"), { pass: drop }), input)).toBe("");
  });
});

describe("rows", () => {
  const rows = (actions: readonly EngineAction[]): string[] =>
    actions.flatMap((action) =>
      action.kind === "passed"
        ? rowsOf(action.block).map((row) => `${row.name} ${JSON.stringify(row.labels)} ${String(row.value)} @${String(row.timestamp)}`)
        : [],
    );

  test("passed: unmatched and kept numbers, new and known series -> rows with their own time, at the next tick", () => {
    const engine = openEngine(RULES, { pass: ROWS });
    for (const time of [1_700_000_000_001, 1_700_000_000_002])
      expect(rows(feedLines(engine, 0, `m,z.y=1,h=2 a=1,k=5i,s=t,t="x",big=9007199254740993i ${String(time)}`))).toEqual([]);
    const at = (time: number): string[] =>
      ['m_k {"h":"2","z_y":"1"} 5', 'm_s {"h":"2","z_y":"1"} 1', 'm_big {"h":"2","z_y":"1"} 9007199254740992'].map(
        (row) => `${row} @${String(time)}`,
      );
    const actions = engine.step(1_700_000_000_100, { kind: "tick" });
    expect(rows(actions)).toEqual([...at(1_700_000_000_001), ...at(1_700_000_000_002)]);
    expect(engine.ledger().samplesPassed).toBe(6);
    expect(tick(engine, 1_700_000_000_200)).toEqual([]);
  });

  test("passed: more than a megabyte between two ticks -> handed out at once, none twice", () => {
    const engine = openEngine(RULES, { pass: ROWS });
    const lines = Array.from({ length: 30_000 }, (_, i) => `x,h=${String(i % 100)} a=${String(i)} ${T}\n`).join("");
    const early = rows(engine.feed(0, Buffer.from(lines)));
    const late = rows(engine.step(0, { kind: "tick" }));
    expect(early.length).toBeGreaterThan(15_000);
    expect([...early, ...late].map((row) => Number(/ (\d+) @/.exec(row)?.[1]))).toEqual(Array.from({ length: 30_000 }, (_, i) => i));
  });

  test("passed: rules reloaded between a read and the tick -> rows of before and after come once, and the count goes on", () => {
    const before = openEngine(RULES, { pass: ROWS });
    feedLines(before, 0, "x,h=1 a=1 1", "m,h=1 a=1 1");
    const after = openEngine("- { match: x_a, interval: 10s, by: [h], outputs: [sum_samples] }", { pass: ROWS });
    after.succeed(before);
    feedLines(after, 0, "x,h=1 a=2 2", "m,h=1 a=2 2");
    expect(rows(after.step(0, { kind: "tick" }))).toEqual(['x_a {"h":"1"} 1 @1', 'm_a {"h":"1"} 2 @2']);
    expect(after.ledger().samplesPassed).toBe(2);
  });

  test("passed: more labels than a row can have -> that series does not pass, its neighbours do", () => {
    const engine = openEngine(RULES, { pass: ROWS });
    const tags = Array.from({ length: 17_000 }, (_, i) => `,t${String(i)}=v`).join("");
    feedLines(engine, 0, `x${tags} a=1 1`, "x,h=1 a=2 1");
    expect(rows(engine.step(0, { kind: "tick" }))).toEqual(['x_a {"h":"1"} 2 @1']);
  });

  test("passed: idle Keys are swept -> their labels are given back", () => {
    const engine = openEngine(RULES, { pass: ROWS });
    const sizes = Array.from({ length: 4 }, (_, round) => {
      feedLines(engine, 0, ...Array.from({ length: 500 }, (__, i) => `x,h=${String(round)}-${String(i)},long=${"l".repeat(1000)} a=1 1`));
      for (let minute = 1; minute <= 62; minute++) engine.step((round * 62 + minute) * 60_000, { kind: "tick" });
      return engine.memory().bytes;
    });
    expect(sizes.slice(1)).toEqual([sizes[0], sizes[0], sizes[0]]);
  });
});

/** Numbers as the encoder writes them. */
function canonical(lines: string): string {
  return lines.replace(/=1e5(?=[, ])/g, "=100000").replace(/=t(?=[, ])/g, "=true");
}
