// Options of the commands that ask an assigner something.
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { AssignerDesk } from "../http/assignerDesk.js";
import { option, UsageError } from "./options.js";

export interface AssignerOptions {
  readonly assigner: string;
  readonly assignerTokenFile?: string;
}

export function addAssignerOptions(command: Command): Command {
  return command
    .addOption(option("--assigner <url>", "base URL of the assigner").default("http://127.0.0.1:4580"))
    .addOption(option("--assigner-token-file <file>", "file whose first line is a token of the assigner's --admin-token-file"));
}

/** Throws UsageError. */
export function openAssignerDesk({ assigner, assignerTokenFile }: AssignerOptions): AssignerDesk {
  if (!/^https?:\/\//.test(assigner) || !URL.canParse(assigner))
    throw new UsageError(`--assigner ${assigner}: a URL is wanted, e.g. http://127.0.0.1:4580`);
  if (assignerTokenFile === undefined) return new AssignerDesk(assigner, undefined);
  try {
    return new AssignerDesk(assigner, readFileSync(assignerTokenFile, "utf8").split("\n", 1)[0]?.trim());
  } catch (cause) {
    throw new UsageError(`--assigner-token-file ${assignerTokenFile}: ${cause instanceof Error ? cause.message : "cannot be read"}`);
  }
}
