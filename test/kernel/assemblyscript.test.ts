// Plan: the kernel is one source for two machines. Compiled to WebAssembly it must leave the same bytes in memory as the
// JavaScript does: after lines of known series in new windows, with sketches that grow and halve, resets, late and future
// samples, refusals, held duplicates, long decimals, and after closing those windows.
//
//   JavaScript memory ──copied──▶ wasm memory          both run the same bytes; pages come from the same allocator:
//        run()                       run()             what wasm took is given back, so that JavaScript gets the same
//        └──────── equal, byte for byte ─┘
import { afterAll, expect, test } from "@jest/globals";
import type { RuleValidity } from "#limpet/aggregate/rule.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { releaseCell } from "#limpet/kernel/cell.js";
import { addToTotal, foldRates } from "#limpet/kernel/counter.js";
import {
  GROUP_NEXT,
  GROUP_OLDEST,
  INPUT_AT,
  LEDGER_GROUPS,
  ROOT_KEYS,
  ROOT_PREVIOUS,
  ROOT_STOP,
  RUN_DONE,
  SKETCH_SCHEMA,
  TABLE_COUNT,
} from "#limpet/kernel/layout.js";
import { heap8, PAGE_BYTES } from "#limpet/kernel/memory.js";
import { returnPages, takePages } from "#limpet/kernel/pages.js";
import { addHeld } from "#limpet/kernel/plan.js";
import { nextKey, run } from "#limpet/kernel/reader.js";
import { fieldLike, seriesShapeOf } from "#limpet/kernel/seriesShape.js";
import { copyFields, fieldsLike, NEW_TAG, shapeOf } from "#limpet/kernel/shape.js";
import { addSketch, openSketch, releaseSketch } from "#limpet/kernel/sketch.js";
import { tableAdd, tableProbe, tableRemove } from "#limpet/kernel/table.js";
import { disposeEngines, feedLines, openEngine, rulesOf } from "../aggregate/openEngine.js";
import { pick, seededRandom } from "../reference/seededRandom.js";
import { compileKernel, type KernelExports } from "./compileKernel.js";

