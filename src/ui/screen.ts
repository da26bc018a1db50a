// The live screen of `limpet up` as a pure function of what is known: model in, lines out. At 80x24:
//
//   limpet up  one aggregator, generated load                      0:42 of 1:00
//   rules configs/rules/up.yaml   metrics http://127.0.0.1:4581/metrics
//
//   lines in     20,013/s  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
//
//   29,871 series in  →  312 series out     95x fewer
//
//   samples  31,204/s    rows stored 3,120    windows flushed 41
//   aggregator CPU 12 %  memory 143 MiB       load from pods 2,062
//
//   newest aggregates                                              value    age
//   ... as many as there is room for
//
//   dropped nothing   ignored 12,345 unmatched
//   Ctrl-C ends and prints the ledger
//
// A cluster says after the statistics who owns how much, what has moved and what is being done to it:
//
//   slices 96   moves 32   generation 1.20   8 moving now
//   aggregator 2  ▇▇▇▇▇▇▇               33 %   32 slices    9,102/s      CPU 9 %
//   › planned restart: aggregator 1 hands on its slices
//
// A low screen loses the blank lines first, then aggregates. No line is ever wider or the whole ever higher than asked.
import {
  cell,
  columns,
  createPainter,
  fitTo,
  formatBytes,
  formatClock,
  formatCount,
  formatReasons,
  formatValue,
  padStart,
  renderLine,
  type Span,
  span,
  sparkline,
  spread,
} from "./text.js";

export interface Aggregate {
  readonly name: string;
  /** Without __name__, in the order to show. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly value: number;
  readonly ageSeconds: number;
}

export interface ScreenModel {
  readonly phase: "starting" | "running" | "stopping";
  readonly elapsedSeconds: number;
  /** Undefined: until Ctrl-C. */
  readonly durationSeconds: number | undefined;
  readonly rulesFile: string;
  /** Where the aggregator serves its own metrics. */
  readonly metricsUrl: string;
  /** The TSDB's URL; undefined: the embedded receiver. */
  readonly sink: string | undefined;
  readonly podCount: number;
  /** Lines per second that the aggregator read, one value per second, oldest first. */
  readonly linesPerSecond: readonly number[];
  readonly samplesPerSecond: number;
  readonly seriesIn: number;
  readonly seriesOut: number;
  readonly rowsStored: number;
  readonly windowsFlushed: number;
  /** Of one core; undefined where the system does not say. */
  readonly cpuPercent: number | undefined;
  readonly rssBytes: number | undefined;
  /** Most wanted first. */
  readonly aggregates: readonly Aggregate[];
  readonly ignored: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly linesInvalid: number;
  /** The aggregator's newest warning. */
  readonly warning: string | undefined;
  /** Undefined: there is one aggregator, without an assigner. */
  readonly cluster?: ClusterModel;
}

/** One aggregator of a cluster. */
export interface AggregatorModel {
  readonly name: string;
  readonly state: "starting" | "running" | "leaving" | "ended";
  readonly slices: number;
  /** Of the key space, 0..1. */
  readonly share: number;
  readonly pairsPerSecond: number;
  /** Share of one core. */
  readonly load: number;
}

export interface ClusterModel {
  /** Undefined: there is no assignment yet. */
  readonly generation: string | undefined;
  /** So far. */
  readonly moves: number;
  readonly slices: number;
  readonly slicesMoving: number;
  readonly aggregators: readonly AggregatorModel[];
  /** What is being done to the cluster, or was last. */
  readonly event: string;
}

export interface ScreenSize {
  readonly width: number;
  readonly height: number;
  readonly color: boolean;
}

const ROOMY_HEIGHT = 20;
/** A cluster's lines need room too. */
const AIRY_HEIGHT = 28;
const WIDTH_MAX = 120;
const BAR_WIDTH = 20;
const VALUE_WIDTH = 13;
const AGE_WIDTH = 7;
/** The end of a name says more than its start: it is cut from the left. */
const NAME_WIDTH_MIN = 14;
const SPARKLINE_SECONDS = 30;
const SHORT_NAMES_WIDTH = 76;

