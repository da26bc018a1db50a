// A run that never ends cannot tell of itself: a second thread looks whether runs are counted, and ends the process with the command
// that repeats the one that hangs.
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";

const SILENCE_MS = 30_000;

const WATCH = `
const { workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const counts = new Int32Array(workerData.shared);
let before = -1, since = Date.now();
setInterval(() => {
  const now = Atomics.load(counts, 0);
  if (now !== before) { before = now; since = Date.now(); return; }
  if (Date.now() - since < workerData.silenceMs) return;
  writeSync(2, "fuzz: run " + now + " has not ended in " + workerData.silenceMs / 1000 + " s; " + workerData.hint + "\\n");
  process.kill(process.pid, "SIGKILL");
}, 500).unref();
`;

export interface Watchdog {
  /** A run begins. */
  count(): void;
  end(): Promise<unknown>;
}

export function startWatchdog(hint: string): Watchdog {
  const shared = new SharedArrayBuffer(4);
  const counts = new Int32Array(shared);
  const worker = new Worker(WATCH, { eval: true, workerData: { shared, hint, silenceMs: SILENCE_MS } });
  worker.on("error", (error) => writeSync(2, `fuzz: no watchdog: ${error.message}\n`));
  worker.unref();
  return { count: () => Atomics.add(counts, 0, 1), end: () => worker.terminate() };
}
