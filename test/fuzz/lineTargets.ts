// Line protocol: the decoder by itself, the kernel's numbers against it, and whole engines, which must not care in which pieces, or by
// which door, the bytes come.
import { Engine, type EngineAction } from "#limpet/aggregate/engine.js";
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import type { Rng } from "#limpet/base/rng.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { INPUT_AT, ROOT_PAGES, VALUE } from "#limpet/kernel/layout.js";
import { heapBuffer, PAGE_BYTES } from "#limpet/kernel/memory.js";
import { parseNumber } from "#limpet/kernel/number.js";
import { openOwner } from "#limpet/kernel/pages.js";
import { decodeLine, type Point } from "#limpet/metric/lineDecoder.js";
import { encodePoint } from "#limpet/metric/lineEncoder.js";
import { rowsOf } from "#limpet/metric/rowBlock.js";
import { corpus, type FuzzTarget, holds, same } from "./target.js";

const outputs = await loadOutputs();
const NOW_MS = 1_700_000_000_000;
const RULES = `
- {match: '{__name__!=""}', interval: 10s, by: [host], outputs: [count_samples, sum_samples, max, last, total]}
- {match: '{host!=""}', interval: 1m, outputs: [count_samples, "quantiles(0.5)", unique_samples]}
`;
const { rules } = readRules([{ name: "rules.yaml", text: RULES }], { outputs, env: {}, naming: "telegraf" });

const line: FuzzTarget = {
  name: "line",
  seeds: corpus("line"),
  run(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const result = decodeLine(bytes, at, bytes.length, true);
      if (result.kind === "incomplete") throw new Error("incomplete, though it is final");
      holds(`goes on at ${String(result.next)} after ${String(at)}`, result.next > at && result.next <= bytes.length);
      if (result.kind === "error") holds(`error at ${String(result.offset)}`, result.offset >= at && result.offset <= bytes.length);
      if (result.kind === "point") roundTrip(result.point);
      at = result.next;
    }
    readsNothingOutside(bytes);
  },
};

/** What is written reads back as what is written. */
function roundTrip(point: Point): void {
  const written = encodePoint(point);
  if (written === undefined) return;
  const read = decodeLine(written, 0, written.length, true);
  if (read.kind !== "point") throw new Error(`written as ${Buffer.from(written).toString()}, which is ${read.kind}`);
  same("written twice", Buffer.from(encodePoint(read.point) ?? []).toString(), Buffer.from(written).toString());
}

/** The same answer whatever stands around the bytes. */
function readsNothingOutside(bytes: Buffer): void {
  const shown = (fill: number): string => {
    const around = Buffer.concat([Buffer.alloc(8, fill), bytes, Buffer.alloc(8, fill)]);
    const result = decodeLine(around, 8, 8 + bytes.length, true);
    if (result.kind !== "point") return JSON.stringify(result);
    return Buffer.from(encodePoint(result.point) ?? []).toString("hex") + String(result.next);
  };
  same("among quotes and among digits", shown(34), shown(57));
}

const scratch = openOwner(ROOT_PAGES, ROOT_PAGES * PAGE_BYTES) + INPUT_AT;

const number: FuzzTarget = {
  name: "number",
  seeds: corpus("number"),
  run(bytes) {
    const text = bytes
      .subarray(0, 4000)
      .toString("latin1")
      .replace(/[\n\0]/g, "");
    heapBuffer.write(`${text},\0`, scratch, "latin1");
    const end = parseNumber(scratch);
    if (end === 0) return;
    const length = end - scratch;
    holds(`read to ${String(length)} of ${String(text.length)}`, length > 0 && length <= text.length);
    const whole = Buffer.from(`m f=${text.slice(0, length)}\n`, "latin1");
    const result = decodeLine(whole, 0, whole.length, true);
    const value = result.kind === "point" ? result.point.fields[0]?.value : undefined;
    if (value === undefined || !("value" in value) || value.kind === "string") throw new Error(`the decoder refuses ${text.slice(0, length)}`);
    holds(
      `${text.slice(0, length)} is ${String(f64.load(VALUE))} and ${String(value.value)}`,
      Object.is(f64.load(VALUE) + 0, Number(value.value) + 0),
    );
  },
};

/** What came of the bytes: rows, counts. */
function outcome(feed: (engine: Engine) => void): unknown {
  const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: NOW_MS, maxFutureMs: 60_000, memoryBytesMax: 64 << 20 });
  try {
    feed(engine);
    const rows = engine
      .step(NOW_MS + 1_000_000, { kind: "finish" })
      .flatMap((action: EngineAction) => (action.kind === "rows" ? rowsOf(action.block) : []));
    const ledger = engine.ledger();
    const count = (reasons: Readonly<Record<string, number>>): number => Object.values(reasons).reduce((sum, n) => sum + n, 0);
    holds("received = matched + ignored", ledger.samplesReceived === ledger.samplesMatched + count(ledger.samplesIgnored));
    for (const rule of ledger.rules)
      holds("matched = applied + ignored + dropped", rule.pairsMatched === rule.pairsApplied + count(rule.pairsIgnored) + count(rule.pairsDropped));
    return { rows: rows.map((row) => JSON.stringify(row)).sort(), ledger };
  } finally {
    engine.dispose();
  }
}

function inPieces(bytes: Buffer, rng: Rng): (engine: Engine) => void {
  return (engine) => {
    let at = 0;
    while (at < bytes.length) {
      const to = Math.min(bytes.length, at + 1 + rng.int(rng.int(2) === 0 ? 8 : 400));
      engine.feed(NOW_MS, bytes.subarray(at, to), to === bytes.length);
      at = to;
    }
    if (bytes.length === 0) engine.feed(NOW_MS, bytes, true);
  };
}

const engine: FuzzTarget = {
  name: "engine",
  seeds: corpus("line"),
  run(bytes, rng) {
    const whole = outcome((into) => {
      into.feed(NOW_MS, bytes, true);
    });
    same("in pieces", outcome(inPieces(bytes, rng)), whole);
    const document = outcome((into) => {
      const body = new LineDocument(bytes);
      while (!body.done) into.step(NOW_MS, { kind: "document", document: body });
    });
    same("as a document", document, whole);
  },
};

export const lineTargets: readonly FuzzTarget[] = [line, number, engine];
