// Text of fixed width for a terminal: spans that are measured before they are painted, numbers that people can read.
// Every character is counted as one column; generated names are ASCII, the drawn ones (→ ▁ ✓) are one column wide.
import { createColors } from "picocolors";

export type Tone = "plain" | "strong" | "dim" | "good" | "warn" | "bad" | "accent";

export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

export type Painter = (span: Span) => string;

export function span(text: string, tone: Tone = "plain"): Span {
  return { text, tone };
}

/** Colours as picocolors writes them; without `color` the text alone. */
export function createPainter(color: boolean): Painter {
  const colors = createColors(color);
  const paint: Readonly<Record<Tone, (text: string) => string>> = {
    plain: (text) => text,
    strong: colors.bold,
    dim: colors.dim,
    good: colors.green,
    warn: colors.yellow,
    bad: colors.red,
    accent: colors.cyan,
  };
  return ({ text, tone }) => (text === "" ? "" : paint[tone](text));
}

/** The spans in one line of at most `width` columns; what does not fit ends in `…`. */
export function renderLine(spans: readonly Span[], width: number, paint: Painter): string {
  return fitTo(spans, width).map(paint).join("");
}

/** The spans cut to `width` columns, the last one `…` when something is missing. */
export function fitTo(spans: readonly Span[], width: number): Span[] {
  if (widthOf(spans) <= width) return [...spans];
  const shown: Span[] = [];
  let left = width - 1;
  for (const { text, tone } of spans) {
    const characters = Array.from(text);
    shown.push(span(characters.slice(0, Math.max(0, left)).join(""), tone));
    left -= characters.length;
    if (left < 0) break;
  }
  return width > 0 ? [...shown, span("…", "dim")] : [];
}

/** The spans cut or padded with blanks to exactly `width` columns. */
export function cell(spans: readonly Span[], width: number): Span[] {
  const shown = fitTo(spans, width);
  return [...shown, span(" ".repeat(Math.max(0, width - widthOf(shown))))];
}

export function widthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { text }) => sum + columns(text), 0);
}

/** `left` and `right` at the two ends of a line of `width` columns; `right` gives way when both do not fit. */
export function spread(left: readonly Span[], right: readonly Span[], width: number): Span[] {
  const gap = width - widthOf(left) - widthOf(right);
  return gap < 1 ? [...left] : [...left, span(" ".repeat(gap)), ...right];
}

export function columns(text: string): number {
  return Array.from(text).length;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - columns(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - columns(text))) + text;
}

/** 1234567 -> `1,234,567`; fractions are rounded away. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** About four significant digits, thousands grouped: 0.5234, 12.35, 9,871. Not finite: NaN, +Inf, -Inf. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const magnitude = Math.abs(value);
  if (magnitude >= 1e15 || (magnitude > 0 && magnitude < 1e-4)) return value.toExponential(3);
  if (magnitude >= 1000) return `${value < 0 ? "-" : ""}${formatCount(magnitude)}`;
  return String(Number(value.toPrecision(4)));
}

export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 1024 / 1024;
  return mebibytes < 1024 ? `${mebibytes.toFixed(0)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** 75 -> `1:15`, 3675 -> `1:01:15`. */
export function formatClock(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (part: number): string => String(part).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${String(hours)}:${two(minutes)}:${two(whole % 60)}` : `${String(minutes)}:${two(whole % 60)}`;
}

/** `late 12, string 3`, the largest first; empty for no reasons or zero counts. */
export function formatReasons(byReason: Readonly<Record<string, number>>): string {
  return Object.entries(byReason)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${formatCount(count)} ${reason}`)
    .join(", ");
}

const BARS = "▁▂▃▄▅▆▇█";

/** One bar per value, scaled from 0 to the largest; a drop to half is a drop to half. */
export function sparkline(values: readonly number[]): string {
  const top = Math.max(...values, 1);
  return values.map((value) => BARS.charAt(Math.min(BARS.length - 1, Math.max(0, Math.round((value / top) * (BARS.length - 1)))))).join("");
}
