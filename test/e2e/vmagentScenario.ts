// Rules and lines for the comparison with vmagent. Every default that differs is written out in the rules; the lines avoid the
// intended differences (docs/vmagent-differences.md), which have lines of their own below.
//
//   window   0      1      2      3      4      5      6      7      8
//   a        x      x      x      x      x      x      x      x      x
//   b        x      x      -      x      -      -      -      x      x      back after one window: known; after three: new
//   c        x      -      -      -      -      -      -      -      x      its group repeats, retires, comes back
//   d        -      -      x      x      x      x      x      x      x      a series that is new later on
import type { Random } from "../reference/seededRandom.js";

export const INTERVAL_MS = 3000;

/** Which host sends in which window. */
const PRESENCE: Readonly<Record<string, string>> = {
  a1: "xxxxxxxxx",
  a2: "xxxxxxxxx",
  b1: "xx-x---xx",
  c1: "x-------x",
  d1: "--xxxxxxx",
};
export const WINDOWS = 9;

/** Offsets of a host's samples in a window; a series that returns does so at the same phase, so that its age is whole windows. */
const OFFSETS_MS = [100, 700, 1300, 1900, 2500] as const;

const COMMON = `interval: 3s
  staleness_interval: 6s
  ignore_first_sample_interval: 0s
  ignore_first_intervals: 0
  ignore_old_samples: false
  flush_on_shutdown: false
  no_align_flush_to_interval: false`;

/** The rule file, the same text for both. */
export const RULES = `- match: http_requests
  by: [service]
  outputs: [increase, increase_prometheus, total, total_prometheus, rate_sum, rate_avg, count_series, count_samples]
  ${COMMON}
- match: http_requests
  without: [host]
  outputs: [total, last]
  ${COMMON}
- match: queue_depth
  by: [service]
  outputs: [sum_samples, count_samples, count_series, unique_samples, min, max, avg, last, stddev, stdvar, histogram_bucket, "quantiles(0, 0.25, 0.5, 0.9, 1)"]
  ${COMMON}
- match: '{__name__=~"queue_.+",service!="c"}'
  by: [__name__]
  outputs: [sum_samples, count_series, unique_samples, max]
  ${COMMON}
- match: disk_used
  keep_metric_names: true
  outputs: [last]
  ${COMMON}
- match: '{__name__=~"twice_.+"}'
  by: [service]
  dedup_interval: 3s
  outputs: [count_samples, sum_samples, last, increase, total, rate_sum, count_series]
  ${COMMON}
- match: '{__name__=~"twice_.+"}'
  without: [host]
  dedup_interval: 1500ms
  outputs: [count_samples, sum_samples, max, histogram_bucket, "quantiles(0.5)"]
  ${COMMON}
- match: merged_gauge
  by: [service]
  drop_input_labels: [host]
  dedup_interval: 1s
  outputs: [count_samples, sum_samples]
  ${COMMON}
- match: edge_tie
  by: [service]
  outputs: [last]
  ${COMMON}
- match: edge_total
  by: [service]
  outputs: [total]
  ${COMMON}
- match: powers_of_ten
  by: [service]
  outputs: [histogram_bucket, unique_samples]
  ${COMMON}
- match: edge_exact
  by: [service]
  outputs: [sum_samples]
  ${COMMON}
- match: '{__name__=~"edge_(text|late)"}'
  by: [service]
  outputs: [count_samples]
  ${COMMON}
`;

/** Edges of the histogram's buckets, their neighbours, both zeros. */
function powersOfTen(windowMs: number): string[] {
  const values = ["0", "-0", "-1"];
  for (let exponent = -10; exponent <= 19; exponent++) {
    const power = Number(`1e${String(exponent)}`);
    values.push(...[power, power * 1.001, power / 1.001].map(String));
  }
  return values.map((value, i) => `powers,service=p of_ten=${value.replace("e+", "e")} ${String(windowMs + i)}000000`);
}

/** Senders that overlap, as a highly available pair does: several samples of a series, two at one time, one from before. */
function repeatedLines(window: number, windowMs: number): string[] {
  const lines: string[] = [];
  for (const host of ["h1", "h2", "h3"]) {
    if (host === "h3" && window % 3 === 1) continue;
    const tags = `service=s,host=${host}`;
    const value = window * 100 + Number(host.charAt(1));
    for (const [offset, more] of [
      [200, 0],
      [1000, 3],
      [1000, 7],
      [400, 50],
    ] as const) {
      lines.push(
        `twice,${tags} counter=${String(value + more)},gauge=${String(more / 4)} ${String(windowMs + offset + Number(host.charAt(1)))}000000`,
      );
    }
  }
  // 5, 7, 8 of one series once the host is gone: 8
  for (const [i, value] of [5, 7, 8].entries())
    lines.push(`merged,service=s,host=h${String(i)} gauge=${String(value)} ${String(windowMs + 100 + i)}000000`);
  return lines;
}

/** Lines of the windows in which the two differ as they are meant to, each metric one row of docs/vmagent-differences.md. */
function edgeLines(window: number, windowMs: number): string[] {
  const at = (offset: number): string => `${String(windowMs + offset)}000000`;
  if (window === 0) {
    return [
      `edge,service=e,host=1 tie=5 ${at(100)}`,
      `edge,service=e,host=2 tie=3 ${at(100)}`,
      `edge,service=e total=9007199254740992 ${at(100)}`,
      `edge,service=e exact=10000000000000000 ${at(100)}`,
      `edge,service=e exact=1 ${at(200)}`,
      `edge,service=e exact=-10000000000000000 ${at(300)}`,
      `edge,service=e text="five" ${at(100)}`,
    ];
  }
  if (window === 1) return [`edge,service=e total=9007199254741000 ${at(100)}`, `edge,service=e late=1 ${at(-500)}`];
  return [];
}

function serviceOf(host: string): string {
  return host.charAt(0);
}

/** Lines of all windows: counters that grow and reset, gauges with decimal fractions, negative and repeated values. */
export function makeBatches(random: Random): ((windowMs: number) => string)[] {
  const counters = new Map<string, number>();
  return Array.from({ length: WINDOWS }, (_, window) => (windowMs: number): string => {
    const lines = [...edgeLines(window, windowMs), ...repeatedLines(window, windowMs), ...(window === 0 ? powersOfTen(windowMs) : [])];
    // A replay closes a rule's windows up to its last sample.
    lines.push(`powers,service=q of_ten=${String(window)} ${String(windowMs)}000000`);
    for (const [host, presence] of Object.entries(PRESENCE)) {
      if (presence[window] !== "x") continue;
      for (const [i, offset] of OFFSETS_MS.entries()) {
        const tags = `service=${serviceOf(host)},host=${host}`;
        // No two hosts send at one time: `last` differs there.
        const timeNs = `${String(windowMs + offset + Number(host.charAt(1)))}000000`;
        const before = counters.get(host) ?? Math.floor(random() * 1000);
        const value = random() < 0.1 ? Math.floor(random() * 20) : before + Math.floor(random() * 500) / 4;
        counters.set(host, value);
        const depth = random() < 0.3 ? Math.floor(random() * 4) : Math.floor(random() * 100_000) / 1000;
        lines.push(`http,${tags} requests=${String(value)} ${timeNs}`);
        lines.push(`queue,${tags} depth=${String(depth)},signed=${String(Math.floor((random() - 0.5) * 1e6) / 100)} ${timeNs}`);
        if (i === 0) lines.push(`disk,${tags} used=${String(Math.floor(random() * 1e9))}i ${timeNs}`);
      }
    }
    return `${lines.join("\n")}\n`;
  });
}
