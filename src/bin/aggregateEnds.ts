// What an aggregator is made of beside its driver: the log and the engine. The same for one that owns everything and for one that owns
// what an assigner gives it.
import { ENGINE_BYTES_MAX, Engine } from "../aggregate/engine.js";
import type { Output } from "../aggregate/output.js";
import type { Rule } from "../aggregate/rule.js";
import { createLog, type Log, streamWriter } from "../base/log.js";
import type { Sink } from "../sink/sink.js";
import type { Mode } from "./aggregateMode.js";
import { writesStdout } from "./openSinks.js";
import { UsageError } from "./options.js";
import type { SinkEntry } from "./sinkList.js";

export interface EndOptions {
  readonly sink?: readonly string[];
  /** From limpet.yaml. */
  readonly sinks?: readonly SinkEntry[];
  readonly naming: "telegraf" | "vmagent";
  readonly unmatched?: "drop" | "pass";
  readonly maxFuture: number;
  readonly memoryMax: number;
  readonly sinkQueueMax: number;
}

/** Where rows go to stdout, nothing else does. */
export function openLog(mode: Mode, sinks: readonly SinkEntry[]): Log {
  const write = streamWriter({ stdout: process.stdout, stderr: process.stderr });
  return createLog({ mode: sinks.some(writesStdout) ? "serve" : mode.name, write, now: () => performance.now() });
}

/** Makes engines for these sinks, at the start and at reloads. */
export function engineOpener(
  { naming, maxFuture, memoryMax, unmatched = "drop" }: EndOptions,
  { writesMetrics }: Mode,
  { outputs, sinks }: { readonly outputs: ReadonlyMap<string, Output>; readonly sinks: readonly Sink[] },
): (rules: readonly Rule[], startMs: number) => Engine {
  if (memoryMax > ENGINE_BYTES_MAX) throw new UsageError(`--memory-max of ${String(memoryMax)} bytes: a process can use ${String(ENGINE_BYTES_MAX)}`);
  const marks = new Set(sinks.flatMap((sink) => [...sink.marks]));
  return (rules, startMs) => {
    try {
      return new Engine({
        rules,
        outputs,
        naming,
        startMs,
        maxFutureMs: maxFuture,
        memoryBytesMax: memoryMax,
        marks,
        pass: { as: writesMetrics ? "lines" : "rows", unmatched },
      });
    } catch (error) {
      // What the constructor can meet is a cap below what empty tables need.
      throw new UsageError(`--memory-max of ${String(memoryMax)} bytes: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}
