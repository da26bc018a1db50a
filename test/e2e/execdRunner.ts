// Telegraf's side of an execd plugin, as its internal/process does it: the child is started again after every exit, whatever its
// code; it is stopped by closing its stdin, then SIGTERM after 5 s, then SIGKILL after 5 more; its stdout is parsed as a stream of
// line protocol (modes processor and input) or read as lines; its stderr is read by a scanner that gives up for good at 64 KiB.
import { setTimeout as delay } from "node:timers/promises";
import { LineStream } from "#limpet/metric/lineStream.js";
import { type Ended, Host, type HostOptions } from "./host.js";

/** Go's bufio.Scanner, as the plugins use it. */
const SCANNER_BYTES = 65_536;
const PATIENCE_MS = 5000;

const runners = new Set<ExecdRunner>();

/** For afterEach, with stopHosts(): a child that a test left behind is not started again. */
export function forgetRunners(): void {
  for (const runner of runners) runner.forget();
  runners.clear();
}

export class ExecdRunner {
  readonly #args: readonly string[];
  readonly #options: HostOptions & { readonly restartDelayMs?: number };
  host: Host;
  starts = 0;
  /** Metrics parsed from stdout, as written: one text per point, and what is no line protocol. */
  readonly metrics: string[] = [];
  readonly parseErrors: string[] = [];
  /** Lines written while no child was there to take them. */
  linesRefused = 0;
  #stopping = false;
  #ended: Promise<Ended>;

  constructor(args: readonly string[], options: HostOptions & { readonly restartDelayMs?: number } = {}) {
    this.#args = args;
    this.#options = options;
    [this.host, this.#ended] = this.#start();
    runners.add(this);
  }

  forget(): void {
    this.#stopping = true;
  }

  /** As Telegraf writes a batch: a child that is gone costs it. */
  async write(lines: string): Promise<void> {
    const { stdin } = this.host.child;
    if (stdin === null || stdin.destroyed || this.host.child.exitCode !== null || this.host.child.signalCode !== null)
      this.linesRefused += lines.split("\n").length - 1;
    // One that dies meanwhile has taken what it has taken.
    else await Promise.race([this.host.write(lines).catch(() => undefined), this.#ended]);
  }

  /** Ends the child and does not start it again. */
  async stop(): Promise<Ended> {
    this.#stopping = true;
    const { host } = this;
    host.child.stdin?.end();
    const timers = [PATIENCE_MS, 2 * PATIENCE_MS].map((ms, i) => setTimeout(() => host.child.kill(i === 0 ? "SIGTERM" : "SIGKILL"), ms));
    const ended = await this.#ended;
    for (const timer of timers) clearTimeout(timer);
    return ended;
  }

  /** As `systemctl reload telegraf`: the old child is gone before the new one starts. */
  async reload(): Promise<Ended> {
    const ended = await this.stop();
    this.#stopping = false;
    [this.host, this.#ended] = this.#start();
    return ended;
  }

  /** The child dies; resolves when the next one is there. */
  async kill(): Promise<void> {
    const { starts } = this;
    this.host.child.kill("SIGKILL");
    while (this.starts === starts) await delay(10);
  }

  #start(): [Host, Promise<Ended>] {
    this.starts++;
    const host = new Host(this.#args, this.#options);
    const stream = new LineStream({
      point: (point, bytes) => void this.metrics.push(textOf(point, bytes)),
      error: ({ message }) => void this.parseErrors.push(message),
    });
    host.child.stdout?.on("data", (chunk: Buffer) => {
      stream.write(chunk);
    });
    host.child.stdout?.on("end", () => {
      stream.end();
    });
    const ended = host.ended().then(async (how) => {
      const long = host.stderr.split("\n").find((line) => Buffer.byteLength(line) >= SCANNER_BYTES);
      if (long !== undefined) throw new Error(`a log line of ${String(Buffer.byteLength(long))} bytes stops Telegraf's reader`);
      if (!this.#stopping) await delay(this.#options.restartDelayMs ?? 100);
      // It may have been stopped while it waited.
      if (!this.#stopping) [this.host, this.#ended] = this.#start();
      return how;
    });
    return [host, ended];
  }
}

/** The point's own bytes: from its key to the end of its line. */
function textOf({ keyStart }: { readonly keyStart: number }, bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let quoted = false;
  for (let at = keyStart; at < text.length; at++) {
    if (text[at] === 0x22 && text[at - 1] !== 0x5c) quoted = !quoted;
    if (text[at] === 10 && !quoted) return text.toString("utf8", keyStart, at);
  }
  return text.toString("utf8", keyStart);
}