/** At most `height` lines of at most `width` columns. */
export function renderScreen(model: ScreenModel, { width: screenWidth, height, color }: ScreenSize): string[] {
  // Values far from their names are hard to read: a wide screen gets more columns only up to a point.
  const width = Math.min(screenWidth, WIDTH_MAX) - 2;
  const roomy = height >= ROOMY_HEIGHT;
  const gap: Span[][] = roomy ? [[]] : [];
  const head = [
    title(model, width),
    ...(roomy ? [places(model)] : []),
    ...gap,
    linesIn(model, width),
    ...(height < AIRY_HEIGHT && model.cluster !== undefined ? [] : gap),
    headline(model),
    ...(height < AIRY_HEIGHT && model.cluster !== undefined ? [] : gap),
    ...statistics(model, width),
    ...gap,
    ...(model.cluster === undefined ? [] : [...clusterLines(model.cluster, width, roomy), ...gap]),
  ];
  const foot = [...gap, ...losses(model), hint(model)];
  const aggregates = aggregateTable(model, width, Math.max(0, height - head.length - foot.length));
  // On a screen too low for everything the way out and the headline stay.
  const kept = Math.max(0, height - foot.length);
  const lines = [...[...head, ...aggregates].slice(0, kept), ...foot].slice(-Math.max(height, 0));
  const paint = createPainter(color);
  return lines.map((line) => (line.length === 0 ? "" : ` ${renderLine(line, width, paint)}`));
}

function title(model: ScreenModel, width: number): Span[] {
  const { phase, elapsedSeconds, durationSeconds } = model;
  const clock = durationSeconds === undefined ? formatClock(elapsedSeconds) : `${formatClock(elapsedSeconds)} of ${formatClock(durationSeconds)}`;
  const alone = model.cluster === undefined;
  const what = {
    starting: alone ? "starting the aggregator" : "starting an assigner and aggregators",
    running: alone ? "one aggregator, generated load" : `a cluster of ${String(model.cluster.aggregators.length)}, generated load`,
    stopping: alone ? "stopping: the aggregator finishes what it has" : "stopping: one after the other hands on what it has",
  }[phase];
  return spread([span("limpet up", "accent"), span(`  ${what}`, "dim")], [span(clock, "dim")], width);
}

function places(model: ScreenModel): Span[] {
  const sink = model.sink === undefined ? [] : [span("   rows to "), span(model.sink)];
  return [
    span("rules "),
    span(model.rulesFile),
    ...sink,
    span(model.cluster === undefined ? "   metrics " : "   assigner "),
    span(model.metricsUrl),
  ].map(({ text }) => span(text, "dim"));
}

function linesIn(model: ScreenModel, width: number): Span[] {
  const now = model.linesPerSecond.at(-1) ?? 0;
  const recent = model.linesPerSecond.slice(-Math.min(SPARKLINE_SECONDS, Math.max(0, width - 26)));
  return [span("lines in  ", "dim"), span(padStart(`${formatCount(now)}/s`, 11), "strong"), span("  "), span(sparkline(recent), "accent")];
}

function headline(model: ScreenModel): Span[] {
  const { seriesIn, seriesOut } = model;
  const start = [span(`${formatCount(seriesIn)} series in`, "strong"), span("  →  ")];
  if (seriesOut === 0) return [...start, span("the first windows are still open", "dim")];
  return [...start, span(`${formatCount(seriesOut)} series out`, "strong"), ...reduction(seriesIn / seriesOut)];
}

function reduction(factor: number): Span[] {
  if (factor <= 1) return [];
  return [span("     "), span(`${factor < 10 ? factor.toFixed(1) : formatCount(factor)}x fewer`, "good")];
}

function statistics(model: ScreenModel, width: number): Span[][] {
  const unknown = "…";
  const short = width < SHORT_NAMES_WIDTH;
  const rows: (readonly (readonly [string, string])[])[] = [
    [
      [short ? "samples" : "samples in", `${formatCount(model.samplesPerSecond)}/s`],
      [short ? "rows" : "rows stored", formatCount(model.rowsStored)],
      [short ? "windows" : "windows flushed", formatCount(model.windowsFlushed)],
    ],
    [
      [
        short ? "CPU" : model.cluster === undefined ? "aggregator CPU" : "CPU of all",
        model.cpuPercent === undefined ? unknown : `${model.cpuPercent.toFixed(0)} %`,
      ],
      ["memory", model.rssBytes === undefined ? unknown : formatBytes(model.rssBytes)],
      [short ? "pods" : "load from pods", formatCount(model.podCount)],
    ],
  ];
  const cellWidth = Math.min(30, Math.floor(width / 3));
  return rows.map((row) => row.flatMap(([name, value]) => [...cell([span(`${name} `, "dim"), span(value)], cellWidth - 1), span(" ")]));
}

