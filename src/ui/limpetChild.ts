// One `limpet` command as a child process: what it says is read line by line, how it ends is told.
// Its stdin is a pipe, so that it can see its parent go. It prints `ledger {json}` as its last line when LIMPET_LEDGER=json.
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { execa } from "execa";
import { type AggregatorLedger, aggregatorLedgerSchema } from "./ledger.js";

export interface ChildEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** From its last line; undefined when it did not print one. */
  readonly ledger: AggregatorLedger | undefined;
}

export interface LimpetChild {
  readonly pid: number;
  readonly stdin: Writable;
  /** Settles when the process is gone and its output is read; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Its newest warnings and errors, oldest first, at most PROBLEMS_MAX. */
  problems(): readonly string[];
  /** Where it listens, by its own word; undefined when it ends before it says so. */
  listening(): Promise<string | undefined>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

const PROBLEMS_MAX = 50;
const LEDGER_PREFIX = "ledger ";
const LISTENING = /listening on (\S+?),?(?: |$)/;

/** @param command program and first arguments, e.g. [node, dist/bin/limpet.js]. Throws when it cannot be started at all. */
export async function startChild(command: readonly [string, ...string[]], args: readonly string[]): Promise<LimpetChild> {
  const [program, ...first] = command;
  const child = execa(program, [...first, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    buffer: false,
    reject: false,
    // How long a stop may take is its caller's decision: handing slices on takes as long as it takes.
    forceKillAfterDelay: false,
    env: { LIMPET_LEDGER: "json", LIMPET_STOP: "stdin" },
  });
  // A child that is gone closes its stdin; that it is gone is told by `ended`.
  child.stdin.on("error", () => undefined);
  const problems: string[] = [];
  let ledgerText: string | undefined;
  let url: string | undefined;
  let heard: (() => void) | undefined;
  const onLine = (line: string): void => {
    if (line.startsWith(LEDGER_PREFIX)) ledgerText = line.slice(LEDGER_PREFIX.length);
    url ??= LISTENING.exec(line)?.[1];
    if (url !== undefined) heard?.();
  };
  const outputRead = Promise.all([
    readLines(child.stdout, onLine),
    readLines(child.stderr, (line) => {
      onLine(line);
      if (/(^|\s)(I!|D!) /.test(line)) return;
      problems.push(line);
      if (problems.length > PROBLEMS_MAX) problems.shift();
    }),
  ]);
  if (child.pid === undefined) throw new Error(`cannot start ${program}`, { cause: (await child).cause });
  const ended = (async () => {
    const { exitCode, signal } = await child;
    await outputRead;
    return { exitCode, signal, ledger: ledgerText === undefined ? undefined : parseLedger(ledgerText) };
  })();
  return {
    pid: child.pid,
    stdin: child.stdin,
    ended,
    problems: () => problems,
    listening: async () => {
      if (url === undefined) await Promise.race([ended, new Promise<void>((resolve) => (heard = resolve))]);
      return url?.replace(/\/$/, "");
    },
    kill: (signal) => {
      child.kill(signal);
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
