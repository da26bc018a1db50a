// InfluxDB 2 (influx2+http://, influx2+https://) by `@influxdata/influxdb-client`: what kind of receiver it is.
import { judgeStatus } from "#limpet/sink/answer.js";
import { ClientTransport } from "#limpet/sink/clientTransport.js";
import { newAgent, readTarget, splitPath } from "#limpet/sink/httpTarget.js";
import { influxProblem } from "#limpet/sink/influxRows.js";
import { QueuedSink } from "#limpet/sink/queuedSink.js";
import { type Sink, type SinkOptions, type SinkPlugin, SinkUrlError } from "#limpet/sink/sink.js";
import { Influx2Client } from "./client.js";

const lanes = 2;
const batch = { rowsMax: 5000, bytesMax: 4 * 1024 * 1024, cutsMax: 64 };
const prefix = "influx2+";

export const sink: SinkPlugin = { schemes: ["influx2+http", "influx2+https"], form: "influx2+http(s)://HOST:8086/ORGANISATION/BUCKET", open };

function open(text: string, options: SinkOptions): Sink {
  const { url: whole, access } = readTarget(text.slice(prefix.length), sink.form, options);
  const [url, organisation, bucket] = splitPath(whole, 2) ?? [];
  if (url === undefined || organisation === undefined || bucket === undefined) {
    throw new SinkUrlError(`--sink "${prefix}${whole.origin}" names no organisation and bucket; use ${sink.form}`);
  }
  const name = options.name ?? `${prefix}${whole.origin}${whole.pathname}`;
  const headers = { "user-agent": "limpet", ...options.headers };
  const timeoutMs = options.timeoutMs ?? 30_000;
  const agent = newAgent(url, lanes, options.tls);
  const client = new Influx2Client({ url, organisation, bucket, access, headers, agent, timeoutMs });
  const pathCure = "check the URL's host, organisation and bucket";
  const transport = new ClientTransport(client, access);
  return new QueuedSink({ name, transport, marks: new Set(), lanes, batch, judge: judgeStatus, problem: influxProblem, pathCure }, options);
}
