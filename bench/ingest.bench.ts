// A line by HTTP: the CPU time of the receiving process from the socket to the Cells, all threads (unpacking has its own). The
// sender is another process and is not counted. 2000 lines per post is vmagent's best batch; 230 is what one Telegraf of
// a fleet collects in an interval.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import { Engine } from "#limpet/aggregate/engine.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { createIngest } from "#limpet/http/ingest.js";
import { type RunningServer, startServer } from "#limpet/http/server.js";
import type { Bench } from "./bench.js";
import { linesOf, makeWorkload, stampTimes } from "./data.js";
import { keptBySize } from "./frozenRows.js";
import { ruleFile } from "./rules.js";

const START_MS = 1_763_870_000_000;
const CONNECTIONS = 8;

/** Posts the bodies it is sent, over some connections, and says when all are answered with 204. */
const SENDER = `
const { Agent, request } = require("node:http");
process.on("disconnect", () => process.exit());
let bodies, options;
process.on("message", (message) => {
  if (message.bodies !== undefined) ({ bodies, options } = message);
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections });
  let left = bodies.length;
  for (const body of bodies) {
    const sent = request(options.url, { method: "POST", agent, headers: options.headers }, (response) => {
      if (response.statusCode !== 204) throw new Error("answer " + response.statusCode);
      response.resume().on("end", () => { if (--left === 0) { agent.destroy(); process.send("done"); } });
    });
    sent.end(body);
  }
});`;

interface Post {
  readonly engine: Engine;
  readonly server: RunningServer;
  readonly sender: ChildProcess;
  readonly lines: number;
}

async function open(lines: number, linesPerPost: number, gzip: boolean): Promise<Post> {
  const outputs = await loadOutputs();
  const { rules } = readRules([{ name: "R1", text: ruleFile("R1", "limpet", "10s", "1m") }], { outputs, env: {}, naming: "telegraf" });
  const engine = new Engine({ rules, outputs, naming: "telegraf", startMs: START_MS, maxFutureMs: 60_000, memoryBytesMax: 1 << 30 });
  const ingest = createIngest({
    read: (document) => {
      while (!document.done) engine.step(START_MS + 2000, { kind: "document", document });
      return Promise.resolve();
    },
    warn: (message) => {
      throw new Error(message);
    },
    version: "bench",
  });
  ingest.open();
  const result = await startServer({ host: "127.0.0.1", port: 0, routes: ingest.routes, warn: () => undefined });
  if (!result.ok) throw new Error(result.message);
  const workload = makeWorkload({ lines, series: Math.ceil(lines / 2), seed: 1, roundMs: 1000, fullPrecision: false, shuffle: false });
  stampTimes(workload, START_MS);
  const bodies: Buffer[] = [];
  for (let line = 0; line < lines; line += linesPerPost) {
    const body = linesOf(workload, line, Math.min(lines, line + linesPerPost));
    bodies.push(gzip ? gzipSync(body) : Buffer.from(body));
  }
  const sender = spawn(process.execPath, ["-e", SENDER], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
  const headers = gzip ? { "content-encoding": "gzip" } : {};
  sender.send({ bodies, options: { url: `${result.server.url}/api/v2/write`, headers, connections: CONNECTIONS } });
  await once(sender, "message");
  return { engine, server: result.server, sender, lines };
}

function posts(linesPerPost: number, gzip: boolean): Bench {
  const all: Promise<Post>[] = [];
  const opened = keptBySize((lines) => {
    const post = open(lines, linesPerPost, gzip);
    all.push(post);
    return post;
  });
  return {
    name: `ingest: ${String(linesPerPost)} lines per post, ${gzip ? "gzip" : "identity"}`,
    async run(scale) {
      const { engine, sender, lines } = await opened(Math.ceil(100_000 * scale));
      const before = engine.ledger().linesRead;
      sender.send("again");
      await once(sender, "message");
      if (engine.ledger().linesRead - before !== lines) throw new Error("lines are missing");
      return { ops: lines, unit: "line" };
    },
    async close() {
      for (const { engine, server, sender } of await Promise.all(all.splice(0))) {
        sender.disconnect();
        await server.close(0);
        engine.dispose();
      }
    },
  };
}

export const batches = posts(2000, false);
export const batchesPacked = posts(2000, true);
export const fleet = posts(230, false);
export const fleetPacked = posts(230, true);
