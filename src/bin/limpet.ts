#!/usr/bin/env node
// Entry point: parse arguments, run one command. Exit 0 done, 1 failed while running, 2 bad usage or configuration.
import { Command, CommanderError } from "commander";
import { normalizeArgv } from "../base/argv.js";
import { COMMAND_NAMES, type CommandName } from "./commandNames.js";
import { applyConfig } from "./configFile.js";
import { option, UsageError } from "./options.js";
import { version } from "./version.js";

// Telegraf logs every stderr line of a child as an error: Node's own warnings do not belong there.
process.removeAllListeners("warning");

/** Each command's code is loaded when it is asked for: under Telegraf every start counts. */
const commands: Readonly<Record<CommandName, () => Promise<(program: Command) => void>>> = {
  up: async () => (await import("./commands/up.js")).registerUp,
  aggregate: async () => (await import("./commands/aggregate.js")).registerAggregate,
  route: async () => (await import("./commands/route.js")).registerRoute,
  assign: async () => (await import("./commands/assign.js")).registerAssign,
  drain: async () => (await import("./commands/drain.js")).registerDrain,
  top: async () => (await import("./commands/top.js")).registerTop,
  replay: async () => (await import("./commands/replay.js")).registerReplay,
  check: async () => (await import("./commands/check.js")).registerCheck,
  test: async () => (await import("./commands/test.js")).registerTest,
  explain: async () => (await import("./commands/explain.js")).registerExplain,
  parse: async () => (await import("./commands/parse.js")).registerParse,
};

/** The program with the command that is asked for, or with all of them (help, misspelt names). */
async function build(wanted: string | undefined): Promise<Command> {
  const program = new Command("limpet")
    .description("Sticky-sharded metrics aggregation for Telegraf: rules in YAML, exact numbers out by Prometheus remote write.")
    .version(version, "--version", "print the version")
    .helpOption("--help", "print help")
    .showSuggestionAfterError()
    .exitOverride()
    .enablePositionalOptions();
  const name = COMMAND_NAMES.find((known) => known === wanted);
  const only = name === undefined ? undefined : commands[name];
  const loaders = only === undefined ? Object.values(commands) : [only];
  for (const load of loaders) (await load())(program);
  program.configureOutput(output);
  for (const command of program.commands) {
    command.helpOption("--help", "print help").exitOverride().configureOutput(output);
    command.addOption(option("--config <file>", `limpet.yaml; its section \`${command.name()}:\` holds these options with _ for -`));
  }
  program.hook("preAction", (_program, command) => {
    applyConfig(command);
  });
  return program;
}

/** One line per error, as every other message: Telegraf logs each line by itself. */
const output = {
  outputError: (text: string, write: (text: string) => void): void => {
    const line = text
      .trimEnd()
      .replace(/^error: /, "")
      .replace(/\n\(Did you mean (.*)\?\)$/s, "; did you mean $1?")
      .replace(" is invalid. ", " is invalid: ")
      .replaceAll("\n", " ");
    write(`E! ${line}\n`);
  },
};

async function main(): Promise<void> {
  const program = await build(process.argv[2]);
  const names = new Set(program.commands.flatMap((command) => command.options.map((option) => option.name())));
  const argv = normalizeArgv(process.argv.slice(2), [...names, "help", "version"]);
  if (!argv.ok) throw new UsageError(argv.message);
  await program.parseAsync([...argv.argv], { from: "user" });
}

try {
  await main();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof UsageError) {
    process.stderr.write(`E! ${error.message.replaceAll("\n", "\nE! ")}\n`);
    process.exitCode = 2;
  } else {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`E! ${text.replaceAll("\n", " | ")}\n`);
    process.exitCode = 1;
  }
}
