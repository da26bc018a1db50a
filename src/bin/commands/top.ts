// `limpet top`: who owns how much, live in the terminal; once where there is no terminal.
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import pc from "picocolors";
import type { AssignerDesk } from "../../http/assignerDesk.js";
import { openLiveTerminal } from "../../ui/liveTerminal.js";
import { renderTop } from "../../ui/topTable.js";
import { type AssignerOptions, addAssignerOptions, openAssignerDesk } from "../assignerOptions.js";

const PERIOD_MS = 1000;
const WIDTH = 120;

export function registerTop(program: Command): void {
  addAssignerOptions(program.command("top"))
    .description("a live table of aggregators, what they own and carry, and what was decided last")
    .option("--once", "print the table once and end")
    .action(async (options: AssignerOptions & { readonly once?: true }) => {
      const client = openAssignerDesk(options);
      if (options.once === true || !process.stdout.isTTY) process.exitCode = await once(client);
      else await live(client);
    });
}

async function once(client: AssignerDesk): Promise<number> {
  const status = await client.status();
  if (!status.ok) {
    process.stderr.write(`E! ${status.message}\n`);
    return 1;
  }
  const width = process.stdout.columns || WIDTH;
  console.log(renderTop(status.value, { width, height: Number.POSITIVE_INFINITY, color: pc.isColorSupported && process.stdout.isTTY }).join("\n"));
  return 0;
}

/** Until Ctrl-C. A silent assigner is shown as such: it may be restarting. */
async function live(client: AssignerDesk): Promise<void> {
  const terminal = openLiveTerminal(process.stdout);
  process.stdout.on("resize", () => {
    terminal.resized();
  });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      stop.abort();
    });
  while (!stop.signal.aborted) {
    const status = await client.status();
    const { columns: width, rows } = process.stdout;
    const height = Math.max(1, rows - 1);
    terminal.draw(status.ok ? renderTop(status.value, { width, height, color: pc.isColorSupported }) : [status.message.slice(0, width)]);
    await delay(PERIOD_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  terminal.close();
}
