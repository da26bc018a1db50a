// A host that behaves as Telegraf's runner (internal/process): it starts the built `limpet aggregate`, writes to its stdin, reads
// both its outputs line by line, and stops it by closing stdin first. What a test leaves running is killed by stopHosts().
import { type ChildProcess, type IOType, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

export const LIMPET = new URL("../../dist/bin/limpet.js", import.meta.url).pathname;
const WAIT_MS = 10_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  /** From the call of stop() or ended() to the exit. */
  readonly ms: number;
}

export interface HostOptions {
  /** fd 0; a pipe by default. */
  readonly stdin?: IOType | number;
  readonly cwd?: string;
  /** Instead of this process' environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<ChildProcess>();

/** For afterEach. */
export function stopHosts(): void {
  for (const child of running) child.kill("SIGKILL");
}

export class Host {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #closed: Promise<unknown>;

  constructor(args: readonly string[], options: HostOptions = {}) {
    this.child = spawn(process.execPath, [LIMPET, ...args], {
      stdio: [options.stdin ?? "pipe", "pipe", "pipe"],
      cwd: options.cwd,
      env: options.env ?? { PATH: process.env["PATH"] },
    });
    running.add(this.child);
    this.child.stdout?.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr?.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    // A child that ended before it read everything: Telegraf logs that, we ask for the exit.
    this.child.stdin?.on("error", () => undefined);
    this.#closed = once(this.child, "close").then(() => running.delete(this.child));
  }

  /** Resolves when the text is in the pipe. */
  async write(text: string): Promise<void> {
    if (this.child.stdin?.write(text) === false) await once(this.child.stdin, "drain");
  }

  /** Waits until an output holds `text`; fails with both outputs otherwise. */
  async saying(text: string): Promise<this> {
    await until(
      () => this.stdout.includes(text) || this.stderr.includes(text),
      () => `never said "${text}":\n${this.stdout}${this.stderr}`,
    );
    return this;
  }

  /** Waits for its listener and its readiness. */
  async ready(): Promise<this> {
    return this.saying("reading standard input");
  }

  /** Where it listens. */
  url(path = "/"): string {
    const url = /listening on (\S+)/.exec(this.stdout + this.stderr)?.[1];
    if (url === undefined) throw new Error(`it does not listen:\n${this.stdout}${this.stderr}`);
    return new URL(path, url).href;
  }

  /** The page at `path` of its listener. */
  async page(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(this.url(path));
    return { status: answer.status, text: await answer.text() };
  }

  /** The sum of a metric's samples whose labels contain `labels`. */
  async metric(name: string, labels = ""): Promise<number> {
    let sum = 0;
    for (const line of (await this.page("/metrics")).text.split("\n")) {
      const [series = "", value = ""] = line.split(/ (?=[^ ]*$)/);
      if ((series === name || series.startsWith(`${name}{`)) && series.includes(labels)) sum += Number(value);
    }
    return sum;
  }

  /** Ends it as Telegraf does (EOF), or by a signal, and waits. */
  async stop(how: "EOF" | "SIGTERM" | "SIGKILL" = "EOF"): Promise<Ended> {
    if (how === "EOF") this.child.stdin?.end();
    else this.child.kill(how);
    return this.ended();
  }

  async ended(): Promise<Ended> {
    const start = performance.now();
    await this.#closed;
    return { code: this.child.exitCode, signal: this.child.signalCode, ms: performance.now() - start };
  }

  /** The numbers of the last line. */
  farewell(): { readonly read: number; readonly applied: number; readonly dropped: number; readonly unsent: number } {
    const last = (this.stdout + this.stderr).match(/stopped: read (\d+) lines, applied (\d+), dropped (\d+), unsent (\d+)/);
    if (last === null) throw new Error(`no last line:\n${this.stdout}${this.stderr}`);
    const [read = Number.NaN, applied = Number.NaN, dropped = Number.NaN, unsent = Number.NaN] = last.slice(1).map(Number);
    return { read, applied, dropped, unsent };
  }
}

/** Polls until `holds`; `why` says what is missing when it never does. */
export async function until(holds: () => boolean | Promise<boolean>, why: () => string, waitMs = WAIT_MS): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > waitMs) throw new Error(why());
    await delay(20);
  }
}
