// `limpet up`: Limpet on one machine with generated load, to look at. Parses, checks what can be checked before anything
// starts, and hands over to ui/upRun.
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { parseDuration } from "../../base/duration.js";
import { runUp, UpError } from "../../ui/upRun.js";
import { option } from "../options.js";

const RATE_DEFAULT = 20_000;
const RATE_MAX = 1_000_000;
/** An aggregator needs under 4 s; the rest is for a loaded machine. */
const STOP_DEADLINE_MS = 15_000;

interface UpFlags {
  readonly rules: string;
  readonly rate: number;
  readonly duration?: number;
  readonly sink?: string;
  readonly portBase?: number;
  readonly json?: true;
}

export function registerUp(program: Command): void {
  program
    .command("up")
    .description("an aggregator on this machine with generated load and an embedded remote-write receiver; ends with the ledger")
    .addOption(option("--rules <file>", "rule file").default(shortPath(fileURLToPath(new URL("../../../configs/rules/up.yaml", import.meta.url)))))
    .addOption(option("--rate <lines>", "lines per second to generate").argParser(rateOf).default(RATE_DEFAULT))
    .addOption(option("--duration <time>", "how long to run, such as 30s or 5m (default: until Ctrl-C)").argParser(durationOf))
    .addOption(option("--sink <url>", "send rows to this remote-write URL instead of the embedded receiver").argParser(sinkOf))
    .addOption(option("--port-base <port>", "ports: the aggregator's, and the receiver's one above (default: any free ones)").argParser(portOf))
    .addOption(option("--json", "no screen; the ledger as JSON on the last line of stdout"))
    .addOption(option("--aggregators <count>", "how many aggregators; 1 so far").argParser(aggregatorsOf))
    .addOption(option("--chaos <kind>", "faults to cause; none so far").argParser(chaosOf))
    .action(async (_flags: unknown, command: Command) => {
      await run(command.opts<UpFlags>(), command);
    });
}

async function run(flags: UpFlags, command: Command): Promise<void> {
  try {
    await access(flags.rules, constants.R_OK);
  } catch {
    command.error(`error: --rules ${flags.rules}: there is no such file that can be read`, { exitCode: 2 });
  }
  try {
    process.exitCode = await runUp({
      rulesFile: flags.rules,
      linesPerSecond: flags.rate,
      durationMs: flags.duration,
      sink: flags.sink,
      portBase: flags.portBase,
      json: flags.json === true,
      stopDeadlineMs: STOP_DEADLINE_MS,
      command: [process.execPath, process.argv[1] ?? ""],
      streams: { out: process.stdout, err: process.stderr, color: pc.isColorSupported && process.env["TERM"] !== "dumb" },
    });
  } catch (error) {
    if (!(error instanceof UpError)) throw error;
    process.stderr.write(`limpet up: ${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}

/** From here when that is shorter, as a person would type it. */
function shortPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.length < file.length && !relative.startsWith("..") ? relative : file;
}

function rateOf(text: string): number {
  const rate = Number(text);
  if (!Number.isInteger(rate) || rate < 1 || rate > RATE_MAX)
    throw new InvalidArgumentError(`Use a whole number from 1 to ${String(RATE_MAX)}, such as 20000.`);
  return rate;
}

function durationOf(text: string): number {
  const duration = parseDuration(text);
  if (!duration.ok) throw new InvalidArgumentError(`It ${duration.error}; ${duration.cure}.`);
  // setTimeout's limit is 2^31 - 1 ms.
  if (duration.ms < 1 || duration.ms > 24 * 86_400_000) throw new InvalidArgumentError("Use a time from 1ms to 24d, such as 30s.");
  return duration.ms;
}

function sinkOf(text: string): string {
  if (!URL.canParse(text)) throw new InvalidArgumentError("Use a URL, such as http://127.0.0.1:9090/api/v1/write.");
  return text;
}

function portOf(text: string): number {
  const port = Number(text);
  // One above must be a port too.
  if (!Number.isInteger(port) || port < 1 || port > 65_534) throw new InvalidArgumentError("Use a port from 1 to 65534.");
  return port;
}

function aggregatorsOf(text: string): 1 {
  if (text !== "1") throw new InvalidArgumentError("More than one aggregator is not there yet; use 1.");
  return 1;
}

function chaosOf(text: string): "none" {
  if (text !== "none") throw new InvalidArgumentError("Faults are not there yet; use none.");
  return "none";
}
