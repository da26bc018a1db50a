// When `limpet up` ends: after its duration, or on SIGINT, SIGTERM, SIGHUP. A second SIGINT means "now".
//
// Under `npm start` one Ctrl-C arrives twice: the terminal signals the whole foreground group, and npm passes its own copy
// on. So a second signal only counts when it comes REPEAT_MS after the first.

const REPEAT_MS = 400;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopSignal {
  /** Settles at the first reason to end. */
  readonly requested: Promise<void>;
  /** Forgets timer and signals; never settles `requested` afterwards. */
  release(): void;
}

/** @param quit called on a second signal; must end the process. */
export function watchStop(durationMs: number | undefined, quit: () => void): StopSignal {
  let firstMs: number | undefined;
  let stop: () => void = () => undefined;
  const requested = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const timer = durationMs === undefined ? undefined : setTimeout(stop, durationMs);
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (firstMs !== undefined && nowMs - firstMs >= REPEAT_MS) quit();
    firstMs ??= nowMs;
    stop();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    requested,
    release: () => {
      clearTimeout(timer);
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
