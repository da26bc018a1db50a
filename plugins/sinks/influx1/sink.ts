// InfluxDB 1.x (influx1+http://, influx1+https://) by the `influx` library: what kind of receiver it is.
import { judgeStatus } from "#limpet/sink/answer.js";
import { ClientTransport } from "#limpet/sink/clientTransport.js";
import { newAgent, readTarget, splitPath } from "#limpet/sink/httpTarget.js";
import { influxProblem } from "#limpet/sink/influxRows.js";
import { QueuedSink } from "#limpet/sink/queuedSink.js";
import { type Sink, type SinkOptions, type SinkPlugin, SinkUrlError } from "#limpet/sink/sink.js";
import { Influx1Client } from "./client.js";

const lanes = 2;
const batch = { rowsMax: 5000, bytesMax: 4 * 1024 * 1024, cutsMax: 64 };
const prefix = "influx1+";

export const sink: SinkPlugin = { schemes: ["influx1+http", "influx1+https"], form: "influx1+http(s)://HOST:8086/DATABASE", open };

function open(text: string, options: SinkOptions): Sink {
  const { url: whole, access } = readTarget(text.slice(prefix.length), sink.form, options);
  const [url, database] = splitPath(whole, 1) ?? [];
  if (url === undefined || database === undefined) throw new SinkUrlError(`--sink "${prefix}${whole.origin}" names no database; use ${sink.form}`);
  const name = options.name ?? `${prefix}${whole.origin}${whole.pathname}`;
  if (access !== undefined && access.username === undefined) {
    throw new SinkUrlError(`sink ${name}: InfluxDB 1 knows no token; use username and password`);
  }
  const client = new Influx1Client({
    url,
    database,
    retentionPolicy: whole.searchParams.get("rp") ?? undefined,
    access,
    headers: { "user-agent": "limpet", ...options.headers },
    agent: newAgent(url, lanes, options.tls),
    timeoutMs: options.timeoutMs ?? 30_000,
  });
  const pathCure = "check the URL's host and the database's name; CREATE DATABASE makes one";
  const transport = new ClientTransport(client, access);
  return new QueuedSink({ name, transport, marks: new Set(), lanes, batch, judge: judgeStatus, problem: influxProblem, pathCure }, options);
}
