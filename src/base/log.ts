// Log lines as Telegraf reads them. Telegraf joins nothing and stops reading a stream at a line over 64 KiB, so each message
// becomes one line of at most 8 KiB, control characters escaped.
//
//   mode output    info -> stdout (Telegraf logs it as info)      warn, error -> stderr (Telegraf logs all of it as error)
//   other modes    everything -> stderr, because stdout may carry metrics
//
// Lines on stderr start with `E! `, `W! `, `I! ` or `D! `, which Telegraf turns into its own levels.
//
// Rate limit: of one kind of message, the first 3 in 10 s are written, the others are counted. The next call after the 10 s
// (or flush()) writes the latest one with `(and 412 more in the last 10 s)`. There is no timer here: who has one calls flush().

export type LogMode = "output" | "processor" | "input" | "serve";
export type LogStream = "stdout" | "stderr";
type Level = "error" | "warn" | "info" | "debug";

export interface Log {
  /**
   * Messages of one `kind` share a rate limit. Without `kind` it is the text with its digits left out, so that
   * "line 7: bad" and "line 8: bad" are one kind.
   */
  info(message: string, kind?: string): void;
  warn(message: string, kind?: string): void;
  error(message: string, kind?: string): void;
  debug(message: string, kind?: string): void;
  /** Writes what the rate limiter holds back. Call it before the process ends. */
  flush(): void;
}

export interface LogOptions {
  readonly mode: LogMode;
  /** Takes one line, newline included. Must not throw: see streamWriter. */
  readonly write: (stream: LogStream, line: string) => void;
  /** Milliseconds. Only differences count. */
  readonly now: () => number;
  /** Whether debug lines are written (false). */
  readonly debug?: boolean;
}

interface Kind {
  readonly level: Level;
  readonly sinceMs: number;
  written: number;
  held: number;
  latest: string;
}

const LINE_BYTES_MAX = 8192;
const PERIOD_MS = 10_000;
const BURST = 3;
/** Past this many kinds within a period, new ones share one. */
const KINDS_MAX = 256;
const CUT = "... (cut)";
const PREFIX: Readonly<Record<Level, string>> = { error: "E! ", warn: "W! ", info: "I! ", debug: "D! " };

export function createLog(options: LogOptions): Log {
  const kinds = new Map<string, Kind>();

  const emit = (level: Level, message: string): void => {
    const toStdout = options.mode === "output" && (level === "info" || level === "debug");
    options.write(toStdout ? "stdout" : "stderr", `${oneLine((toStdout ? "" : PREFIX[level]) + message)}\n`);
  };

  const release = (nowMs: number, all: boolean): void => {
    for (const [key, kind] of kinds) {
      if (!all && nowMs - kind.sinceMs < PERIOD_MS) continue;
      kinds.delete(key);
      if (kind.held > 0) emit(kind.level, heldText(kind, nowMs));
    }
  };

  const log = (level: Level, message: string, name: string | undefined): void => {
    const nowMs = options.now();
    release(nowMs, false);
    const wanted = `${level} ${name ?? message.replace(/\d+/g, "#")}`;
    const key = kinds.has(wanted) || kinds.size < KINDS_MAX ? wanted : level;
    let kind = kinds.get(key);
    if (kind === undefined) {
      kind = { level, sinceMs: nowMs, written: 0, held: 0, latest: "" };
      kinds.set(key, kind);
    }
    if (kind.written < BURST) {
      kind.written++;
      emit(level, message);
      return;
    }
    kind.held++;
    kind.latest = message;
  };

  return {
    info: (message, kind) => {
      log("info", message, kind);
    },
    warn: (message, kind) => {
      log("warn", message, kind);
    },
    error: (message, kind) => {
      log("error", message, kind);
    },
    debug: (message, kind) => {
      if (options.debug === true) log("debug", message, kind);
    },
    flush: () => {
      release(options.now(), true);
    },
  };
}

function heldText(kind: Kind, nowMs: number): string {
  const seconds = Math.max(1, Math.round((nowMs - kind.sinceMs) / 1000));
  const more = kind.held > 1 ? ` (and ${kind.held - 1} more in the last ${seconds} s)` : "";
  // The count matters more than the tail of a long message.
  return `${cut(escapeControls(kind.latest), LINE_BYTES_MAX - more.length - 4)}${more}`;
}

/** One line of at most 8 KiB, without its newline. */
function oneLine(text: string): string {
  return cut(escapeControls(text), LINE_BYTES_MAX - 1);
}

function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (found) => {
    if (found === "\n") return "\\n";
    if (found === "\r") return "\\r";
    if (found === "\t") return "\\t";
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function cut(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  let end = bytesMax - CUT.length;
  // Step back to the start of a character: continuation bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end) + CUT;
}

/** The part of a stream that streamWriter needs (process.stdout, process.stderr). */
export interface LineStream {
  readonly writableLength: number;
  write(text: string): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** Bytes of log a reader may leave unread before lines are thrown away. */
const BACKLOG_BYTES_MAX = 1 << 20;

/**
 * A `write` for createLog that survives a parent which is gone (EPIPE: lines are thrown away from then on, `onClosed` is told
 * once) and one that does not read (lines are thrown away while 1 MiB waits).
 */
export function streamWriter(
  streams: Readonly<Record<LogStream, LineStream>>,
  onClosed: (stream: LogStream) => void = () => undefined,
): LogOptions["write"] {
  const closed = new Set<LogStream>();
  for (const name of ["stdout", "stderr"] as const) {
    streams[name].on("error", () => {
      if (closed.has(name)) return;
      closed.add(name);
      onClosed(name);
    });
  }
  return (name, line) => {
    const stream = streams[name];
    if (closed.has(name) || stream.writableLength > BACKLOG_BYTES_MAX) return;
    stream.write(line);
  };
}
