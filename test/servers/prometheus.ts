// A real Prometheus as remote-write receiver (Debian package prometheus, 2.42).
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promQuery, type QuerySample } from "./promQuery.js";
import { type RealServer, startServer } from "./server.js";

export interface Prometheus extends RealServer {
  readonly remoteWriteUrl: string;
  /** Instant query. */
  query(promql: string, timeSec: number): Promise<QuerySample[]>;
}

/** `port`: for a server that has to come up where senders wait for it; a free one otherwise. */
export async function startPrometheus(port?: number): Promise<Prometheus> {
  const server = await startServer("prometheus", "/-/ready", flags, port);
  return { ...server, remoteWriteUrl: `${server.url}/api/v1/write`, query: (promql, timeSec) => promQuery(server.url, promql, timeSec) };
}

function flags(port: number, folder: string): readonly string[] {
  const config = join(folder, "prometheus.yml");
  writeFileSync(config, "global: {scrape_interval: 1s}\n");
  return [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--web.enable-remote-write-receiver",
    "--log.level=warn",
  ];
}
