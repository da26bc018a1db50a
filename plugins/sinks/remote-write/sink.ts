// Remote write (http://, https://): what kind of receiver it is.
import type { MarkKind } from "#limpet/metric/rowBlock.js";
import { labelProblem } from "#limpet/metric/rowLabels.js";
import { newAgent, readTarget } from "#limpet/sink/httpTarget.js";
import { QueuedSink } from "#limpet/sink/queuedSink.js";
import { type Sink, type SinkOptions, type SinkPlugin, SinkUrlError } from "#limpet/sink/sink.js";
import { judge } from "./judge.js";
import { RemoteWriteTransport } from "./transport.js";

const lanes = 4;
const batch = { rowsMax: 2000, bytesMax: 1024 * 1024, cutsMax: 64 };
const pathCure = "check the URL's path; Prometheus wants /api/v1/write and --web.enable-remote-write-receiver";

export const sink: SinkPlugin = { schemes: ["http", "https"], form: "http(s)://HOST:PORT/api/v1/write", open };

function open(text: string, options: SinkOptions): Sink {
  const { url, access } = readTarget(text, sink.form, options);
  if (url.pathname === "/" && url.search === "") {
    throw new SinkUrlError(`--sink "${url.origin}" has no path; give the full one, for Prometheus ${url.protocol}//${url.host}/api/v1/write`);
  }
  // A query may hold credentials.
  const name = options.name ?? `${url.origin}${url.pathname}`;
  const headers = { "user-agent": "limpet", ...options.headers, "content-encoding": "snappy" };
  const target = { url, headers, timeoutMs: options.timeoutMs ?? 30_000, agent: newAgent(url, lanes, options.tls) };
  const transport = new RemoteWriteTransport({ name, target, access, protocol: options.protocol ?? "auto", log: options.log });
  const all: readonly MarkKind[] = ["stale", "zero"];
  const marks = new Set(all.filter((mark) => options.withoutMarks?.has(mark) !== true));
  return new QueuedSink({ name, transport, marks, lanes, batch, judge, problem: labelProblem, pathCure }, options);
}
