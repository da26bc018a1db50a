// How `limpet aggregate` lives with its host: what it reads, and what its standard output is for.
//
//   mode        host                      stdin       stdout                       SIGINT     unmatched
//   output      Telegraf outputs.execd    lines       information                  ignored    drop
//   processor   Telegraf processors.execd lines       aggregates and what passes   ignored    pass
//   input       Telegraf inputs.execd     EOF, ticks  aggregates and what passes   ignored    pass
//   serve       a shell, systemd          -           nothing                      ends it    drop
import type { StdinKind } from "../execd/stdin.js";
import { UsageError } from "./options.js";

export const modeNames = ["output", "processor", "input", "serve"] as const;
export type ModeName = (typeof modeNames)[number];

export interface Mode {
  readonly name: ModeName;
  /** What fd 0 is, when it is read. */
  readonly reads: "stream" | "file" | undefined;
  /** Standard output carries line protocol for the host. */
  readonly writesMetrics: boolean;
  readonly unmatched: "drop" | "pass";
}

/** The mode asked for, or the one that fd 0 suggests. Throws UsageError when it cannot work with this fd 0. */
export function modeOf(asked: ModeName | undefined, stdin: StdinKind): Mode {
  const readable = stdin === "stream" || stdin === "file" ? stdin : undefined;
  const name = asked ?? (readable === undefined ? "serve" : "output");
  if ((name === "output" || name === "processor") && readable === undefined)
    throw new UsageError(`--mode ${name} reads lines from standard input, which is a terminal or empty; pipe Telegraf into it`);
  const writesMetrics = name === "processor" || name === "input";
  return { name, reads: name === "serve" ? undefined : readable, writesMetrics, unmatched: writesMetrics ? "pass" : "drop" };
}
