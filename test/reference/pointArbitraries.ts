// Random points. Sample points: any values in any order. Counter streams: series that grow, reset, pause and come back, each in
// its own order, woven together.
import fc from "fast-check";
import { samplesOf } from "./naming.js";
import type { FieldValue, Point } from "./point.js";
import { FIELDS, MEASUREMENTS, TAG_VALUES, TAGS } from "./pools.js";

const BASES_MS = [1_700_000_000_000, 1_699_999_999_999, 86_400_000] as const;
const UINT_MAX = 2n ** 64n - 1n;
const INT_MAX = 2n ** 63n - 1n;

const tags: fc.Arbitrary<Record<string, string>> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...TAGS), fc.constantFrom(...TAG_VALUES)), { selector: ([key]) => key, maxLength: 4 })
  .map((entries) => Object.fromEntries(entries));

const float = (value: number): FieldValue => ({ kind: "float", value });

/** k/8 with |k| < 2^30, small integers, -0 and powers of ten, booleans: sums of squares of thousands of them are exact in 106 bits. */
export const dyadicValue: fc.Arbitrary<FieldValue> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -(2 ** 30) + 1, max: 2 ** 30 - 1 }).map((k) => float(k / 8)) },
  { weight: 2, arbitrary: fc.integer({ min: -5, max: 5 }).map(float) },
  { weight: 1, arbitrary: fc.constantFrom(-0, 1, 10, 1000).map(float) },
  { weight: 2, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((k): FieldValue => ({ kind: "int", value: BigInt(k) })) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 1000 }).map((k): FieldValue => ({ kind: "uint", value: BigInt(k) })) },
  { weight: 1, arbitrary: fc.boolean().map((value): FieldValue => ({ kind: "bool", value })) },
);

/** Doubles of 53 random bits around 1, large and small ones, 64 bit integers. None below 2^-80: sketches call those zero. */
export const generalValue: fc.Arbitrary<FieldValue> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }), fc.integer({ min: -80, max: -20 }))
      .map(([mantissa, exponent]) => float(Number(mantissa) * 2 ** exponent)),
  },
  { weight: 2, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((k) => float(k / 10)) },
  { weight: 1, arbitrary: fc.constantFrom(1e-9, 1e-8, 1e-4, 0.001, 0.1, 1e17, 1e18).map(float) },
  { weight: 1, arbitrary: fc.bigInt({ min: -INT_MAX - 1n, max: INT_MAX }).map((value): FieldValue => ({ kind: "int", value })) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: UINT_MAX }).map((value): FieldValue => ({ kind: "uint", value })) },
  { weight: 2, arbitrary: dyadicValue },
);

const text: fc.Arbitrary<FieldValue> = fc
  .constantFrom("", "7", 'a "b" c', "two\nlines, f=1 1\n", "back\\slash", "é")
  .map((value): FieldValue => ({ kind: "string", value }));

function fields(value: fc.Arbitrary<FieldValue>): fc.Arbitrary<Point["fields"]> {
  const mixed = fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: text });
  return fc.uniqueArray(fc.tuple(fc.constantFrom(...FIELDS), mixed), { selector: ([key]) => key, minLength: 1, maxLength: 3 });
}

const subMillisecondNs = fc.oneof(fc.constant(0), fc.constantFrom(1, 500_000, 999_999));

/** Measurement `prometheus` with field `value` and the like have no decided name: field only, or measurement only. */
function isDecided(point: Point): boolean {
  return point.measurement !== "prometheus" || point.fields.every(([field]) => !["value", "counter", "gauge"].includes(field));
}

/** Points of few tag sets within some seconds or minutes, in the order they came to mind. */
export function samplePoints(value: fc.Arbitrary<FieldValue>): fc.Arbitrary<Point[]> {
  const world = fc.record({
    base: fc.constantFrom(...BASES_MS),
    spanMs: fc.constantFrom(1, 900, 9000, 150_000),
    tagSets: fc.array(tags, { minLength: 1, maxLength: 4 }),
    measurements: fc.subarray([...MEASUREMENTS], { minLength: 1, maxLength: 3 }),
  });
  return world.chain(({ base, spanMs, tagSets, measurements }) => {
    const point = fc.record({
      measurement: fc.constantFrom(...measurements),
      tags: fc.constantFrom(...tagSets),
      fields: fields(value),
      timeNs: fc.tuple(fc.integer({ min: 0, max: spanMs }), subMillisecondNs).map(([ms, ns]) => BigInt(base + ms) * 1_000_000n + BigInt(ns)),
    });
    return fc.array(point.filter(isDecided), { minLength: 1, maxLength: 60 });
  });
}

