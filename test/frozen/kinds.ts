// Everything that crosses processes or versions: how today's code writes one of it, and what today's code reads in it. A frozen set
// (test/fixtures/frozen/VERSION) has one file of each kind, and what it meant to the program that wrote it.
import { receiveCopy, takeCopy } from "#limpet/aggregate/copy.js";
import type { Engine } from "#limpet/aggregate/engine.js";
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { Partition } from "#limpet/aggregate/partition.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { SeriesDocument } from "#limpet/aggregate/seriesDocument.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import type { Assignment } from "#limpet/slice/assignment.js";
import { decodeAssignment, encodeAssignment } from "#limpet/slice/assignmentWire.js";
import type { BatchHead } from "#limpet/slice/batch.js";
import { type BatchAnswer, batchHeaders, decodeBatchAnswer, encodeBatchAnswer, readBatchHeaders } from "#limpet/slice/batchWire.js";
import { KEY_END, WHOLE } from "#limpet/slice/keyRange.js";
import { decodeReport, decodeReportAnswer, encodeReport, encodeReportAnswer, type Report } from "#limpet/slice/report.js";
import { decodeRuleVersion, encodeRuleVersion, ruleHash } from "#limpet/slice/ruleVersion.js";
import type { Read } from "#limpet/slice/wire.js";
import {
  type CopyHead,
  decodeCopyAnswer,
  decodeCopyHead,
  decodeGo,
  decodeGoAnswer,
  encodeCopyHead,
  encodeGo,
  type Go,
} from "#limpet/slicelet/messages.js";
import { feedLines, finish, openEngine, tick } from "../aggregate/openEngine.js";
import { encodeRequest2 } from "../http/writeRequest.js";

/** Files of one set. */
export type FrozenSet = ReadonlyMap<string, Buffer>;

export interface Kind {
  readonly file: string;
  /** As today's code writes it. */
  readonly make: () => string | Uint8Array;
  /** What today's code reads in a set's; JSON can say it. Throws when it cannot be read. */
  readonly read: (bytes: Buffer, set: FrozenSet) => unknown;
}

const RULES = `
- { match: m_f, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples, stddev, last, "quantiles(0.5)", count_series, unique_samples] }
- { match: c_n, interval: 20s, grace: 5s, by: [s], outputs: [total, increase], first_sample: zero }
- { match: c_n, interval: 10s, grace: 5s, by: [s], outputs: [rate_sum], first_sample: baseline }
- { match: m_f, interval: 20s, grace: 5s, dedup_interval: 4s, by: [s], outputs: [sum_samples, histogram_bucket] }
- { match: up, interval: 10s, grace: 5s, by: [s], outputs: [sum_samples], time: arrival }
`;

const files = [{ path: "rules/all.yaml", text: RULES }];
const ACTIVE_FROM_MS = 120_000;
const hash = ruleHash({ activeFromMs: ACTIVE_FROM_MS, files });
const generation = (number: number) => ({ incarnation: 2, number });
const MIDDLE = KEY_END / 2;

const assignment: Assignment = {
  generation: generation(9),
  rules: hash,
  slices: [
    { low: 0, high: 7, owner: "a:1@x", standby: "b:1@y", movingTo: "b:1@y", move: generation(9), term: generation(3) },
    { low: 7, high: MIDDLE, owner: null, standby: null, movingTo: null, move: null, term: generation(4) },
    { low: MIDDLE, high: KEY_END, owner: "b:1@y", standby: null, movingTo: null, move: null, term: generation(5) },
  ],
  resources: [
    { id: "a:1@x", address: "http://a:1", incarnation: "x", state: "draining", load: 0.25 },
    { id: "b:1@y", address: "http://b:1", incarnation: "y", state: "running", load: 1.5 },
  ],
};

const report: Report = {
  cluster: "limpet",
  id: "a:1@x",
  address: "http://a:1",
  incarnation: "x",
  state: "draining",
  generation: generation(8),
  load: 0.25,
  serves: [{ low: 0, high: 7, term: generation(3), rate: 1234.5, bytes: 99_000, top: [[5, 0.75]] }],
  moved: [{ low: MIDDLE, high: KEY_END, number: generation(5) }],
  aborted: [{ low: 7, high: 9, number: generation(6) }],
  offers: [{ low: 9, high: 11, number: generation(2) }],
};

