// A remote-write receiver on loopback that a test can take down: `up` answers as Prometheus does, `refusing` with 503, `silent`
// takes requests and never answers. It keeps every sample in the order stored.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createReceiver, type ReceiverStats } from "#limpet/http/remoteWriteReceiver.js";

export interface SinkServer {
  readonly url: string;
  state: "up" | "refusing" | "silent";
  /** Rows as `name{labels} value @timestamp`, re-sends included. */
  readonly rows: string[];
  readonly stats: Readonly<ReceiverStats>;
  /** Requests that came, whatever they were answered. */
  requests(): number;
  close(): void;
}

export async function startSinkServer(state: SinkServer["state"] = "up"): Promise<SinkServer> {
  const rows: string[] = [];
  let requests = 0;
  const receiver = createReceiver({
    onSeries: (series) => {
      for (const { labels, samples } of series) {
        for (const { timestamp, value } of samples) rows.push(rowText(labels, timestamp, value));
      }
    },
  });
  const http = createServer((request: IncomingMessage, response: ServerResponse) => {
    requests++;
    if (server.state === "up") receiver.handler(request, response);
    else request.resume();
    if (server.state === "refusing") response.writeHead(503).end("down for the test");
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an AddressInfo (node documents it); the others are for pipes.
  const { port } = http.address() as AddressInfo;
  const server: SinkServer = {
    url: `http://127.0.0.1:${String(port)}/api/v1/write`,
    state,
    rows,
    stats: receiver.stats,
    requests: () => requests,
    close: () => {
      http.closeAllConnections();
      http.close();
    },
  };
  return server;
}

/** One spelling for a row, wherever it was received. */
export function rowText(labels: Iterable<readonly [string, string]>, timestamp: number, value: number): string {
  const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => `${name}=${JSON.stringify(text)}`);
  return `{${sorted.join(",")}} ${String(value)} @${String(timestamp)}`;
}

/** The rows of a `file:` sink. */
export function fileRows(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      // As formatRow writes them; a wrong shape shows in the comparison.
      const row = JSON.parse(line) as { name: string; labels: Record<string, string>; timestamp: number; value: number };
      return rowText([["__name__", row.name], ...Object.entries(row.labels)], row.timestamp, row.value);
    });
}