/** One series' samples. Gaps are drawn from the rules' own durations, where behaviour changes. */
interface Stream {
  readonly measurement: string;
  readonly field: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly integral: boolean;
  /** From the scenario's first moment. */
  readonly start: Gap;
  readonly first: number;
  readonly steps: readonly { readonly gap: Gap; readonly change: Change }[];
}

type Gap = { readonly kind: "short" | "back"; readonly ms: number } | { readonly kind: "edge"; readonly index: number; readonly offset: number };
type Change = { readonly kind: "grow" | "reset"; readonly by: number };

const gap: fc.Arbitrary<Gap> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("short" as const), ms: fc.integer({ min: 0, max: 2500 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("edge" as const), index: fc.nat(100), offset: fc.integer({ min: -1, max: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("back" as const), ms: fc.integer({ min: 1, max: 1500 }) }) },
);

function change(unit: number): fc.Arbitrary<Change> {
  const amount = fc.nat(100_000).map((k) => k * unit);
  return fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("grow" as const), by: amount }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("reset" as const), by: fc.nat(50).map((k) => k * unit) }) },
  );
}

function stream(unit: number): fc.Arbitrary<Stream> {
  return fc.record({
    measurement: fc.constantFrom(...MEASUREMENTS.filter((name) => name !== "prometheus")),
    field: fc.constantFrom(...FIELDS),
    tags,
    integral: unit === 0.125 ? fc.boolean() : fc.constant(false),
    start: fc.oneof(
      fc.oneof(fc.constant(0), fc.nat(3000), fc.nat(130_000)).map((ms) => ({ kind: "short" as const, ms })),
      fc.record({ kind: fc.constant("edge" as const), index: fc.nat(100), offset: fc.integer({ min: -1, max: 1 }) }),
    ),
    first: fc.oneof({ weight: 9, arbitrary: fc.nat(10_000) }, { weight: 1, arbitrary: fc.integer({ min: -50, max: -1 }) }).map((k) => k * unit),
    steps: fc.array(fc.record({ gap, change: change(unit) }), { maxLength: 12 }),
  });
}

interface StreamSample {
  readonly ms: number;
  readonly value: number;
}

function lengthOf(from: Gap, edges: readonly number[]): number {
  return from.kind === "edge" ? Math.max((edges[from.index % edges.length] ?? 0) + from.offset, 0) : from.ms;
}

function samplesOfStream(from: Stream, edges: readonly number[], allowBack: boolean): StreamSample[] {
  let ms = lengthOf(from.start, edges);
  let value = from.first;
  const samples = [{ ms, value }];
  for (const { gap: by, change: to } of from.steps) {
    if (by.kind !== "back") ms += lengthOf(by, edges);
    else if (allowBack) ms -= Math.min(by.ms, ms);
    value = to.kind === "grow" ? value + to.by : to.by;
    samples.push({ ms, value });
  }
  return samples;
}

function pointOf(from: Stream, baseMs: number, { ms, value }: StreamSample): Point {
  const integer = from.integral && Number.isInteger(value);
  return {
    measurement: from.measurement,
    tags: from.tags,
    fields: [[from.field, integer ? { kind: "int", value: BigInt(value) } : { kind: "float", value }]],
    timeNs: BigInt(baseMs + ms) * 1_000_000n,
  };
}

function seriesOf(point: Point): string {
  return samplesOf(point)[0]?.series ?? "";
}

/** Streams woven together by the ranks: each keeps its order, which one goes next is the ranks' choice. */
export function weave(streams: readonly (readonly Point[])[], ranks: readonly number[]): Point[] {
  const rest = streams.map((points) => [...points]);
  const woven: Point[] = [];
  for (let i = 0; rest.some((points) => points.length > 0); i++) {
    const open = rest.filter((points) => points.length > 0);
    const next = open[(ranks[i % ranks.length] ?? 0) % open.length]?.shift();
    if (next !== undefined) woven.push(next);
  }
  return woven;
}

export interface CounterOptions {
  /** What increments are multiples of: 0.125 for exact ones, 0.1 for rounded ones. */
  readonly unit: number;
  /** Durations at which rules behave differently. */
  readonly edges: readonly number[];
  /** Whether a series may go back in time (superseded samples). */
  readonly back: boolean;
}

/** Points per series, each list in its series' order. No two lists are one series. */
export function counterStreams(options: CounterOptions): fc.Arbitrary<Point[][]> {
  const streams = fc.array(stream(options.unit), { minLength: 1, maxLength: 6 });
  return fc.tuple(streams, fc.constantFrom(...BASES_MS)).map(([all, baseMs]) => {
    const lists = all.map((from) => samplesOfStream(from, options.edges, options.back).map((sample) => pointOf(from, baseMs, sample)));
    const seen = new Set<string>();
    return lists.filter(([point]) => {
      const series = point === undefined ? "" : seriesOf(point);
      return seen.size < seen.add(series).size;
    });
  });
}
