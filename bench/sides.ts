// One run of one side of the comparison: start the process, feed it the workload, stop it as its supervisor would, take its rows.
//
//   limpet    <- a pipe (as Telegraf's execd gives it), then end of input; or HTTP posts (doors.ts), then SIGTERM
//   vmagent   <- HTTP posts, then SIGTERM
//
// Both stops make the process hand over what it still holds, so the cost of the last flush is in the figure.
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, open, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { linesOf, type Workload } from "./data.js";
import { type Door, type Posts, postsOf } from "./doors.js";
import { type Cost, type Measured, startMeasured } from "./measured.js";
import type { Receiver } from "./receiver.js";

/** When which lines are due. Lines [from, to) are sent not before `dueMs` (wall clock); 0 = at once. */
export interface Batch {
  readonly from: number;
  readonly to: number;
  readonly dueMs: number;
}

export interface RunInput {
  readonly workload: Workload;
  readonly batches: readonly Batch[];
  /** YAML text of the rule file. */
  readonly rules: string;
  readonly receiver: Receiver;
  /** An empty folder of this run's own. */
  readonly dir: string;
}

export interface RunOutput extends Cost {
  /** First byte offered to last byte accepted. */
  readonly feedSeconds: number;
  /** How late the last due batch began; 0 when nothing was paced. */
  readonly behindMs: number;
  /** Remote-write bodies, compressed. */
  readonly bodies: readonly Buffer[];
}

const WRITE_BYTES = 1 << 20;

/** `command` is how Limpet is started, e.g. ["node", "dist/bin/limpet.js"]. */
export function runLimpet(input: RunInput, command: readonly string[], door: Door = "pipe"): Promise<RunOutput> {
  return door === "pipe" ? runPiped(input, command) : runPosted(input, command, postsOf(door));
}

/** Limpet fed by HTTP. */
async function runPosted(input: RunInput, command: readonly string[], posts: Posts): Promise<RunOutput> {
  const rulesPath = path.join(input.dir, "rules.yaml");
  await writeFile(rulesPath, input.rules);
  const [program = "node", ...before] = command;
  const sink = ["--sink", input.receiver.url];
  const args = [...before, "aggregate", "--mode", "serve", "--listen", "127.0.0.1:0", "--rules", rulesPath, ...sink];
  const bodies = bodiesOf(input, posts);
  const child = startMeasured({ command: program, args });
  try {
    const [, port = ""] = await child.logged(/listening on http:\/\/127\.0\.0\.1:(\d+)/);
    return await feedByPosts(input, { child, port, posts, bodies });
  } catch (error) {
    throw await failure("limpet", child, error);
  }
}

async function runPiped(input: RunInput, command: readonly string[]): Promise<RunOutput> {
  const rulesPath = path.join(input.dir, "rules.yaml");
  const fifo = path.join(input.dir, "stdin");
  await writeFile(rulesPath, input.rules);
  await promisify(execFile)("mkfifo", [fifo]);
  const [program = "node", ...before] = command;
  const child = startMeasured({
    command: program,
    args: [...before, "aggregate", "--rules", rulesPath, "--sink", input.receiver.url],
    stdinPath: fifo,
  });
  // Opening a FIFO to write waits for its reader: when the child never comes to read, open the other end ourselves.
  child.ended.catch(async () => (await open(fifo, constants.O_RDWR | constants.O_NONBLOCK)).close());
  try {
    const pipe = await open(fifo, "w");
    const fed = await feed(input.batches, (from, to) => writeAll(pipe, linesOf(input.workload, from, to))).finally(() => pipe.close());
    return { ...fed, ...(await child.ended), bodies: input.receiver.take() };
  } catch (error) {
    throw await failure("limpet", child, error);
  }
}

/** Ends the child and says why the run failed: the child's own last words when it ended badly (ours is then only an EPIPE). */
async function failure(side: string, child: Measured, error: unknown): Promise<Error> {
  child.terminate();
  const cause = await child.ended.then(
    () => error,
    (ended: unknown) => ended,
  );
  return new Error(`the ${side} run failed: ${error instanceof Error ? error.message : String(error)}`, { cause });
}

