// The ledger as people read it at the end of `limpet up`: each equation with its numbers, a mark, and one closing line.
import { type AggregatorLedger, type Equation, equationsOf, isClosed, type Witness } from "./ledger.js";
import { columns, createPainter, formatClock, formatCount, formatReasons, type Painter, padEnd, padStart, span } from "./text.js";

export interface LedgerFacts {
  readonly ledger: AggregatorLedger;
  readonly witness: Witness;
  /** Distinct series in the embedded receiver; undefined when rows went to another TSDB. */
  readonly seriesOut: number | undefined;
}

export interface TableStyle {
  readonly width: number;
  readonly color: boolean;
}

/** The lines to print, none wider than `width` where numbers allow it. */
export function renderLedger({ ledger, witness, seriesOut }: LedgerFacts, { width, color }: TableStyle): string[] {
  const paint = createPainter(color);
  const equations = equationsOf(ledger, witness);
  const nameWidth = Math.max(...equations.map(({ total: [name] }) => columns(name)));
  const countWidth = Math.max(...equations.map(({ total: [, count] }) => columns(formatCount(count))));
  const body = equations.flatMap((equation) => equationLines(equation, { nameWidth, countWidth, width, paint }));
  const closed = equations.every(isClosed);
  return [
    `${paint(span("ledger", "accent"))}${paint(span(` after ${formatClock(witness.seconds)}`, "dim"))}`,
    "",
    ...body,
    "",
    ...reasons(ledger, paint),
    summary(ledger, seriesOut, paint),
    closed
      ? paint(span("It closes: every line, sample and row is accounted for.", "good"))
      : paint(span("It does not close: the equations marked ✗ do not add up.", "bad")),
  ];
}

interface Columns {
  readonly nameWidth: number;
  readonly countWidth: number;
  readonly width: number;
  readonly paint: Painter;
}

/** `✓ samples received  1,000 = 900 matched + 100 ignored`, continued under the `=` where the line is full. */
function equationLines(equation: Equation, { nameWidth, countWidth, width, paint }: Columns): string[] {
  const [name, count] = equation.total;
  const mark = isClosed(equation) ? span("✓", "good") : span("✗", "bad");
  const indent = nameWidth + countWidth + 5;
  const lines: string[] = [];
  let line = "";
  for (const [part, partCount] of equation.parts) {
    const text = `${line === "" && lines.length === 0 ? "=" : "+"} ${formatCount(partCount)} ${part}`;
    if (line !== "" && indent + columns(line) + columns(text) + 1 > width) {
      lines.push(line);
      line = text;
    } else line = line === "" ? text : `${line} ${text}`;
  }
  lines.push(line);
  const head = `${paint(mark)} ${padEnd(name, nameWidth)}  ${padStart(formatCount(count), countWidth)} `;
  return lines.map((text, index) => `${index === 0 ? head : " ".repeat(indent)}${text}`);
}

function reasons(ledger: AggregatorLedger, paint: Painter): string[] {
  const named: [string, string][] = [
    ["samples ignored", formatReasons(ledger.samples_ignored)],
    ["pairs ignored", formatReasons(ledger.pairs_ignored)],
    ["pairs dropped", formatReasons(ledger.pairs_dropped)],
    ["lines invalid", ledger.lines_invalid > 0 ? formatCount(ledger.lines_invalid) : ""],
    ["windows flushed", formatCount(ledger.windows_flushed)],
  ];
  return named.filter(([, text]) => text !== "").map(([name, text]) => `${paint(span(`${name}: `, "dim"))}${text}`);
}

function summary(ledger: AggregatorLedger, seriesOut: number | undefined, paint: Painter): string {
  const seriesIn = `${formatCount(ledger.series)} series in`;
  if (seriesOut === undefined || seriesOut === 0) return seriesIn;
  const factor = ledger.series / seriesOut;
  const fewer = factor > 1 ? paint(span(`  ${factor < 10 ? factor.toFixed(1) : formatCount(factor)}x fewer`, "good")) : "";
  return `${seriesIn}  →  ${formatCount(seriesOut)} series out${fewer}`;
}
