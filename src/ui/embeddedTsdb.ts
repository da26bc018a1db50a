// The TSDB of `limpet up` when no --sink is given: a remote-write receiver in this process, on loopback only.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createReceiver } from "../http/remoteWriteReceiver.js";
import type { Aggregate } from "./screen.js";
import { createShowcase } from "./showcase.js";

export interface EmbeddedTsdb {
  /** What the aggregator's --sink is set to. */
  readonly url: string;
  rowsStored(): number;
  seriesCount(): number;
  newest(count: number, nowMs: number): Aggregate[];
  close(): void;
}

/** @param port 0 for any. Throws what listen() throws (EADDRINUSE). */
export async function openEmbeddedTsdb(port: number): Promise<EmbeddedTsdb> {
  const showcase = createShowcase();
  const receiver = createReceiver({
    onSeries: (series) => {
      showcase.add(series);
    },
  });
  const server = createServer(receiver.handler);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has an AddressInfo, not a pipe's name.
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(address.port)}/api/v1/write`,
    rowsStored: () => receiver.stats.rowsStored,
    seriesCount: () => receiver.stats.series,
    newest: (count, nowMs) => showcase.pick(count, nowMs),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
