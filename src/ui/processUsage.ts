// CPU time and memory of another process: /proc on Linux, `ps` where there is none (macOS).
import { readFile } from "node:fs/promises";
import { execa } from "execa";

export interface ProcessUsage {
  /** User and system time since the process started. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Linux counts CPU time in ticks of USER_HZ, which is 100 on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

/** Undefined when the process is gone or the system does not tell. */
export async function readProcessUsage(pid: number): Promise<ProcessUsage | undefined> {
  try {
    return process.platform === "linux" ? await fromProc(pid) : fromPs((await execa("ps", ["-o", "rss=,time=", "-p", String(pid)])).stdout);
  } catch {
    // Gone in between, or no `ps`: the screen shows "…".
    return undefined;
  }
}

async function fromProc(pid: number): Promise<ProcessUsage | undefined> {
  const [stat, status] = await Promise.all([readFile(`/proc/${String(pid)}/stat`, "latin1"), readFile(`/proc/${String(pid)}/status`, "latin1")]);
  // The second field is the program's name in parentheses and may hold blanks; utime and stime are the 14th and 15th of all.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const rssKib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  return Number.isNaN(ticks + rssKib) ? undefined : { cpuSeconds: ticks / TICKS_PER_SECOND, rssBytes: rssKib * 1024 };
}

/** `  51234   1:02.53`: KiB, then [[days-]hours:]minutes:seconds. */
export function fromPs(text: string): ProcessUsage | undefined {
  const found = /^\s*(\d+)\s+(?:(?:(\d+)-)?(\d+):)?(\d+):([\d.]+)\s*$/.exec(text);
  if (found === null) return undefined;
  const [rssKib = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = found.slice(1).map((part: string | undefined) => Number(part ?? 0));
  return { cpuSeconds: ((days * 24 + hours) * 60 + minutes) * 60 + seconds, rssBytes: rssKib * 1024 };
}
