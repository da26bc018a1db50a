// Starts a program and tells, when it has ended, what its whole life cost.
//
// CPU time is what the kernel accounted to the process and its threads (user + system), start-up, garbage collection and final
// flush included, in microseconds: read by bash's `times` after wait(2), because /proc/PID/stat counts in 10 ms ticks and is gone
// with the process. Peak memory is VmHWM, read from /proc while it runs (the kernel keeps the maximum, so the last reading is at
// most one poll short). Linux only.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { systemErrorCode } from "#limpet/base/systemError.js";

export interface Cost {
  readonly cpuSeconds: number;
  readonly rssMaxMegabytes: number;
}

export interface MeasuredOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A FIFO (or file) that becomes its standard input; default: nothing to read. */
  readonly stdinPath?: string;
}

export interface Measured {
  /** What it wrote to stderr so far. */
  log(): string;
  /** Resolves with the first match of `pattern` in its stderr; rejects when it ends before. */
  logged(pattern: RegExp): Promise<RegExpExecArray>;
  terminate(): void;
  /** Resolves when it has ended with status 0; else rejects with the end of its stderr. */
  ended: Promise<Cost>;
}

const HWM_POLL_MS = 50;
// fd 3 carries the child's pid, later the two lines of `times`: the shell's own and its children's.
const WRAPPER = '"$@" <&0 3>&- & child=$!; echo "$child" >&3; wait "$child"; status=$?; times >&3; exit "$status"';

export function startMeasured(options: MeasuredOptions): Measured {
  const { command, args, env = {}, stdinPath } = options;
  const redirected =
    stdinPath === undefined ? [command, ...args] : ["bash", "-c", 'path="$1"; shift; exec "$@" <"$path"', "stdin", stdinPath, command, ...args];
  const shell = spawn("bash", ["-c", WRAPPER, "measured", ...redirected], {
    env: { ...process.env, ...env, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  // Both were asked for as pipes just above; spawn's types cannot tell.
  const [, , errors, report] = shell.stdio as unknown as [null, null, Readable, Readable];
  let reported = "";
  let stderr = "";
  let rssMaxMegabytes = 0;
  const watchers = new Set<() => void>();
  report.setEncoding("utf8").on("data", (text: string) => (reported += text));
  errors.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    for (const watch of watchers) watch();
  });
  const poll = setInterval(() => {
    const pid = livePid(reported);
    if (pid !== undefined) rssMaxMegabytes = Math.max(rssMaxMegabytes, hwmMegabytes(pid));
  }, HWM_POLL_MS);

  const terminate = (): void => {
    const pid = livePid(reported);
    if (pid !== undefined) signalIfAlive(pid);
  };
  process.once("exit", terminate); // whatever ends us, the child is not left behind
  const ended = new Promise<Cost>((resolve, reject) => {
    shell.once("error", reject);
    shell.once("close", (status) => {
      clearInterval(poll);
      process.off("exit", terminate);
      for (const watch of watchers) watch();
      const cpuSeconds = childSeconds(reported);
      if (status === 0 && cpuSeconds > 0) resolve({ cpuSeconds, rssMaxMegabytes });
      else reject(new Error(`${command} ended with status ${status ?? "none"}:\n${stderr.slice(-2000)}`));
    });
  });
  ended.catch(() => undefined); // whoever awaits it sees the error; until then it is not "unhandled"

  return {
    log: () => stderr,
    logged: (pattern) => waitForLog(pattern, () => stderr, watchers, ended),
    terminate,
    ended,
  };
}

function waitForLog(pattern: RegExp, stderr: () => string, watchers: Set<() => void>, ended: Promise<Cost>): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const watch = (): void => {
      const match = pattern.exec(stderr());
      if (match === null) return;
      watchers.delete(watch);
      resolve(match);
    };
    watchers.add(watch);
    watch();
    ended.then(() => {
      reject(new Error(`ended without logging ${String(pattern)}`));
    }, reject);
  });
}

/** The child's pid while its costs are not yet reported. */
function livePid(reported: string): number | undefined {
  const [pid, ...costs] = reported.split("\n");
  return pid === undefined || pid === "" || costs.join("") !== "" ? undefined : Number(pid);
}

/** It may end between our look and our signal. */
function signalIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === "ENOENT" || code === "ESRCH";
}

function hwmMegabytes(pid: number): number {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(match?.[1] ?? 0) / 1024;
  } catch (error) {
    if (isGone(error)) return 0; // it has just ended
    throw error;
  }
}

/** User + system seconds of `times`' second line, e.g. `0m1.234s 0m0.456s`. */
function childSeconds(reported: string): number {
  const line = reported.trimEnd().split("\n")[2] ?? "";
  return [...line.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}
