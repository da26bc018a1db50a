// `limpet drain RESOURCE`: everything off an aggregator. Returns when the assigner has taken it up, or with --wait when all is off.
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { counted } from "../../base/counted.js";
import type { AssignerDesk } from "../../http/assignerDesk.js";
import { type AssignerOptions, addAssignerOptions, openAssignerDesk } from "../assignerOptions.js";

const LOOK_MS = 500;

export function registerDrain(program: Command): void {
  addAssignerOptions(program.command("drain"))
    .description("move everything off an aggregator; it is given nothing again until it restarts")
    .argument("<resource>", "its id, address or host:port, as `limpet top` shows it")
    .option("--wait", "return when it owns nothing any more")
    .action(async (resource: string, options: AssignerOptions & { readonly wait?: true }) => {
      process.exitCode = await drain(openAssignerDesk(options), resource, options.wait === true);
    });
}

async function drain(client: AssignerDesk, resource: string, wait: boolean): Promise<number> {
  const asked = await client.drain(resource);
  if (!asked.ok) return fail(asked.message);
  console.log(`${asked.value} is being drained`);
  let last = -1;
  while (wait) {
    const status = await client.status();
    if (!status.ok) return fail(status.message);
    const left = status.value.resources.find(({ id }) => id === asked.value)?.slices ?? 0;
    if (left === 0) {
      console.log(`${asked.value} owns nothing any more`);
      return 0;
    }
    if (left !== last) console.log(`${counted(left, "slice")} left`);
    last = left;
    await delay(LOOK_MS);
  }
  return 0;
}

function fail(message: string): number {
  process.stderr.write(`E! ${message}\n`);
  return 1;
}
