// Where a run of `limpet up` shows itself: a live screen on a terminal, a line every few seconds elsewhere, and with --json
// nothing on stdout but the ledger.
import { openLiveTerminal } from "./liveTerminal.js";
import { renderScreen, type ScreenModel } from "./screen.js";
import { formatClock, formatCount, formatReasons } from "./text.js";

/** The parts of process.stdout that are needed. */
export interface ViewStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}

export interface ViewStreams {
  readonly out: ViewStream;
  readonly err: ViewStream;
  /** Whether colours are wanted: not NO_COLOR, not TERM=dumb. */
  readonly color: boolean;
}

export interface View {
  show(model: ScreenModel): void;
  /** A line about the run, on stderr. After close() only. */
  note(text: string): void;
  /** The outcome, on stdout. After close() only. */
  result(text: string): void;
  size(): { readonly width: number; readonly color: boolean };
  /** Takes the screen away. */
  close(): void;
}

const PLAIN_EVERY_SECONDS = 3;

export function openView({ out, err, color }: ViewStreams, json: boolean): View {
  const live = out.isTTY === true && !json ? openLiveTerminal(out) : undefined;
  const plain = json ? err : out;
  let nextPlainSeconds = 1;
  const onResize = (): void => live?.resized();
  out.on("resize", onResize);
  return {
    show(model) {
      if (live !== undefined) {
        // The last line stays free, so that no frame ever scrolls.
        live.draw(renderScreen(model, { width: out.columns ?? 80, height: (out.rows ?? 24) - 1, color }));
      } else if (model.elapsedSeconds >= nextPlainSeconds && model.linesPerSecond.length > 0) {
        nextPlainSeconds = model.elapsedSeconds + PLAIN_EVERY_SECONDS;
        plain.write(`${plainLine(model)}\n`);
      }
    },
    note: (text) => err.write(`${text}\n`),
    result: (text) => out.write(text),
    size: () => ({ width: out.columns ?? 100, color: color && out.isTTY === true }),
    close: () => {
      out.off("resize", onResize);
      live?.close();
    },
  };
}

/** `0:06  20,013 lines/s  29,871 series in, 312 out  3,120 rows stored  dropped nothing` */
export function plainLine(model: ScreenModel): string {
  const dropped = formatReasons(model.dropped);
  return [
    formatClock(model.elapsedSeconds),
    `${formatCount(model.linesPerSecond.at(-1) ?? 0)} lines/s`,
    `${formatCount(model.seriesIn)} series in, ${formatCount(model.seriesOut)} out`,
    `${formatCount(model.rowsStored)} rows stored`,
    `dropped ${dropped === "" ? "nothing" : dropped}`,
    ...(model.cluster === undefined ? [] : [`${formatCount(model.cluster.moves)} moves  ${model.cluster.event}`]),
  ].join("  ");
}
