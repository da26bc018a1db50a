// `limpet replay`: rules over recorded lines, by event time only. Nothing is late; every window closes at the end of the input.
import { once } from "node:events";
import type { Command } from "commander";
import { Engine, type EngineAction } from "../../aggregate/engine.js";
import { readStdin, stdinKind } from "../../execd/stdin.js";
import { type RowBlock, rowsOf } from "../../metric/rowBlock.js";
import { compareRows, formatRow, type RowFormat, rowFormats } from "../../metric/rowText.js";
import { loadOutputs } from "../loadOutputs.js";
import { loadRules } from "../loadRules.js";
import { byteSize, collect, option, withRules } from "../options.js";

interface ReplayOptions {
  readonly rules: readonly string[];
  readonly format: RowFormat;
  readonly naming: "telegraf" | "vmagent";
  readonly memoryMax: number;
}

export function registerReplay(program: Command): void {
  program
    .command("replay")
    .description("aggregate lines from standard input by event time and print every window's rows, sorted by time, name and labels")
    .addOption(option("--rules <file>", "rule file, folder or glob; repeatable").argParser(collect))
    .addOption(option("--format <format>", "how rows are printed").choices(rowFormats).default("json"))
    .addOption(option("--naming <naming>", "how samples are named").choices(["telegraf", "vmagent"]).default("telegraf"))
    .addOption(option("--memory-max <size>", "cap of the engine's memory").argParser(byteSize).default(1_900_000_000, "1.8 GiB"))
    .action(async (_options: unknown, command: Command) => {
      process.exitCode = await replay(withRules(command.opts<ReplayOptions>()));
    });
}

async function replay(options: ReplayOptions): Promise<number> {
  const outputs = await loadOutputs();
  const { rules, messages } = await loadRules(options.rules, { outputs, naming: options.naming });
  for (const { severity, text } of messages) if (severity !== "info") process.stderr.write(`${text}\n`);
  if (rules === undefined) return 2;
  const startMs = Number.NEGATIVE_INFINITY;
  const engine = new Engine({ rules, outputs, naming: options.naming, startMs, maxFutureMs: 0, memoryBytesMax: options.memoryMax });
  const blocks: RowBlock[] = [];
  const carryOut = (actions: readonly EngineAction[]): void => {
    for (const action of actions) {
      if (action.kind === "rows") blocks.push(action.block);
      else if (action.kind === "invalid") process.stderr.write(`line ${String(action.line)}, column ${String(action.column)}: ${action.message}\n`);
    }
  };
  const kind = stdinKind();
  if (kind === "stream" || kind === "file") await readAll(engine, kind, carryOut);
  else process.stderr.write("replay reads line protocol from standard input: limpet replay --rules FILE < lines.txt\n");
  carryOut(engine.step(Date.now(), { kind: "finish" }));
  const rows = blocks.flatMap((block) => rowsOf(block)).sort(compareRows);
  await print(rows.map((row) => formatRow(row, options.format)).filter((line) => line !== ""));
  return warnOfLosses(engine);
}

/** Writes lines as fast as the reader takes them. A reader that goes away (`| head`) ends the printing quietly. */
async function print(lines: readonly string[]): Promise<void> {
  let closed = false;
  process.stdout.on("error", () => {
    closed = true;
  });
  const isClosed = (): boolean => closed;
  for (const line of lines) {
    if (isClosed()) return;
    if (!process.stdout.write(`${line}\n`)) await Promise.race([once(process.stdout, "drain"), once(process.stdout, "close")]).catch(() => undefined);
  }
}

function readAll(engine: Engine, kind: "stream" | "file", carryOut: (actions: readonly EngineAction[]) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    readStdin(kind, {
      room: () => engine.inputRoom(),
      received: (bytes) => {
        carryOut(engine.step(Date.now(), { kind: "input", bytes, final: false }));
      },
      ended: (error) => {
        carryOut(engine.step(Date.now(), { kind: "input", bytes: 0, final: true }));
        if (error === undefined) resolve();
        else reject(error);
      },
    });
  });
}

/** Replay loses nothing but what did not fit: then the result is wrong, and the exit code says so. */
function warnOfLosses(engine: Engine): number {
  let lost = false;
  const ledger = engine.ledger();
  if (ledger.samplesIgnored["memory"] !== undefined) lost = true;
  for (const rule of ledger.rules) {
    for (const [reason, count] of Object.entries(rule.pairsDropped)) {
      process.stderr.write(`rule ${rule.rule}: ${String(count)} samples dropped (${reason})\n`);
      if (reason === "memory") lost = true;
    }
  }
  if (lost) process.stderr.write("the result is incomplete: the lines did not fit into memory; raise --memory-max or replay fewer hours\n");
  return lost ? 1 : 0;
}