const START = 1_700_000_000_000;
const MIDDLE = START + 40_000;
const ALWAYS = { sinceMs: 0, fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
const BOUNDS: Readonly<Record<string, Partial<RuleValidity>>> = { begins: { sinceMs: MIDDLE, fromMs: MIDDLE }, ends: { untilMs: MIDDLE } };
const PAGES = 512;
const RULES = `
- { interval: 10s, grace: 5s, by: [host], outputs: [sum_samples, min, max, last, stdvar, "quantiles(0.5)"], max_groups: 60 }
- { match: '{__name__=~"c_.*"}', interval: 10s, grace: 5s, by: [host], outputs: [total, increase], first_sample: zero }
- { match: '{__name__=~"c_.*"}', interval: 20s, grace: 5s, by: [host], outputs: [rate_sum], series_memory: 1m }
- { match: '{__name__=~"c_.*"}', interval: 5s, grace: 5s, by: [host], outputs: [total], temporality: delta }
- { name: begins, match: '{__name__=~"c_.*"}', interval: 10s, grace: 5s, by: [n], outputs: [total, increase] }
- { name: ends, interval: 10s, grace: 5s, by: [n], outputs: [sum_samples], max_groups: 30 }
- { match: '{__name__=~"c_.*"}', interval: 15s, dedup_interval: 3s, grace: 5s, by: [n], outputs: [total, max, count_series] }`;

const javascript: KernelExports = {
  ...{ run, addHeld, addToTotal, foldRates, releaseCell, tableAdd, tableProbe, tableRemove },
  ...{ openSketch, addSketch, releaseSketch, shapeOf, fieldsLike, copyFields },
  ...{ nextKey, seriesShapeOf, fieldLike },
};

afterAll(disposeEngines);

/** Kernel functions over WebAssembly memory, and the runs of pages they took. */
async function wasmKernel(): Promise<{ readonly kernel: KernelExports; readonly bytes: Uint8Array; readonly taken: [number, number][] }> {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const bytes = new Uint8Array(memory.buffer);
  const taken: [number, number][] = [];
  const host = {
    decimal: (from: number, to: number) => Number(Buffer.from(memory.buffer, from, to - from).toString("latin1")),
    pages(root: number, count: number): number {
      const at = takePages(root, count);
      taken.push([root, at]);
      bytes.fill(0, at, at + count * PAGE_BYTES);
      return at;
    },
    digest: (): never => {
      throw new Error("this test has no digests");
    },
    undigest: (): never => {
      throw new Error("this test has no digests");
    },
    unpages(): never {
      throw new Error("this test gives no runs of pages back, only records");
    },
  };
  const { instance } = await WebAssembly.instantiate(compileKernel(), { env: { memory }, host });
  // The compiler's exports are the files' own.
  return { kernel: instance.exports as unknown as KernelExports, bytes, taken };
}

/** `0a len (0a len name 12 len value)` of "name value" texts, none longer than two bytes can say. */
function labelBytes(labels: readonly string[]): Buffer {
  const field = (tag: number, bytes: Buffer): Buffer => {
    const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
    return Buffer.concat([Buffer.of(tag, ...length), bytes]);
  };
  return Buffer.concat(
    labels.map((label) => {
      const [name = "", value = ""] = label.split(" ");
      return field(0x0a, Buffer.concat([field(0x0a, Buffer.from(name)), field(0x12, Buffer.from(value))]));
    }),
  );
}

/** A TimeSeries of a WriteRequest with one sample of 0 at START. */
function seriesBytes(...labels: readonly string[]): Buffer {
  const content = Buffer.concat([labelBytes(labels), Buffer.of(0x12, 7, 0x10, 0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31)]);
  return Buffer.concat([Buffer.of(0x0a, content.length), content]);
}

function lines(seed: number, keys: readonly string[]): string {
  const random = seededRandom(seed);
  let text = "";
  for (let i = 0; i < 3000; i++) {
    const key = pick(random, keys);
    const spread = 10 ** Math.floor(random() * 200 - 100);
    const gauge = pick(random, [
      String(random() * spread),
      String(-random()),
      (random() * 100).toFixed(6),
      "0",
      `${String(Math.floor(random() * 1e9))}i`,
      "1e-7",
    ]);
    const fields = key.startsWith("c")
      ? `n=${String(Math.floor(random() * 5000))}i`
      : `f=${gauge},s="text, of=all",b=${pick(random, ["t", "false"])}`;
    text += `${key} ${fields} ${String(START + Math.floor(random() * 90_000) - 10_000)}${String(Math.floor(random() * 1e6)).padStart(6, "0")}\n`;
  }
  return text;
}

test("kernel: the same lines through JavaScript and through WebAssembly -> the same memory", async () => {
  const { kernel, bytes, taken } = await wasmKernel();
  const rules = rulesOf(RULES).map((rule) => ({ ...rule, validity: { ...ALWAYS, ...BOUNDS[rule.name] } }));
  const engine = openEngine(RULES, { rules, startMs: START, memoryBytesMax: 24 << 20 });
  const { root } = engine;
  const keys = Array.from({ length: 80 }, (_, i) => `${i % 2 === 0 ? "g" : "c"},host=h${String(i % 70)},n=${String(i)}`);
  keys.push("g,host=h2,n=2,pod=a");
  feedLines(engine, START, ...keys.map((key) => `${key} ${key.startsWith("c") ? "n=1i" : 'f=1,s="",b=t'} ${String(START)}`));
  const document = new SeriesDocument(Buffer.concat(["pod a", "pod b"].map((pod) => seriesBytes("__name__ g_f", "host h2", "n 2", pod))), "1.0");
  engine.step(START, { kind: "document", document });
  expect([document.samples, document.invalid]).toEqual([2, 0]);
  const differences = (): number => Buffer.compare(bytes, heap8.subarray(0, bytes.length));
  bytes.set(heap8.subarray(0, bytes.length));

  /** The same call on both sides: WebAssembly first. */
  const both = (call: (kernel: KernelExports) => number | undefined): number | undefined => {
    const answer = call(kernel);
    for (const [owner, at] of taken.splice(0)) returnPages(owner, at);
    expect(call(javascript)).toBe(answer);
    return answer;
  };

  const before = engine.memory().bytes;
  for (const seed of [1, 2, 3]) {
    const text = Buffer.from(lines(seed, keys));
    for (const memory of [bytes, heap8]) memory.set(text, root + INPUT_AT);
    expect(both((side) => side.run(root, root + INPUT_AT, root + INPUT_AT + text.length))).toBe(RUN_DONE);
    expect(i32.load(root + ROOT_STOP)).toBe(root + INPUT_AT + text.length);
    expect(differences()).toBe(0);
  }
  expect(engine.memory().bytes).toBeGreaterThan(before);
  const ledgers = engine.ledger().rules;
  expect(ledgers.reduce((sum, { pairsApplied }) => sum + pairsApplied, 0)).toBeGreaterThan(9000);
  expect(Object.keys(ledgers[0]?.pairsDropped ?? {}).sort()).toEqual(["future", "series_cap"]);

  // A new line like the others, one with a new field, one with a new tag, one that is not plain.
  const known = i32.load(root + ROOT_PREVIOUS);
  const at = root + INPUT_AT;
  for (const [key, shape, fields] of [
    ["g,host=h2,n=2,pod=b", 1, 3],
    ["g,pod=b,host=h2,n=2", 1, 3],
    ["g,host=h99,n=2", 0, -1],
    ["g,host=h2,n=2,pod=c", 1, -1],
    ["g,host=h2,zone=x", NEW_TAG, -1],
    ["g,host=h2,host=h3", -1, -1],
  ] as const) {
    const text = Buffer.from(`${key} f=1,s="a \\" b"${fields < 0 ? ",new=1" : ",b=t"} ${String(START)}000000\n`);
    for (const memory of [bytes, heap8]) memory.set(text, at);
    const found = both((side) => side.shapeOf(root, at, key.length)) ?? 0;
    expect(Math.min(found, 1)).toBe(shape);
    if (found <= 0) continue;
    const count = both((side) => side.fieldsLike(root, 0, found, at + key.length + 1, at + text.length));
    expect(count).toBe(fields);
    if (fields > 0) expect(both((side) => side.copyFields(root, known, fields))).toBe(1);
  }
  for (const [shape, ...labels] of [
    [1, "__name__ g_f", "host h2", "n 2", "pod z"],
    [1, "__name__ g_f", "host h2", "n 2", `pod ${"z".repeat(150)}`],
    [0, "__name__ g_f", "host h2", "n 3"],
    [NEW_TAG, "__name__ g_f", "zone x"],
    [-1, "host h2", "__name__ g_f"],
    [-1, "__name__ g_f", "host ö"],
  ] as const) {
    const key = Buffer.concat([Buffer.from("\n\n"), labelBytes(labels)]);
    for (const memory of [bytes, heap8]) memory.set(key, at);
    const found = both((side) => side.seriesShapeOf(root, at, key.length)) ?? 0;
    expect(Math.min(found, 1)).toBe(shape);
    if (found > 0) expect(both((side) => side.fieldLike(root, found))).toBe(1);
    expect(both((side) => side.nextKey(root, at, key.length))).toBe(0);
  }
  expect(differences()).toBe(0);

  const sketch = both((side) => side.openSketch(root)) ?? 0;
  for (let i = 0; i < 3000; i++) both((side) => side.addSketch(root, sketch, (i % 3 === 0 ? -1 : 1) * 1.17 ** (i - 1500)));
  expect(i32.load(sketch + SKETCH_SCHEMA)).toBeLessThan(6);
  both((side) => {
    side.releaseSketch(root, sketch);
    return undefined;
  });

  for (const { at: ledger, compiled } of engine.parts.ledgers()) {
    const { record, counterAt, rule } = compiled;
    for (let group = i32.load(ledger + LEDGER_GROUPS); group !== 0; group = i32.load(group + GROUP_NEXT)) {
      for (let cell = i32.load(group + GROUP_OLDEST); cell !== 0; cell = i32.load(group + GROUP_OLDEST)) {
        both((side) => {
          if (rule.dedupMs > 0) side.addHeld(root, group, f64.load(cell + 8) + rule.intervalMs);
          side.foldRates(record, group, f64.load(cell + 8));
          if (counterAt !== 0) side.addToTotal(group, cell + counterAt);
          side.releaseCell(root, group, cell);
          return undefined;
        });
      }
    }
  }
  expect(engine.ledger().rules.at(-1)?.pairsPending).toBe(0);
  expect(engine.ledger().rules.at(-1)?.pairsApplied).toBeGreaterThan(500);
  for (let hash = -500; hash < 1500; hash++) both((side) => side.tableAdd(root, root + ROOT_KEYS, hash * 65_537, root));
  for (let hash = -500; hash < 1500; hash++) expect(both((side) => side.tableProbe(root + ROOT_KEYS, hash * 65_537, -1))).toBeGreaterThanOrEqual(0);
  expect(i32.load(root + ROOT_KEYS + TABLE_COUNT)).toBe(2002 + keys.length);
  for (let hash = -500; hash < 500; hash++)
    both((side) => {
      side.tableRemove(root + ROOT_KEYS, hash * 65_537, root);
      return undefined;
    });
  expect(i32.load(root + ROOT_KEYS + TABLE_COUNT)).toBe(1002 + keys.length);
  expect(differences()).toBe(0);
}, 30_000);
