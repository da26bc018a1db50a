// Plan: a frame replaces the last one wherever its lines end; the cursor comes back on close and on exit, once; numbers
// and rates are what people would write.
import { describe, expect, test } from "@jest/globals";
import { openLiveTerminal } from "#limpet/ui/liveTerminal.js";
import { createMeter } from "#limpet/ui/meter.js";
import { fromPs, readProcessUsage } from "#limpet/ui/processUsage.js";
import { cell, fitTo, formatBytes, formatClock, formatCount, formatReasons, formatValue, span, sparkline, spread } from "#limpet/ui/text.js";

/** Enough of a terminal to show what a frame leaves behind: cursor up, carriage return, erase to the end and below. */
function paintOn(written: string): { lines: string[]; cursor: boolean; wrap: boolean } {
  const lines = [""];
  let row = 0;
  let column = 0;
  let cursor = true;
  let wrap = true;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
  for (const [token] of written.matchAll(/\u001b\[\??\d*[A-Za-z]|[\s\S]/g)) {
    if (token === "\r") column = 0;
    else if (token === "\n") lines[++row] ??= "";
    else if (token.endsWith("A") && token.length > 1) row -= Number(token.slice(2, -1));
    else if (token === "\u001b[K") lines[row] = (lines[row] ?? "").slice(0, column);
    else if (token === "\u001b[J") {
      lines[row] = (lines[row] ?? "").slice(0, column);
      lines.length = row + 1;
    } else if (token === "\u001b[?25l" || token === "\u001b[?25h") cursor = token.endsWith("h");
    else if (token === "\u001b[?7l" || token === "\u001b[?7h") wrap = token.endsWith("h");
    else if (token.length === 1) {
      lines[row] = (lines[row] ?? "").slice(0, column).padEnd(column) + token + (lines[row] ?? "").slice(column + 1);
      column++;
    }
    expect(row).toBeGreaterThanOrEqual(0);
  }
  return { lines, cursor, wrap };
}

function fakeTerminal(): {
  out: { write(text: string): void };
  text: () => string;
  exit: () => void;
  waiting: () => number;
  onExit: (restore: () => void) => () => void;
} {
  let text = "";
  const listeners = new Set<() => void>();
  return {
    out: {
      write: (more) => {
        text += more;
      },
    },
    text: () => text,
    exit: () => {
      for (const listener of listeners) listener();
    },
    waiting: () => listeners.size,
    onExit: (restore) => {
      listeners.add(restore);
      return () => {
        listeners.delete(restore);
      };
    },
  };
}

describe("live terminal", () => {
  test("live terminal: frames grow and shrink -> only the last one is left", () => {
    const terminal = fakeTerminal();
    const live = openLiveTerminal(terminal.out, terminal.onExit);
    live.draw(["one", "two"]);
    live.draw(["a longer line", "", "x", "y"]);
    live.draw(["short", "z"]);
    expect(paintOn(terminal.text())).toEqual({ lines: ["short", "z"], cursor: false, wrap: false });
  });

  test("live terminal: closed -> nothing is left, the cursor is back, later frames are not drawn", () => {
    const terminal = fakeTerminal();
    const live = openLiveTerminal(terminal.out, terminal.onExit);
    live.draw(["one", "two", "three"]);
    live.close();
    live.close();
    live.draw(["late"]);
    expect(paintOn(terminal.text())).toEqual({ lines: [""], cursor: true, wrap: true });
    expect(terminal.waiting()).toBe(0);
  });

  test("live terminal: the process exits -> the cursor is back", () => {
    const terminal = fakeTerminal();
    openLiveTerminal(terminal.out, terminal.onExit).draw(["one"]);
    terminal.exit();
    expect(paintOn(terminal.text())).toMatchObject({ cursor: true, wrap: true });
  });
});

describe("text", () => {
  test("text: numbers -> as people write them", () => {
    expect([0, 999, 1000, 1_234_567.6].map(formatCount)).toEqual(["0", "999", "1,000", "1,234,568"]);
    expect([0, 0.52341, 12.3456, -9_871.4, 1e15, 1e-7, Number.NaN, -Infinity].map(formatValue)).toEqual([
      "0",
      "0.5234",
      "12.35",
      "-9,871",
      "1.000e+15",
      "1.000e-7",
      "NaN",
      "-Inf",
    ]);
    expect([75, 3_675.9, 0.2].map(formatClock)).toEqual(["1:15", "1:01:15", "0:00"]);
    expect([150e6, 3e9].map(formatBytes)).toEqual(["143 MiB", "2.8 GiB"]);
    expect(formatReasons({ a: 1, b: 2_000, none: 0 })).toBe("2,000 b, 1 a");
  });

  test("text: sparkline -> heights in proportion, zero stays at the bottom", () => {
    expect(sparkline([0, 50, 100])).toBe("▁▅█");
    expect(sparkline([0, 0])).toBe("▁▁");
    expect(sparkline([])).toBe("");
  });

  test("text: too long, exact, short -> cut with …, kept, padded", () => {
    const text = (spans: readonly { text: string }[]): string => spans.map((part) => part.text).join("");
    expect(text(fitTo([span("abc"), span("def")], 6))).toBe("abcdef");
    expect(text(fitTo([span("abc"), span("def")], 5))).toBe("abcd…");
    expect(text(fitTo([span("abc")], 0))).toBe("");
    expect(text(cell([span("abc")], 5))).toBe("abc  ");
    expect(text(spread([span("left")], [span("right")], 12))).toBe("left   right");
    expect(text(spread([span("left")], [span("right")], 9))).toBe("left");
  });
});

describe("meter and process usage", () => {
  const counted = (lines: number, samples: number) => ({
    lines_read: lines,
    lines_invalid: 0,
    samples_received: samples,
    samples_matched: 0,
    samples_ignored: {},
    pairs_matched: 0,
    pairs_applied: 0,
    pairs_duplicate: 0,
    pairs_ignored: {},
    pairs_rejected: 0,
    pairs_pending: 0,
    pairs_dropped: {},
    rows_sent: 0,
    rows_stored: 0,
    rows_conflict: 0,
    series: 0,
    groups: 0,
    windows_flushed: 0,
  });

  test("meter: polls of half a second -> one rate per second", () => {
    const meter = createMeter(10_000);
    meter.observe(10_500, counted(5_000, 6_000), { cpuSeconds: 0.1, rssBytes: 1 });
    meter.observe(11_000, counted(10_000, 12_000), { cpuSeconds: 0.2, rssBytes: 1 });
    expect(meter.cpuPercent()).toBeUndefined();
    meter.observe(11_500, counted(20_000, 22_000), { cpuSeconds: 0.3, rssBytes: 1 });
    meter.observe(12_000, counted(30_000, 40_000), { cpuSeconds: 0.7, rssBytes: 1 });
    expect(meter.linesPerSecond()).toEqual([10_000, 20_000]);
    expect(meter.samplesPerSecond()).toBe(28_000);
    expect(meter.cpuPercent()).toBeCloseTo(50);
  });

  test("process usage: ps of macOS -> seconds and bytes", () => {
    expect(fromPs("  51234   1:02.53\n")).toEqual({ cpuSeconds: 62.53, rssBytes: 51_234 * 1024 });
    expect(fromPs(" 10 2-03:04:05")).toEqual({ cpuSeconds: ((2 * 24 + 3) * 60 + 4) * 60 + 5, rssBytes: 10_240 });
    expect(fromPs("")).toBeUndefined();
  });

  test("process usage: this process -> near what Node says; a process that is gone -> undefined", async () => {
    const usage = await readProcessUsage(process.pid);
    const { user, system } = process.cpuUsage();
    expect(Math.abs((usage?.cpuSeconds ?? 0) - (user + system) / 1e6)).toBeLessThan(1);
    const ratio = (usage?.rssBytes ?? 0) / process.memoryUsage.rss();
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
    expect(await readProcessUsage(2 ** 22 + 1)).toBeUndefined();
  });
});