async function writeAll(pipe: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await pipe.write(bytes, at, Math.min(WRITE_BYTES, bytes.length - at))).bytesWritten;
}

/** `maxProcs` undefined: as many as vmagent takes by itself. */
export async function runVmagent(
  input: RunInput,
  { binary, maxProcs, door = "http" }: { binary: string; maxProcs: number | undefined; door?: Door },
): Promise<RunOutput> {
  const posts = postsOf(door);
  const bodies = bodiesOf(input, posts);
  const rulesPath = path.join(input.dir, "rules.yaml");
  await writeFile(rulesPath, input.rules);
  const queue = path.join(input.dir, "queue");
  const args = [
    "-httpListenAddr=127.0.0.1:0",
    `-remoteWrite.url=${input.receiver.url}`,
    `-remoteWrite.tmpDataPath=${queue}`,
    "-remoteWrite.forcePromProto",
    `-streamAggr.config=${rulesPath}`,
    "-streamAggr.dropInput=true",
  ];
  const child = startMeasured({ command: binary, args, env: maxProcs === undefined ? {} : { GOMAXPROCS: String(maxProcs) } });
  try {
    const [, port = ""] = await child.logged(/started server at http:\/\/127\.0\.0\.1:(\d+)/);
    return await feedByPosts(input, { child, port, posts, bodies });
  } catch (error) {
    throw await failure("vmagent", child, error);
  } finally {
    await rm(queue, { recursive: true, force: true });
  }
}

/** By batch, made before the process starts: what compressing them costs is the sender's business. */
function bodiesOf(input: RunInput, posts: Posts): Buffer[][] {
  return input.batches.map(({ from, to }) => posts.bodies(input.workload, from, to));
}

interface Fed {
  readonly child: Measured;
  readonly port: string;
  readonly posts: Posts;
  readonly bodies: readonly (readonly Buffer[])[];
}

async function feedByPosts(input: RunInput, { child, port, posts, bodies }: Fed): Promise<RunOutput> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: posts.connections });
  try {
    const fed = await feed(input.batches, (_from, _to, batch) => postAll(bodies[batch] ?? [], posts, { agent, port }));
    child.terminate();
    return { ...fed, ...(await child.ended), bodies: input.receiver.take() };
  } finally {
    agent.destroy();
  }
}

interface PostTarget {
  readonly agent: http.Agent;
  readonly port: string;
}

async function postAll(bodies: readonly Buffer[], posts: Posts, target: PostTarget): Promise<void> {
  let next = 0;
  const connection = async (): Promise<void> => {
    for (;;) {
      const body = bodies[next++];
      if (body === undefined) return;
      await post(body, posts, target);
    }
  };
  await Promise.all(Array.from({ length: Math.min(posts.connections, bodies.length) }, connection));
}

function post(body: Buffer, { path: to, headers }: Posts, { agent, port }: PostTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: "127.0.0.1", port, path: to, method: "POST", agent, headers: { ...headers, "Content-Length": body.length } },
      (response) => {
        const { statusCode = 0 } = response;
        response.resume().once("end", () => {
          if (statusCode < 300) resolve();
          else reject(new Error(`POST ${to} answered ${statusCode}`));
        });
      },
    );
    request.once("error", reject);
    request.end(body);
  });
}

/** Sends each batch when it is due, one after the other. */
async function feed(
  batches: readonly Batch[],
  send: (from: number, to: number, batch: number) => Promise<void>,
): Promise<{ feedSeconds: number; behindMs: number }> {
  const startMs = performance.now();
  let behindMs = 0;
  for (const [batch, { from, to, dueMs }] of batches.entries()) {
    const waitMs = dueMs - Date.now();
    if (waitMs > 0) await sleep(waitMs);
    if (dueMs > 0) behindMs = Math.max(0, Date.now() - dueMs);
    await send(from, to, batch);
  }
  return { feedSeconds: (performance.now() - startMs) / 1000, behindMs };
}
