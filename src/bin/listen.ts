// The listener of a command, as its options want it.
import type { Log } from "../base/log.js";
import type { AnswerCounts } from "../http/answerCounts.js";
import { parseListenAddress } from "../http/listenAddress.js";
import { type ListenResult, type Route, type ServerLimits, startServer } from "../http/server.js";
import type { Listening } from "./listenOptions.js";
import { UsageError } from "./options.js";

/** Every Telegraf of a fleet, or every router and aggregator of a cluster, keeps one open. */
export const CONNECTIONS_MAX = 8192;

export interface Served {
  readonly listening: Listening;
  /** More may be added while it runs. */
  readonly routes: readonly Route[];
  readonly counts: AnswerCounts;
  readonly limits?: Partial<ServerLimits>;
}

/** Listens on `address` (HOST:PORT). Throws UsageError when it is no address; that it is taken, or not ours, is an outcome. */
export async function listen(address: string, { listening, routes, counts, limits }: Served, log: Log): Promise<ListenResult> {
  const parsed = parseListenAddress(address);
  if (!parsed.ok) throw new UsageError(`--listen: ${parsed.message}`);
  return startServer({
    host: parsed.host,
    port: parsed.port,
    routes,
    tls: listening.tls,
    guarded: listening.tokens !== undefined,
    counts,
    limits: { connectionsMax: CONNECTIONS_MAX, ...limits },
    warn: (message) => {
      log.warn(message);
    },
  });
}
