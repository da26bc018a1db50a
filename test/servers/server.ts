// Starts real servers for tests: loopback, a port that was free a moment ago, a temp folder, stopped by pid and awaited.
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface RealServer {
  /** http://127.0.0.1:PORT */
  readonly url: string;
  readonly folder: string;
  readonly stop: () => Promise<void>;
  /** Killed: its data stays, and nobody listens on its port. Frozen: connections are taken and nothing is answered. */
  readonly down: (how: "killed" | "frozen") => Promise<void>;
  /** The same server goes on, with the same port and data. */
  readonly up: () => Promise<void>;
}

/** Whether a program is installed. Under CI its absence is an error; elsewhere it is said aloud and the caller skips. */
export function requireBinary(name: string): boolean {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
    }
  }
  const message = `${name} is not installed; apt-get install ${name}`;
  if (process.env["CI"] !== undefined && process.env["CI"] !== "false") throw new Error(message);
  process.stderr.write(`\n*** SKIPPED: ${message}\n`);
  return false;
}

/** A free port on loopback. Another process may take it before it is used: startServer tries again. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

/** Starts `binary` with the arguments for a port and a folder; resolves when `readyPath` answers 200 or 204. */
export async function startServer(
  binary: string,
  readyPath: string,
  argumentsOf: (port: number, folder: string) => readonly string[],
  port?: number,
): Promise<RealServer> {
  let problem = "";
  for (let attempt = 0; attempt < 3; attempt++) {
    const folder = mkdtempSync(join(tmpdir(), `limpet-${binary}-`));
    const chosen = port ?? (await freePort());
    let output = "";
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4000);
    };
    const run = (): ChildProcess => {
      const started = spawn(binary, argumentsOf(chosen, folder), { stdio: ["ignore", "pipe", "pipe"] });
      started.stdout.on("data", keep);
      started.stderr.on("data", keep);
      return started;
    };
    let child = run();
    const url = `http://127.0.0.1:${chosen}`;
    const down = async (how: "killed" | "frozen"): Promise<void> => {
      if (how === "killed") await kill(child);
      else child.kill("SIGSTOP");
    };
    const up = async (): Promise<void> => {
      if (isAlive(child)) child.kill("SIGCONT");
      else child = run();
      if (!(await isReady(child, url + readyPath))) throw new Error(`${binary} did not come back: ${output}`);
    };
    if (await isReady(child, url + readyPath)) return { url, folder, stop: () => stop(child, folder), down, up };
    await stop(child, folder);
    problem = output;
  }
  throw new Error(`${binary} did not become ready: ${problem}`);
}

async function isReady(child: ChildProcess, url: string): Promise<boolean> {
  const deadline = performance.now() + 20_000;
  while (isAlive(child) && performance.now() < deadline) {
    const status = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 0,
    );
    // Its own listener, not somebody else's on the port it could not have.
    if (status === 200 || status === 204) return isAlive(child);
    await delay(20);
  }
  return false;
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function kill(child: ChildProcess): Promise<void> {
  if (!isAlive(child)) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  await kill(child);
  rmSync(folder, { recursive: true, force: true });
}
