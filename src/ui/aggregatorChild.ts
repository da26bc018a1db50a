// One `limpet aggregate` as a child process, fed on its stdin as Telegraf feeds an execd output.
// Its stdout is log lines, and as the last line `ledger {json}`; its stderr is warnings and errors. It ends at end of input.
import type { Writable } from "node:stream";
import { type AggregatorLedger, aggregatorLedgerSchema } from "./ledger.js";
import { type ChildEnd, startChild } from "./limpetChild.js";

export interface AggregatorOptions {
  /** Program and first arguments, e.g. [node, dist/bin/limpet.js]. */
  readonly command: readonly [string, ...string[]];
  readonly rulesFile: string;
  readonly sink: string;
  readonly port: number;
}

export interface AggregatorChild {
  readonly pid: number;
  readonly stdin: Writable;
  readonly metricsUrl: string;
  /** Settles when the process is gone and its output is read; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** What it counts now; undefined while it cannot answer. */
  ledger(): Promise<AggregatorLedger | undefined>;
  /** Its newest warnings and errors, oldest first. */
  problems(): readonly string[];
  kill(): void;
}

const STATUS_TIMEOUT_MS = 2_000;

/** Throws when the program cannot be started at all. */
export async function startAggregator(options: AggregatorOptions): Promise<AggregatorChild> {
  const { command, rulesFile, sink, port } = options;
  const listen = `127.0.0.1:${String(port)}`;
  const child = await startChild(command, ["aggregate", "--mode", "output", "--rules", rulesFile, "--sink", sink, "--listen", listen]);
  return {
    ...child,
    metricsUrl: `http://${listen}/metrics`,
    ledger: async () => ledgerIn(await fetchStatus(`http://${listen}`)),
    kill: () => {
      child.kill("SIGKILL");
    },
  };
}

/** `GET /api/v1/status` of a process; undefined while it cannot answer. */
export async function fetchStatus(base: string): Promise<unknown> {
  try {
    const response = await fetch(`${base}/api/v1/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    return await response.json();
  } catch {
    // Not listening yet, or gone already; the next poll or `ended` tells.
    return undefined;
  }
}

/** The ledger in an aggregator's status; undefined: there is none. */
export function ledgerIn(status: unknown): AggregatorLedger | undefined {
  const ledger = status !== null && typeof status === "object" && "ledger" in status ? status.ledger : undefined;
  return aggregatorLedgerSchema.safeParse(ledger).data;
}
