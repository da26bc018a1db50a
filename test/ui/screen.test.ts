// Plan: goldens at the sizes people have; at every size no line is too wide and the frame not too high; colours add no
// columns; rows that are shown keep their places.
import { describe, expect, test } from "@jest/globals";
import { renderScreen, type ScreenModel } from "#limpet/ui/screen.js";
import { createShowcase } from "#limpet/ui/showcase.js";
import { expectGolden } from "./golden.js";

const names = [
  "service:http_requests_count:total",
  "service:http_requests_count:rate_sum",
  "service:http_duration_ms:quantiles",
  "queue_depth:10s_by_queue_max",
];

const running: ScreenModel = {
  phase: "running",
  elapsedSeconds: 42.4,
  durationSeconds: 60,
  rulesFile: "configs/rules/up.yaml",
  metricsUrl: "http://127.0.0.1:4581/metrics",
  sink: undefined,
  podCount: 2_062,
  linesPerSecond: [...Array.from({ length: 20 }, (_, index) => 1_000 * index), ...Array.from({ length: 22 }, () => 20_013)],
  samplesPerSecond: 31_204.4,
  seriesIn: 29_871,
  seriesOut: 312,
  rowsStored: 3_120,
  windowsFlushed: 41,
  cpuPercent: 12.3,
  rssBytes: 150_000_000,
  aggregates: Array.from({ length: 30 }, (_, index) => ({
    name: names[index % names.length] ?? "",
    labels: [
      ["region", "ap-south-1"],
      ["service", `service-${String(index)}`],
      ["status", "200"],
    ],
    value: 1234.5678 / (index + 1),
    ageSeconds: 2.2 + index,
  })),
  ignored: { unmatched: 12_345, string: 7 },
  dropped: {},
  linesInvalid: 0,
  warning: undefined,
};

const starting: ScreenModel = {
  ...running,
  phase: "starting",
  elapsedSeconds: 0.1,
  durationSeconds: undefined,
  linesPerSecond: [],
  samplesPerSecond: 0,
  seriesIn: 0,
  seriesOut: 0,
  rowsStored: 0,
  windowsFlushed: 0,
  cpuPercent: undefined,
  rssBytes: undefined,
  aggregates: [],
  ignored: {},
};

const troubled: ScreenModel = {
  ...running,
  phase: "stopping",
  sink: "http://127.0.0.1:9090/api/v1/write",
  dropped: { late: 17, group_cap: 2_000 },
  linesInvalid: 3,
  warning: "W! sink http://127.0.0.1:9090/api/v1/write: 503, trying again in 2s; is it up?",
};

const cluster: ScreenModel = {
  ...running,
  metricsUrl: "http://127.0.0.1:4580",
  cluster: {
    generation: "1.20",
    moves: 32,
    slices: 96,
    slicesMoving: 8,
    aggregators: [
      { name: "aggregator 1", state: "leaving", slices: 8, share: 0.083, pairsPerSecond: 2_101.4, load: 0.11 },
      { name: "aggregator 2", state: "running", slices: 44, share: 0.458, pairsPerSecond: 9_102.7, load: 0.09 },
      { name: "aggregator 3", state: "running", slices: 44, share: 0.459, pairsPerSecond: 8_977, load: 0.1 },
      { name: "aggregator 4", state: "starting", slices: 0, share: 0, pairsPerSecond: 0, load: 0 },
    ],
    event: "planned restart: aggregator 1 hands on its slices",
  },
};

describe("screen", () => {
  test.each([
    ["80x24", running, 80, 24],
    ["200x50", running, 200, 50],
    ["60x15", running, 60, 15],
    ["80x24-starting", starting, 80, 24],
    ["80x24-troubled", troubled, 80, 24],
    ["40x8-troubled", troubled, 40, 8],
    ["80x24-cluster", cluster, 80, 24],
    ["60x15-cluster", cluster, 60, 15],
  ])("screen: %s -> golden", (name, model, width, height) => {
    expectGolden(`screen-${name}`, renderScreen(model, { width, height: height - 1, color: false }));
  });

  test("screen: any size -> never wider, never higher, always the way out", () => {
    for (const model of [running, starting, troubled, cluster]) {
      for (let width = 1; width <= 210; width += 7) {
        for (let height = 1; height <= 60; height += 3) {
          const lines = renderScreen(model, { width, height, color: false });
          expect(lines.length).toBeLessThanOrEqual(height);
          expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(width);
          if (width > 50) expect(lines.at(-1)).toContain("Ctrl-C");
        }
      }
    }
  });

  test("screen: in colour -> the same text", () => {
    for (const width of [30, 80, 200]) {
      const colored = renderScreen(troubled, { width, height: 23, color: true });
      expect(colored.join("")).toContain("\u001b[");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
      const text = colored.map((line) => line.replace(/\u001b\[\d+m/g, ""));
      expect(text).toEqual(renderScreen(troubled, { width, height: 23, color: false }));
    }
  });
});

describe("showcase", () => {
  const series = (name: string, host: string, timestamp: number, value: number) => ({
    labels: [["__name__", name] as const, ["host", host] as const],
    samples: [{ timestamp, value }],
  });

  test("showcase: newer values arrive in another order -> rows keep their places", () => {
    const showcase = createShowcase();
    showcase.add([series("a", "x", 1000, 1), series("a", "y", 1000, 2), series("b", "x", 1000, 3)]);
    showcase.add([series("b", "x", 2000, 30), series("a", "y", 2000, 20), series("a", "x", 2000, 10)]);
    const picked = showcase.pick(3, 5000);
    expect(picked.map(({ name, labels, value, ageSeconds }) => [name, labels, value, ageSeconds])).toEqual([
      ["a", [["host", "x"]], 10, 3],
      ["b", [["host", "x"]], 30, 3],
      ["a", [["host", "y"]], 20, 3],
    ]);
  });

  test("showcase: series arrive in any order -> shown in the order of their labels", () => {
    const showcase = createShowcase();
    for (const host of ["m", "z", "a"]) showcase.add([series("n", host, 1, 1)]);
    expect(showcase.pick(9, 1).map(({ labels }) => labels[0]?.[1])).toEqual(["a", "m", "z"]);
  });

  test("showcase: room for few -> one of each name before a second of any", () => {
    const showcase = createShowcase();
    for (const name of ["a", "b", "c"]) for (const host of ["x", "y", "z"]) showcase.add([series(name, host, 1, 1)]);
    expect(showcase.pick(4, 1).map(({ name }) => name)).toEqual(["a", "b", "c", "a"]);
  });

  test("showcase: many names and series -> keeps a bounded number", () => {
    const showcase = createShowcase();
    for (let name = 0; name < 70; name++) for (let host = 0; host < 300; host++) showcase.add([series(`n${String(name)}`, String(host), 1, 1)]);
    expect(showcase.pick(1_000_000, 1).length).toBe(64 * 256);
  });
});
