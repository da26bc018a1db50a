// `limpet up`: Limpet on one machine with generated load, to look at. Parses, checks what can be checked before anything
// starts, and hands over to ui/upRun.
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { parseDuration } from "../../base/duration.js";
import { type ChaosKind, chaosKinds } from "../../ui/chaos.js";
import { runCluster } from "../../ui/clusterRun.js";
import { UpError } from "../../ui/upError.js";
import { runUp } from "../../ui/upRun.js";
import { option } from "../options.js";

const RATE_DEFAULT = 20_000;
const RATE_MAX = 1_000_000;
/** An aggregator needs under 4 s; the rest is for a loaded machine. */
const STOP_DEADLINE_MS = 15_000;
/** Handing slices on takes 25 s at most, and as long again for what is behind it on a loaded machine. */
const CLUSTER_STOP_DEADLINE_MS = 50_000;
const AGGREGATORS_DEFAULT = 3;
const AGGREGATORS_MAX = 32;

interface UpFlags {
  readonly rules: string;
  readonly rate: number;
  readonly duration?: number;
  readonly sink?: string;
  readonly portBase?: number;
  readonly json?: true;
  readonly aggregators: number;
  readonly chaos: ChaosKind;
}

export function registerUp(program: Command): void {
  program
    .command("up")
    .description("a cluster on this machine with generated load and an embedded remote-write receiver; ends with the ledger")
    .addOption(option("--rules <file>", "rule file").default(shortPath(fileURLToPath(new URL("../../../configs/rules/up.yaml", import.meta.url)))))
    .addOption(option("--rate <lines>", "lines per second to generate").argParser(rateOf).default(RATE_DEFAULT))
    .addOption(option("--duration <time>", "how long to run, such as 30s or 5m (default: until Ctrl-C)").argParser(durationOf))
    .addOption(option("--sink <url>", "send rows to this remote-write URL instead of the embedded receiver").argParser(sinkOf))
    .addOption(
      option("--port-base <port>", "ports: the assigner's, the receiver's one above, the aggregators' above that (default: any free ones)").argParser(
        portOf,
      ),
    )
    .addOption(option("--json", "no screen; the ledger as JSON on the last line of stdout"))
    .addOption(
      option("--aggregators <count>", "how many; 1 is a single process without an assigner").argParser(aggregatorsOf).default(AGGREGATORS_DEFAULT),
    )
    .addOption(
      option("--chaos <kind>", "what is done to the cluster: none (one planned restart), rolling-restart, scale").argParser(chaosOf).default("none"),
    )
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
  const { aggregators, chaos } = flags;
  if (aggregators === 1 && chaos !== "none")
    command.error(`error: --chaos ${chaos}: a single aggregator has nobody to hand its slices to; use --aggregators 2 or more`, { exitCode: 2 });
  try {
    const options = {
      rulesFile: flags.rules,
      linesPerSecond: flags.rate,
      durationMs: flags.duration,
      sink: flags.sink,
      portBase: flags.portBase,
      json: flags.json === true,
      stopDeadlineMs: aggregators === 1 ? STOP_DEADLINE_MS : CLUSTER_STOP_DEADLINE_MS,
      command: [process.execPath, process.argv[1] ?? ""] as const,
      streams: { out: process.stdout, err: process.stderr, color: pc.isColorSupported && process.env["TERM"] !== "dumb" },
    };
    process.exitCode = await (aggregators === 1 ? runUp(options) : runCluster({ ...options, aggregators, chaos }));
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
  // Those above must be ports too, also those of restarted aggregators.
  if (!Number.isInteger(port) || port < 1 || port > 65_000) throw new InvalidArgumentError("Use a port from 1 to 65000.");
  return port;
}

function aggregatorsOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > AGGREGATORS_MAX)
    throw new InvalidArgumentError(`Use a whole number from 1 to ${String(AGGREGATORS_MAX)}.`);
  return count;
}

function chaosOf(text: string): ChaosKind {
  const kind = chaosKinds.find((known) => known === text);
  if (kind !== undefined) return kind;
  if (text === "kill")
    throw new InvalidArgumentError("Killed aggregators lose their open windows until standbys are there; use rolling-restart or scale.");
  throw new InvalidArgumentError(`Use ${chaosKinds.join(", ")}.`);
}
