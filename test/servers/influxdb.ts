// A real InfluxDB 1.x (Debian package influxdb, 1.6), with authentication, one user and one database.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RealServer, startServer } from "./server.js";

export interface InfluxDb extends RealServer {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Values of an InfluxQL query's series, times in ms. */
  query(influxQl: string): Promise<InfluxSeries[]>;
}

export interface InfluxSeries {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly unknown[])[];
}

export async function startInfluxDb(): Promise<InfluxDb> {
  const server = await startServer("influxd", "/ping", flags);
  const [user, password, database] = ["limpet", "s3cret", "metrics"];
  const ask = async (influxQl: string): Promise<InfluxSeries[]> => {
    const query = new URLSearchParams({ q: influxQl, epoch: "ms", db: database, u: user, p: password });
    const response = await fetch(`${server.url}/query?${query.toString()}`, { method: "POST" });
    // The API's documented shape.
    const { results, error } = (await response.json()) as { results?: { series?: InfluxSeries[]; error?: string }[]; error?: string };
    const problem = error ?? results?.[0]?.error;
    if (problem !== undefined) throw new Error(`${influxQl}: ${problem}`);
    return results?.[0]?.series ?? [];
  };
  try {
    await ask(`CREATE USER "${user}" WITH PASSWORD '${password}' WITH ALL PRIVILEGES`);
    await ask(`CREATE DATABASE "${database}"`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, user, password, database, query: ask };
}

function flags(port: number, folder: string): readonly string[] {
  const config = join(folder, "influxdb.conf");
  const path = (name: string): string => JSON.stringify(join(folder, name));
  writeFileSync(
    config,
    `reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = ${path("meta")}
[data]
  dir = ${path("data")}
  wal-dir = ${path("wal")}
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:${port}"
  auth-enabled = true
  log-enabled = false
`,
  );
  return ["-config", config];
}
