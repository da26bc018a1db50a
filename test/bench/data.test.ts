import { describe, expect, test } from "@jest/globals";
import { linesOf, makeWorkload, stampTimes, type WorkloadOptions } from "../../bench/data.js";

const base: WorkloadOptions = { lines: 30_000, series: 10_000, seed: 1, roundMs: 600, fullPrecision: false, shuffle: false };

function lineText(options: WorkloadOptions): string[] {
  return makeWorkload(options).bytes.toString("latin1").trimEnd().split("\n");
}

const keyOf = (line: string): string => line.slice(0, line.search(/(?<!\\) /));

describe("workload", () => {
  test("shape: default options -> about 193 bytes and 4.36 fields per line, counted exactly", () => {
    const workload = makeWorkload(base);
    const lines = workload.bytes.toString("latin1").trimEnd().split("\n");
    expect(lines).toHaveLength(base.lines);
    expect(workload.bytes.length / base.lines).toBeCloseTo(193, -1);
    let numeric = 0;
    let strings = 0;
    for (const line of lines) {
      const withoutString = line.replace(/,state="(?:\\.|[^"\\])*"/, () => {
        strings++;
        return "";
      });
      numeric += withoutString.slice(keyOf(line).length + 1).split(",").length;
    }
    expect({ numeric, strings }).toEqual({ numeric: workload.numericFields, strings: workload.stringFields });
    expect(strings).toBeGreaterThan(0);
    expect((numeric + strings) / base.lines).toBeCloseTo(4.36, 1);
  });

  test("rounds: every round -> every series once, hosts in another order, a host's series together", () => {
    const lines = lineText(base);
    const rounds = [0, 1, 2].map((round) => lines.slice(round * base.series, (round + 1) * base.series).map(keyOf));
    expect(new Set(rounds[0]).size).toBe(base.series);
    for (const round of rounds) expect([...round].sort()).toEqual([...(rounds[0] ?? [])].sort());
    expect(rounds[1]).not.toEqual(rounds[0]);
    const hosts = (rounds[0] ?? []).map((key) => /host=([^,]+)/.exec(key)?.[1]);
    const changes = hosts.filter((host, i) => i > 0 && host !== hosts[i - 1]).length;
    expect(changes).toBe(new Set(hosts).size - 1);
  });

  test("seed: same -> same bytes; another -> others", () => {
    const small = { ...base, lines: 1000, series: 500 };
    expect(makeWorkload(small).bytes.equals(makeWorkload(small).bytes)).toBe(true);
    expect(makeWorkload({ ...small, seed: 2 }).bytes.equals(makeWorkload(small).bytes)).toBe(false);
  });

  test("options: shuffle -> hosts mixed; fullPrecision -> 15 digits and more in the gauges", () => {
    const small = { ...base, lines: 1000, series: 1000 };
    const hosts = lineText({ ...small, shuffle: true }).map((line) => /host=([^,]+)/.exec(line)?.[1]);
    expect(hosts.filter((host, i) => i > 0 && host !== hosts[i - 1]).length).toBeGreaterThan(900);
    expect(lineText({ ...small, fullPrecision: true }).find((line) => line.startsWith("cpu"))).toMatch(/usage_user=\d+\.\d{12,}/);
  });

  test("times: stamped -> start + round + at most 0.9 round, nanoseconds; stamping again moves them all", () => {
    const workload = makeWorkload(base);
    for (const startMs of [1_763_870_000_000, 1_763_999_999_400]) {
      stampTimes(workload, startMs);
      for (const [round, end] of workload.roundEnds.entries()) {
        const lines = linesOf(workload, end - base.series, end)
          .toString("latin1")
          .trimEnd()
          .split("\n");
        const offsets = lines.map((line) => Number(line.slice(-19, -6)) - startMs - round * base.roundMs);
        expect(lines.every((line) => / \d{19}$/.test(line))).toBe(true);
        expect(Math.min(...offsets)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...offsets)).toBeLessThan(0.9 * base.roundMs);
        expect(new Set(offsets).size).toBeGreaterThan(100);
      }
    }
  });

  test("lines: a range -> exactly those lines; an empty range -> nothing", () => {
    const workload = makeWorkload({ ...base, lines: 100, series: 40 });
    const all = workload.bytes.toString("latin1").split("\n");
    expect(linesOf(workload, 7, 9).toString("latin1")).toBe(`${all[7] ?? ""}\n${all[8] ?? ""}\n`);
    expect(linesOf(workload, 0, 0)).toHaveLength(0);
    expect(workload.roundEnds).toEqual([40, 80, 100]);
  });
});
