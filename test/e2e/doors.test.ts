// The built command with its doors open: a real Prometheus scrapes itself and sends to us by remote write while lines come in by
// HTTP and on standard input; rows go out to a file. Every sum is what was sent, the books of /metrics balance, a stop loses nothing.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "@jest/globals";
import { requireBinary, startServer } from "../servers/server.js";

const LIMPET = new URL("../../dist/bin/limpet.js", import.meta.url).pathname;
const RULES = `
- {match: posted, interval: 1s, grace: 1s, by: [host], outputs: [sum_samples]}
- {match: up, interval: 1s, grace: 1s, by: [job], outputs: [count_samples, max]}
- {match: prometheus_http_requests_total, interval: 1s, grace: 1s, without: [handler, code], outputs: [increase]}
`;

interface Limpet {
  readonly child: ChildProcessWithoutNullStreams;
  readonly folder: string;
  readonly url: string;
  output: string;
}

const started: Limpet[] = [];

afterEach(async () => {
  for (const limpet of started.splice(0)) {
    if (limpet.child.exitCode === null && limpet.child.signalCode === null) {
      limpet.child.kill("SIGKILL");
      await once(limpet.child, "exit");
    }
    rmSync(limpet.folder, { recursive: true });
  }
});

async function start(...options: string[]): Promise<Limpet> {
  const folder = mkdtempSync(join(tmpdir(), "limpet-doors-"));
  writeFileSync(join(folder, "rules.yaml"), RULES);
  writeFileSync(join(folder, "token"), "# senders\nsecret\n");
  const fixed = ["--rules", "rules.yaml", "--listen", "127.0.0.1:0", "--sink", `file:${join(folder, "rows")}`, "--token-file", "token"];
  const child = spawn(process.execPath, [LIMPET, "aggregate", ...fixed, ...options], { cwd: folder });
  let url = "";
  const limpet = {
    child,
    folder,
    output: "",
    get url() {
      return url;
    },
  };
  started.push(limpet);
  await new Promise<void>((resolve, reject) => {
    const keep = (chunk: Buffer): void => {
      limpet.output += chunk.toString();
      url = /listening on (\S+)/.exec(limpet.output)?.[1] ?? "";
      if (limpet.output.includes("reading standard input")) resolve();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("exit", () => {
      reject(new Error(limpet.output));
    });
  });
  return limpet;
}

async function post(limpet: Limpet, path: string, body: string): Promise<number> {
  const headers = { authorization: "Token secret", "content-encoding": "gzip" };
  const response = await fetch(limpet.url + path, { method: "POST", headers, body: gzipSync(body) });
  await response.arrayBuffer();
  return response.status;
}

interface FileRow {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function rowsOf(limpet: Limpet): FileRow[] {
  const lines = readFileSync(join(limpet.folder, "rows"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  // The text sink's JSON rows have this shape; a wrong one fails the comparison.
  return lines.map((line) => JSON.parse(line) as FileRow);
}

function sumOf(rows: readonly FileRow[], name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = JSON.stringify(labels);
  return rows.filter((row) => row.name.startsWith(name) && JSON.stringify(row.labels) === wanted).reduce((sum, row) => sum + row.value, 0);
}

/** limpet_ counters of /metrics, summed over their labels. */
async function counters(limpet: Limpet): Promise<Map<string, number>> {
  const text = await (await fetch(`${limpet.url}/metrics`)).text();
  const found = new Map<string, number>();
  for (const [, name = "", value] of text.matchAll(/^(limpet_\w+)(?:\{.*\})? (\S+)$/gm)) found.set(name, (found.get(name) ?? 0) + Number(value));
  return found;
}

describe("doors: the built command", () => {
  test("posts and standard input together, then SIGTERM -> every value in the rows, the books balance", async () => {
    const limpet = await start();
    limpet.child.stdin.write("posted,host=stdin val");
    const posts = Array.from({ length: 40 }, (_, i) =>
      post(limpet, i % 2 === 0 ? "/api/v2/write?bucket=b" : "/write?db=d", "posted,host=http value=2\n".repeat(230)),
    );
    expect(new Set(await Promise.all(posts))).toEqual(new Set([204]));
    expect(await post(limpet, "/write", "posted,host=http value=1\nbad\nposted,host=http value=1\n")).toBe(204);
    limpet.child.stdin.write("ue=7\n");
    expect((await fetch(`${limpet.url}/write`, { method: "POST", body: "posted value=1\n" })).status).toBe(401);
    let seen = await counters(limpet);
    while (seen.get("limpet_samples_received_total") !== 40 * 230 + 3) seen = await counters(limpet);
    expect(seen.get("limpet_lines_invalid_total")).toBe(1);
    expect(seen.get("limpet_samples_matched_total")).toBe(40 * 230 + 3);
    expect(seen.get("limpet_rule_pairs_matched_total")).toBe(seen.get("limpet_rule_pairs_applied_total"));
    limpet.child.kill("SIGTERM");
    expect(await once(limpet.child, "exit")).toEqual([0, null]);
    const rows = rowsOf(limpet);
    expect(sumOf(rows, "posted:", { host: "http" })).toBe(40 * 230 * 2 + 2);
    expect(sumOf(rows, "posted:", { host: "stdin" })).toBe(7);
  }, 20_000);

  const prometheus = requireBinary("prometheus") ? test : test.skip;
  prometheus(
    "a real Prometheus as the sender -> its own scrapes aggregated",
    async () => {
      const limpet = await start();
      const sender = await startServer("prometheus", "/-/ready", (port, folder) => {
        const config = join(folder, "prometheus.yml");
        const write = `remote_write: [{url: "${limpet.url}/api/v1/write", authorization: {type: Bearer, credentials: secret}, queue_config: {batch_send_deadline: 100ms}}]`;
        const scrape = `scrape_configs: [{job_name: self, scrape_interval: 200ms, scrape_timeout: 200ms, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]`;
        writeFileSync(config, `${write}\n${scrape}\n`);
        return [
          `--config.file=${config}`,
          `--storage.tsdb.path=${join(folder, "data")}`,
          `--web.listen-address=127.0.0.1:${port}`,
          "--log.level=warn",
        ];
      });
      try {
        const deadline = performance.now() + 20_000;
        const done = (): boolean => sumOf(rowsOf(limpet), "up:1s_by_job_count_samples", { job: "self" }) >= 10;
        while (!done() && performance.now() < deadline) await delay(100);
        expect(done()).toBe(true);
      } finally {
        await sender.stop();
      }
      const rows = rowsOf(limpet);
      expect(rows.filter((row) => row.name === "up:1s_by_job_max").every((row) => row.value === 1)).toBe(true);
      expect(
        rows.some((row) => row.name.startsWith("prometheus_http_requests_total") && row.labels["job"] === "self" && !("handler" in row.labels)),
      ).toBe(true);
      expect(limpet.output).not.toMatch(/invalid|POST \/api/);
      const seen = await counters(limpet);
      expect(seen.get("limpet_samples_received_total")).toBe(
        (seen.get("limpet_samples_matched_total") ?? 0) + (seen.get("limpet_samples_ignored_total") ?? 0),
      );
    },
    40_000,
  );
});