/** Who owns how much, and what moves. With little room everybody stands in one line. */
function clusterLines({ generation, moves, slices, slicesMoving, aggregators, event }: ClusterModel, width: number, roomy: boolean): Span[][] {
  const moving = slicesMoving > 0 ? [span(`   ${formatCount(slicesMoving)} moving now`, "warn")] : [];
  const state = [
    span("slices ", "dim"),
    span(formatCount(slices)),
    span("   moves ", "dim"),
    span(formatCount(moves), "strong"),
    span("   generation ", "dim"),
    span(generation ?? "…"),
    ...moving,
  ];
  const members = roomy ? aggregators.map((one) => memberLine(one, width)) : [aggregators.flatMap(memberWord)];
  return [state, ...members, [span("› ", "accent"), span(event)]];
}

function memberLine({ name, state, share, slices, pairsPerSecond, load }: AggregatorModel, width: number): Span[] {
  const bar = "▇".repeat(Math.round(share * BAR_WIDTH));
  return fitTo(
    [
      ...cell([span(name)], 14),
      ...cell([span(bar, state === "leaving" ? "warn" : "accent")], BAR_WIDTH + 1),
      span(padStart(`${(100 * share).toFixed(0)} %`, 5), "strong"),
      span(padStart(`${formatCount(slices)} slices`, 12), "dim"),
      span(padStart(`${formatCount(pairsPerSecond)}/s`, 11)),
      state === "running" ? span(padStart(`CPU ${(100 * load).toFixed(0)} %`, 11), "dim") : span(padStart(state, 11), "warn"),
    ],
    width,
  );
}

function memberWord({ name, state, share }: AggregatorModel): Span[] {
  const number = name.replace(/^\D+/, "#");
  return [span(`${number} `, "dim"), span(`${(100 * share).toFixed(0)} %`, state === "running" ? "strong" : "warn"), span("  ")];
}

function aggregateTable(model: ScreenModel, width: number, height: number): Span[][] {
  const shown = byName(model.aggregates.slice(0, Math.max(0, height - 1)));
  if (shown.length === 0) return [];
  const nameWidth = width - VALUE_WIDTH - AGE_WIDTH;
  // Label names are the first to go, on all rows alike.
  const full = shown.every(({ name, labels }) => columns(`${name}  ${labels.map(([key, value]) => `${key}=${value}`).join(" ")}`) < nameWidth);
  const header = [...cell([span("newest aggregates", "dim")], nameWidth), span(padStart("value", VALUE_WIDTH) + padStart("age", AGE_WIDTH), "dim")];
  return [header, ...shown.map((aggregate) => aggregateRow(aggregate, nameWidth, full))];
}

/** Rows of one name stand together, names in the order of their first row. */
function byName(aggregates: readonly Aggregate[]): Aggregate[] {
  const names = [...new Set(aggregates.map(({ name }) => name))];
  return names.flatMap((name) => aggregates.filter((aggregate) => aggregate.name === name));
}

function aggregateRow({ name, labels, value, ageSeconds }: Aggregate, nameWidth: number, full: boolean): Span[] {
  const text = labels.map(([key, label]) => (full ? `${key}=${label}` : label)).join(" ");
  const room = Math.max(NAME_WIDTH_MIN, nameWidth - columns(text) - 3);
  return [
    ...cell([span(columns(name) > room ? `…${name.slice(1 - room)}` : name), span(`  ${text}`, "dim")], nameWidth),
    span(padStart(formatValue(value), VALUE_WIDTH), "strong"),
    span(padStart(`${String(Math.max(0, Math.round(ageSeconds)))} s`, AGE_WIDTH), "dim"),
  ];
}

function losses(model: ScreenModel): Span[][] {
  const ignored = formatReasons(model.ignored);
  const dropped = formatReasons({ ...model.dropped, ...(model.linesInvalid > 0 ? { "invalid lines": model.linesInvalid } : {}) });
  const lines: Span[][] = [
    [
      span("dropped ", "dim"),
      dropped === "" ? span("nothing", "good") : span(dropped, "bad"),
      span("   ignored ", "dim"),
      span(ignored === "" ? "nothing" : ignored, ignored === "" ? "good" : "plain"),
    ],
  ];
  if (model.warning !== undefined) lines.push([span(model.warning, "warn")]);
  return lines;
}

function hint(model: ScreenModel): Span[] {
  return [span(model.phase === "stopping" ? "Ctrl-C again quits without the ledger" : "Ctrl-C ends and prints the ledger", "dim")];
}
