// One `limpet aggregate` as a child process, fed on its stdin as Telegraf feeds an execd output.
// Its stdout is log lines, and as the last line `ledger {json}`; its stderr is warnings and errors. It ends at end of input.
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { execa } from "execa";
import { type AggregatorLedger, aggregatorLedgerSchema } from "./ledger.js";

export interface AggregatorOptions {
  /** Program and first arguments, e.g. [node, dist/bin/limpet.js]. */
  readonly command: readonly [string, ...string[]];
  readonly rulesFile: string;
  readonly sink: string;
  readonly port: number;
}

export interface AggregatorEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** From its last line; undefined when it did not print one. */
  readonly ledger: AggregatorLedger | undefined;
}

export interface AggregatorChild {
  readonly pid: number;
  readonly stdin: Writable;
  readonly metricsUrl: string;
  /** Settles when the process is gone and its output is read; never rejects. */
  readonly ended: Promise<AggregatorEnd>;
  /** What it counts now; undefined while it cannot answer. */
  ledger(): Promise<AggregatorLedger | undefined>;
  /** Its newest lines of stderr, oldest first, at most PROBLEMS_MAX. */
  problems(): readonly string[];
  kill(): void;
}

const PROBLEMS_MAX = 50;
const STATUS_TIMEOUT_MS = 2_000;
const LEDGER_PREFIX = "ledger ";

/** Throws when the program cannot be started at all. */
export async function startAggregator(options: AggregatorOptions): Promise<AggregatorChild> {
  const [program, ...first] = options.command;
  const base = `http://127.0.0.1:${String(options.port)}`;
  const child = execa(
    program,
    [
      ...first,
      "aggregate",
      "--mode",
      "output",
      "--rules",
      options.rulesFile,
      "--sink",
      options.sink,
      "--listen",
      `127.0.0.1:${String(options.port)}`,
    ],
    { stdin: "pipe", stdout: "pipe", stderr: "pipe", buffer: false, reject: false, env: { LIMPET_LEDGER: "json" } },
  );
  // A child that is gone closes its stdin; that it is gone is told by `ended`.
  child.stdin.on("error", () => undefined);
  const problems: string[] = [];
  let ledgerText: string | undefined;
  const outputRead = Promise.all([
    readLines(child.stdout, (line) => {
      if (line.startsWith(LEDGER_PREFIX)) ledgerText = line.slice(LEDGER_PREFIX.length);
    }),
    readLines(child.stderr, (line) => {
      problems.push(line);
      if (problems.length > PROBLEMS_MAX) problems.shift();
    }),
  ]);
  if (child.pid === undefined) throw new Error(`cannot start ${program}`, { cause: (await child).cause });
  return {
    pid: child.pid,
    stdin: child.stdin,
    metricsUrl: `${base}/metrics`,
    ended: (async () => {
      const { exitCode, signal } = await child;
      await outputRead;
      return { exitCode, signal, ledger: ledgerText === undefined ? undefined : parseLedger(ledgerText) };
    })(),
    ledger: () => fetchLedger(`${base}/api/v1/status`),
    problems: () => problems,
    kill: () => {
      child.kill("SIGKILL");
    },
  };
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = createInterface({ input: stream });
  lines.on("line", onLine);
  await once(lines, "close");
}

function parseLedger(text: string): AggregatorLedger | undefined {
  try {
    return aggregatorLedgerSchema.safeParse(JSON.parse(text)).data;
  } catch {
    // Cut off: the process was killed while it wrote. The same as no ledger.
    return undefined;
  }
}

async function fetchLedger(url: string): Promise<AggregatorLedger | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    // json() is `any` by its declaration; safeParse takes unknown.
    const status: unknown = await response.json();
    const ledger = status !== null && typeof status === "object" && "ledger" in status ? status.ledger : undefined;
    return aggregatorLedgerSchema.safeParse(ledger).data;
  } catch {
    // Not listening yet, or gone already; the next poll or `ended` tells.
    return undefined;
  }
}
