// Standard input straight into the engine's memory. Telegraf writes to a pipe (sometimes a socket); people redirect files.
// Bytes are never copied in JavaScript: every read lands where the parser will look at it.
import { fstatSync, read } from "node:fs";
import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import { isatty } from "node:tty";

export type StdinKind = "stream" | "file" | "terminal" | "nothing";

/** What fd 0 is: a pipe or socket, a regular file, a terminal, or nothing to read from (/dev/null, closed). */
export function stdinKind(): StdinKind {
  if (isatty(0)) return "terminal";
  try {
    const stat = fstatSync(0);
    if (stat.isFIFO() || stat.isSocket()) return "stream";
    return stat.isFile() ? "file" : "nothing";
  } catch {
    // A closed descriptor: nothing will ever come.
    return "nothing";
  }
}

/** Who takes the bytes. */
export interface InputTarget {
  /** The memory for the next read; at least one byte. */
  room(): Buffer;
  /** `bytes` bytes were read into room(). A promise: nothing more is read until it resolves. */
  received(bytes: number): Promise<void> | undefined;
  /** No more will come. `error`: because reading failed. */
  ended(error?: Error): void;
}

/**
 * Starts reading; stop() ends it without ended(). What was in the pipe when a signal came is taken before the signal is heard:
 * libuv looks at signals last.
 */
export function readStdin(kind: "stream" | "file", target: InputTarget): { stop(): void } {
  return kind === "stream" ? readStream(target) : readFile(target);
}

function readStream(target: InputTarget): { stop(): void } {
  let stopped = false;
  // onread is documented for net.connect; the constructor takes it too, @types/node does not say so.
  const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
    fd: 0,
    readable: true,
    writable: false,
    // A function, so that each read gets the place behind what is still pending.
    onread: {
      buffer: () => target.room(),
      callback: (bytes) => {
        const room = stopped ? undefined : target.received(bytes);
        void room?.then(() => {
          if (!stopped) socket.resume();
        });
        return !stopped && room === undefined;
      },
    },
  };
  const socket = new Socket(options);
  let ended = false;
  const end = (error?: Error): void => {
    if (ended || stopped) return;
    ended = true;
    target.ended(error);
  };
  socket.on("end", () => {
    end();
  });
  socket.on("close", () => {
    end();
  });
  socket.on("error", end);
  socket.resume();
  return {
    stop: () => {
      stopped = true;
      socket.destroy();
    },
  };
}

function readFile(target: InputTarget): { stop(): void } {
  let stopped = false;
  const next = (): void => {
    const room = target.room();
    read(0, room, 0, room.length, null, (error, bytes) => {
      if (stopped) return;
      if (error !== null) target.ended(error);
      else if (bytes === 0) target.ended();
      else {
        const room = target.received(bytes);
        if (room === undefined) next();
        else
          void room.then(() => {
            if (!stopped) next();
          });
      }
    });
  };
  next();
  return {
    stop: () => {
      stopped = true;
    },
  };
}