const batchHead: BatchHead = {
  router: "gateway.0a1b",
  seq: 18,
  ranges: [
    { low: 0, high: MIDDLE, prev: 12, kept: 9, oldestMs: 109_000 },
    { low: MIDDLE, high: KEY_END, prev: 0, kept: 18, oldestMs: undefined },
  ],
  statedMs: 112_345,
  rules: hash,
  cluster: "limpet",
};

const batchAnswer: BatchAnswer = {
  generation: generation(9),
  ranges: [
    { low: 0, high: 7, answer: "applied", applied: 18, durable: 12, owner: null },
    { low: 7, high: MIDDLE, answer: "gap", applied: 12, durable: 12, owner: null },
    { low: MIDDLE, high: KEY_END, answer: "elsewhere", applied: 0, durable: 0, owner: "http://b:1" },
  ],
};

const copyHead: CopyHead = { low: 0, high: MIDDLE, from: "a:1@x", to: "b:1@y", move: generation(9), number: 2, full: false, final: true };
const go: Go = { low: 0, high: MIDDLE, from: "a:1@x", to: "b:1@y", move: generation(9) };

export const KINDS: readonly Kind[] = [
  {
    file: "ruleVersion.json",
    make: () => encodeRuleVersion({ hash, activeFromMs: ACTIVE_FROM_MS, files }),
    read: (bytes) => told(decodeRuleVersion(text(bytes))),
  },
  { file: "assignment.json", make: () => encodeAssignment(assignment), read: (bytes) => told(decodeAssignment(text(bytes))) },
  { file: "report.json", make: () => encodeReport(report), read: (bytes) => told(decodeReport(text(bytes))) },
  {
    file: "reportAnswer.json",
    make: () => encodeReportAnswer({ generation: generation(9), wantsAssignment: true }),
    read: (bytes) => told(decodeReportAnswer(text(bytes))),
  },
  {
    file: "batch.headers.json",
    make: () => JSON.stringify(batchHeaders(batchHead, generation(9))),
    read: (bytes) => told(readBatchHeaders(JSON.parse(text(bytes)) as Record<string, string>)),
  },
  { file: "batch.body", make: makeBatch, read: readBatch },
  { file: "batchAnswer.json", make: () => encodeBatchAnswer(batchAnswer), read: (bytes) => told(decodeBatchAnswer(text(bytes))) },
  { file: "copy.head.json", make: () => encodeCopyHead(copyHead), read: (bytes) => told(decodeCopyHead(text(bytes))) },
  { file: "copyAnswer.json", make: () => '{"answer":"installed"}', read: (bytes) => told(decodeCopyAnswer(text(bytes))) },
  { file: "copy.full.bin", make: () => makeCopies()[0], read: (bytes, set) => readCopies([bytes], set) },
  {
    file: "copy.increment.bin",
    make: () => makeCopies()[1],
    read: (bytes, set) => readCopies([set.get("copy.full.bin") ?? Buffer.alloc(0), bytes], set),
  },
  { file: "go.json", make: () => encodeGo(go), read: (bytes) => told(decodeGo(text(bytes))) },
  { file: "goAnswer.json", make: () => '{"answer":"serving"}', read: (bytes) => told(decodeGoAnswer(text(bytes))) },
];

const text = (bytes: Buffer): string => bytes.toString("utf8");

function told<T>(read: Read<T>): T {
  if (!read.ok) throw new Error(read.error);
  return read.value;
}

const outputs = await loadOutputs();

/** Lines, a line whose arrival counts, and a remote-write series with a start timestamp, as a router divides them. */
function makeBatch(): Uint8Array {
  const { rules } = readRules([{ name: "rules.yaml", text: RULES }], { outputs, env: {}, naming: "telegraf" });
  const partition = new Partition({ rules, outputs, naming: "telegraf", memoryBytesMax: 2 ** 26, holdMs: 60_000 });
  partition.divide({ lows: Uint32Array.of(0), numbers: Int32Array.of(0) }, 1);
  const series = {
    labels: [
      ["__name__", "c_n"],
      ["s", "x"],
    ] as [string, string][],
    samples: [{ value: 12, timestamp: 111_000, startTimestamp: 105_000 }],
  };
  const documents = [
    new LineDocument(Buffer.from("m,s=x,h=a f=1.5,g=2 110000000000\nm,s=y,h=b f=2 111500000000\nprometheus,s=é up=1 1000000000\n")),
    new SeriesDocument(encodeRequest2([series]), "2.0"),
  ];
  const bodies: Uint8Array[] = [];
  for (const document of documents) {
    while (!document.done) partition.read(112_000, document);
    bodies.push(...partition.take().map(({ body }) => body));
  }
  partition.dispose();
  return Buffer.concat(bodies);
}

