// Signals of a process that a host runs. Telegraf ends its children by closing their stdin, then SIGTERM, then SIGKILL; Ctrl-C in
// Telegraf's terminal reaches the whole process group, so SIGINT says nothing about us while stdin is open.
//
//   SIGTERM          the first resolves `stop`; more change nothing, the stop is already as fast as it can be
//   SIGINT           the same where a person runs us, else ignored
//   SIGHUP           told
//   SIGUSR1, 2, PIPE ignored: Telegraf's `signal` settings must not end us (Node by itself opens its debugger on SIGUSR1)

export interface Signals {
  /** Resolves at the first signal that ends the process. */
  readonly stop: Promise<void>;
}

/** From now on no signal but SIGKILL ends the process by itself. */
export function holdSignals(options: { readonly obeyInterrupt: boolean; readonly onHangUp: () => void }): Signals {
  const ignore = (): void => undefined;
  for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) process.on(signal, ignore);
  process.on("SIGHUP", options.onHangUp);
  const stop = new Promise<void>((resolve) => {
    const end = (): void => {
      resolve();
    };
    process.on("SIGTERM", end);
    process.on("SIGINT", options.obeyInterrupt ? end : ignore);
  });
  return { stop };
}
