// A real single-node VictoriaMetrics (Debian package victoria-metrics, 1.79.5).
import { join } from "node:path";
import { promQuery, type QuerySample } from "./promQuery.js";
import { type RealServer, startServer } from "./server.js";

export interface ExportedSeries {
  /** With __name__. */
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (number | null)[];
  /** ms since the epoch. */
  readonly timestamps: readonly number[];
}

export interface VictoriaMetrics extends RealServer {
  readonly remoteWriteUrl: string;
  /** Instant query; VictoriaMetrics floors the time to whole seconds. */
  query(promql: string, timeSec: number): Promise<QuerySample[]>;
  /** Raw samples of the series a selector matches, written so far. */
  exportSeries(selector: string): Promise<ExportedSeries[]>;
}

export async function startVictoriaMetrics(port?: number): Promise<VictoriaMetrics> {
  const server = await startServer("victoria-metrics", "/health", flags, port);
  // Written samples become visible with a flush only.
  const flush = async (): Promise<void> => {
    await (await fetch(`${server.url}/internal/force_flush`)).arrayBuffer();
  };
  return {
    ...server,
    remoteWriteUrl: `${server.url}/api/v1/write`,
    async query(promql, timeSec) {
      await flush();
      return promQuery(server.url, promql, timeSec);
    },
    async exportSeries(selector) {
      await flush();
      const response = await fetch(`${server.url}/api/v1/export?${new URLSearchParams({ "match[]": selector }).toString()}`);
      const lines = (await response.text()).split("\n").filter((line) => line !== "");
      // The API's documented shape.
      return lines.map((line) => JSON.parse(line) as ExportedSeries);
    },
  };
}

function flags(port: number, folder: string): readonly string[] {
  return [
    `-storageDataPath=${join(folder, "data")}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    "-retentionPeriod=100y",
    "-memory.allowedPercent=10",
    "-search.latencyOffset=0s",
    "-loggerLevel=WARN",
  ];
}
