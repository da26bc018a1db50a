// Redraws a block of lines in place on a terminal, without the alternate screen, so that the scrollback stays the user's.
//
//   draw: cursor up to the first line of the last frame · each line, then "erase to its end" · "erase below"
//
// Each frame is one write inside a synchronised update, so terminals that know those never show half of it. The cursor is
// hidden and wrapping is off while a frame is on; both come back with close(), and with any exit of the process.

const ESC = "\u001b[";
const HIDE_CURSOR = `${ESC}?25l`;
const SHOW_CURSOR = `${ESC}?25h`;
const WRAP_OFF = `${ESC}?7l`;
const WRAP_ON = `${ESC}?7h`;
const SYNC_BEGIN = `${ESC}?2026h`;
const SYNC_END = `${ESC}?2026l`;
const ERASE_LINE_END = `${ESC}K`;
const CLEAR_SCREEN = `${ESC}H${ESC}J`;
const ERASE_BELOW = `${ESC}J`;

/** The part of process.stdout that is needed. */
export interface TerminalStream {
  write(text: string): unknown;
}

export interface LiveTerminal {
  /** Replaces the last frame. Lines must fit the terminal; the caller asks for its size each time. */
  draw(lines: readonly string[]): void;
  /** The terminal changed its size and may have re-wrapped the last frame: the next one starts on a clear screen. */
  resized(): void;
  /** Erases the last frame and gives the cursor back. Drawing afterwards does nothing. */
  close(): void;
}

/** @param onExit registers what must run before the process ends, and returns how to forget it. */
export function openLiveTerminal(out: TerminalStream, onExit: (restore: () => void) => () => void = beforeProcessExit): LiveTerminal {
  let drawn = 0;
  let open = true;
  const toTop = (): string => (drawn > 1 ? `\r${ESC}${String(drawn - 1)}A` : "\r");

  const close = (): void => {
    if (!open) return;
    open = false;
    out.write(`${toTop()}${ERASE_BELOW}${WRAP_ON}${SHOW_CURSOR}`);
    forget();
  };
  const forget = onExit(close);
  out.write(HIDE_CURSOR + WRAP_OFF);

  return {
    draw(lines) {
      if (!open) return;
      const body = lines.map((line) => line + ERASE_LINE_END).join("\r\n");
      out.write(`${SYNC_BEGIN}${toTop()}${body}${ERASE_BELOW}${SYNC_END}`);
      drawn = lines.length;
    },
    resized() {
      if (open) out.write(CLEAR_SCREEN);
      drawn = 0;
    },
    close,
  };
}

function beforeProcessExit(restore: () => void): () => void {
  process.once("exit", restore);
  return () => {
    process.off("exit", restore);
  };
}