/** Two engines' worth of ranges is not needed: one applies all of it. */
function readBatch(bytes: Buffer, set: FrozenSet): unknown {
  const engine = engineOf(set);
  const answers = engine.batch(
    113_000,
    { router: "r.1", seq: 1, statedMs: 112_345, ranges: [{ ...WHOLE, prev: 0, kept: 1, oldestMs: undefined }] },
    bytes,
  );
  return { answers, counts: countsOf(engine), rows: finish(engine, 140_000) };
}

/** With the rules of the set. */
function engineOf(set: FrozenSet): Engine {
  const version = told(decodeRuleVersion(text(set.get("ruleVersion.json") ?? Buffer.alloc(0))));
  return openEngine(version.files.map((file) => file.text).join("\n"), { startMs: 100_000 });
}

/** A whole copy, and the increment after it: cursors, an outbox, open windows, last values, sketches, sets, held samples, late carry. */
function makeCopies(): readonly [Uint8Array, Uint8Array] {
  const engine = openEngine(RULES, { startMs: 100_000 });
  const ranges = [{ ...WHOLE, prev: 0, kept: 9, oldestMs: 125_500 }];
  const line = Buffer.from("m,s=s0é,h=h0 f=1 101000000000\n");
  engine.batch(101_000, { router: "gateway.0a1b", seq: 17, statedMs: 125_900, ranges }, line);
  for (let i = 0; i < 40; i++) feedAt(engine, i);
  tick(engine, 126_000);
  feedLines(engine, 126_000, "c,s=s1é,h=h1 n=9999 119999");
  const bytes = Uint8Array.of(1, 2, 3);
  const full = takeCopy(engine, WHOLE, { term: "2.9", number: 1 });
  feedLines(engine, 128_000, "m,s=s2é,h=h1 f=1e300 128000", "m,s=new,h=h1 f=0 128000", "c,s=s3é,h=h3 n=1 128000");
  const outbox = [{ sink: "s", rule: "r", windowEndMs: 120_000, rowCount: 1, bytes, mark: "stale" as const, keys: Uint32Array.of(4_000_000_000) }];
  const increment = takeCopy(engine, WHOLE, { term: "2.9", number: 2 }, { since: full?.mark, outbox });
  if (full === undefined || increment === undefined) throw new Error("no memory");
  return [full.bytes, increment.bytes];
}

function feedAt(engine: Engine, i: number): void {
  const at = 101_000 + i * 500;
  const s = `s${String(i % 7)}é`;
  const m = `m,s=${s},h=h${String(i)} f=${String((i - 20) * 1.37)} ${String(at)}`;
  feedLines(engine, at, m, `c,s=${s},h=h${String(i % 9)} n=${String(i * i)} ${String(at)}`);
}

/** What the copies bring, and what becomes of it. */
function readCopies(copies: readonly Buffer[], set: FrozenSet): unknown {
  const engine = engineOf(set);
  engine.parts.drop(WHOLE);
  const received = copies.map((bytes) => receiveCopy(engine, bytes, 900_000));
  const parts = engine.parts.list.map(({ low, high, term, mode, copied, cursors }) => ({ low, high, term, mode, copied, cursors: [...cursors] }));
  for (const part of engine.parts.list) engine.parts.setMode(part, "serving");
  const counts = countsOf(engine);
  feedLines(engine, 129_000, "m,s=s2é,h=h1 f=7 129000", "c,s=s3é,h=h3 n=21 129000", "c,s=s1é,h=h1 n=10009 129500");
  return { received: received.map(ofReceived), parts, counts, rows: [...tick(engine, 145_000), ...finish(engine, 161_000)] };
}

function ofReceived(received: ReturnType<typeof receiveCopy>): unknown {
  if (received.kind !== "taken") return received.kind;
  const { id, groups, series, forgottenGroups, outbox } = received.restored;
  const blocks = outbox.map((block) => ({ ...block, bytes: [...block.bytes], keys: [...(block.keys ?? [])] }));
  return { id, groups, series, forgottenGroups, outbox: blocks };
}

function countsOf(engine: Engine): unknown {
  return engine.ledger().rules.map(({ pairsMatched, pairsApplied, pairsPending, pairsCarried, pairsDropped, groups, series }) => {
    return { pairsMatched, pairsApplied, pairsPending, pairsCarried, pairsDropped, groups, series };
  });
}
