// The sinks of `limpet aggregate`: what the mode brings along, those of --sink, and those of limpet.yaml.
import type { Log } from "../base/log.js";
import { openSink } from "../sink/openSink.js";
import { type Sink, SinkUrlError } from "../sink/sink.js";
import type { Mode } from "./aggregateMode.js";
import { UsageError } from "./options.js";
import type { SinkEntry } from "./sinkList.js";

interface SinkSettings {
  readonly sink?: readonly string[];
  readonly sinks?: readonly SinkEntry[];
  /** Of a sink that has no queue_max of its own, bytes. */
  readonly sinkQueueMax: number;
}

export function writesStdout({ url }: SinkEntry): boolean {
  return url.toLowerCase().startsWith("stdout:");
}

/** Throws UsageError when there are none, or one too many for standard output. */
export function sinkEntries({ sink = [], sinks = [], sinkQueueMax }: SinkSettings, mode: Mode): SinkEntry[] {
  const given = [...sink.map((url) => ({ url, options: {} })), ...sinks];
  if (given.length === 0 && !mode.writesMetrics)
    throw new UsageError("--sink URL is missing; e.g. http://127.0.0.1:9090/api/v1/write, file:PATH or stdout:");
  if (mode.writesMetrics && given.some(writesStdout))
    throw new UsageError(`--sink stdout: is what --mode ${mode.name} does by itself, as line protocol; leave it out`);
  const all = mode.writesMetrics ? [{ url: "stdout:lp", options: {} }, ...given] : given;
  return all.map(({ url, options }) => ({ url, options: { queueBytesMax: sinkQueueMax, ...options } }));
}

/** Throws UsageError. */
export async function openSinks(entries: readonly SinkEntry[], log: Log): Promise<Sink[]> {
  const sinks: Sink[] = [];
  for (const { url, options } of entries) {
    try {
      const say = (level: "info" | "warn" | "error", message: string): void => {
        log[level](message);
      };
      const opened = await openSink(url, { ...options, log: say });
      if (sinks.some((sink) => sink.name === opened.name))
        throw new UsageError(
          `--sink ${opened.name} is given twice (a query does not tell two sinks apart); leave one out, or give one a name in limpet.yaml`,
        );
      sinks.push(opened);
    } catch (error) {
      if (error instanceof SinkUrlError) throw new UsageError(error.message);
      throw error;
    }
  }
  return sinks;
}
