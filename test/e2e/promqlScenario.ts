// Rules and points for promql.test.ts: every output, each way of grouping and naming, resets, pauses over `staleness`, delta
// input, booleans and integers, over a few one and two second windows. Values are such that every exact result is a double:
// samples of a two second window stand in pairs mean - d, mean + d, increments are multiples of 12 over 0.5, 1, 1.5 or 2 seconds.
import type { FieldValue, Point } from "../reference/point.js";
import type { ReferenceRule } from "../reference/referenceRule.js";
import type { WrittenRule } from "../reference/rulesYaml.js";

export const WINDOWS = 6;
export const GRACE_MS = 1000;
const STALENESS_MS = 2000;

const SAMPLE_OUTPUTS = ["sum_samples", "count_samples", "min", "max", "avg", "last", "stddev", "stdvar"];
const COUNTER_OUTPUTS = ["increase", "total", "rate_sum"];

function calls(...names: string[]): ReferenceRule["outputs"] {
  return names.map((name) => ({ name, args: [] }));
}

function written(metric: string, changes: Partial<ReferenceRule> & Pick<ReferenceRule, "outputs">): WrittenRule {
  const rule: ReferenceRule = {
    match: [[{ label: "__name__", op: "=", value: metric }]],
    interval: "1s",
    intervalMs: 1000,
    dedupMs: 0,
    by: undefined,
    without: undefined,
    keepMetricNames: false,
    outputName: undefined,
    labels: [],
    firstSample: "baseline",
    seriesMemoryMs: 3_600_000,
    stalenessMs: STALENESS_MS,
    temporality: "cumulative",
    ...changes,
  };
  return { rule, joined: false, grace: `${GRACE_MS}ms` };
}

const twoSeconds = { interval: "2s", intervalMs: 2000 } as const;

export const rules: readonly WrittenRule[] = [
  written("latency_seconds", {
    by: ["region"],
    outputs: [...calls(...SAMPLE_OUTPUTS), { name: "quantiles", args: [0, 0.5, 0.99] }],
  }),
  written("latency_seconds", { ...twoSeconds, without: ["host"], outputs: calls(...SAMPLE_OUTPUTS) }),
  written("http_requests", { by: ["region"], firstSample: "zero", outputs: calls(...COUNTER_OUTPUTS) }),
  written("http_requests", { ...twoSeconds, outputs: calls(...COUNTER_OUTPUTS) }),
  written("svc_up", { ...twoSeconds, by: ["__name__"], keepMetricNames: true, labels: [["tier", "agg"]], outputs: calls("sum_samples") }),
  written("queue_depth", { outputName: "depth:{interval}:{output}", by: ["region"], outputs: calls("last", "max") }),
  written("svc_conns", { temporality: "delta", by: ["__name__"], outputs: calls("increase", "total") }),
];

const float = (value: number): FieldValue => ({ kind: "float", value });
const int = (value: number): FieldValue => ({ kind: "int", value: BigInt(value) });

const HOSTS: readonly (readonly [string, string])[] = [
  ["a", "eu"],
  ["b", "eu"],
  ["c", "us"],
];

/** Host c is silent from the second window to the last: longer than `staleness`. */
function isSilent(host: string, window: number): boolean {
  return host === "c" && window > 0 && window < WINDOWS - 1;
}

/** The counter of a host after each half second; host b's starts anew in the fourth window. */
function requests(hostIndex: number, half: number): number {
  const step = 12 * (hostIndex + 1);
  const restart = 2 * 3;
  return hostIndex === 1 && half >= restart ? step * (half - restart) : 1200 + step * half;
}

function linesAt(hostIndex: number, half: number, timeNs: bigint): Point[] {
  const [host, region] = HOSTS[hostIndex] ?? ["", ""];
  const window = half >> 1;
  const sign = half % 2 === 0 ? -1 : 1;
  const pair = window >> 1;
  const deviation = 2 ** -pair;
  const tags = { region, host };
  return [
    { measurement: "latency", tags, fields: [["seconds", float(10 + pair + sign * deviation)]], timeNs },
    {
      measurement: "http",
      tags,
      fields: [
        ["requests", int(requests(hostIndex, half))],
        ["noise", float(0.3)],
      ],
      timeNs,
    },
    {
      measurement: "svc",
      tags,
      fields: [
        ["up", { kind: "bool", value: sign > 0 }],
        ["version", { kind: "string", value: 'v "1.2"' }],
        ["conns", int(half)],
      ],
      timeNs,
    },
    { measurement: "prometheus", tags, fields: [["queue_depth", float(hostIndex + half / 4)]], timeNs },
  ];
}

/** All points in time order from `startMs`, a multiple of 2000; no two hosts share a time. */
export function points(startMs: number): Point[] {
  const all: Point[] = [];
  for (let half = 0; half < 2 * WINDOWS; half++) {
    for (const [index, [host]] of HOSTS.entries()) {
      const timeMs = startMs + half * 500 + 10 * index;
      if (!isSilent(host, half >> 1)) all.push(...linesAt(index, half, BigInt(timeMs) * 1_000_000n));
    }
  }
  return all;
}
