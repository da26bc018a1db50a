// `npm run bench [-- FILTER] [--scale X] [--repeats N]`: times every build/bench/*.bench.js whose bench name or file contains FILTER.
// `npm run bench -- vmagent [...]`: the end-to-end comparison instead (versusVmagent.ts); `-- move [...]`: slices on the move (move.ts). Exit 1 when anything throws, 2 when no bench is meant.
import { readdirSync } from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { type Bench, benchesOf, type Timing, timeAll } from "./bench.js";
import { moveBench } from "./move.js";
import { versusVmagent } from "./versusVmagent.js";

async function findBenches(filter: string): Promise<Bench[]> {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith(".bench.js"));
  const found: Bench[] = [];
  for (const file of files.sort()) {
    // A module namespace is a record of its exports; import() of a computed path is typed any.
    const exported = (await import(new URL(file, import.meta.url).href)) as Record<string, unknown>;
    found.push(...benchesOf(file, exported).filter((bench) => `${file} ${bench.name}`.includes(filter)));
  }
  return found;
}

function print(timings: readonly Timing[]): void {
  const nameWidth = Math.max(4, ...timings.map(({ name }) => name.length));
  process.stdout.write(`${"bench".padEnd(nameWidth)} ${"CPU ns/op".padStart(10)} ${"ops/s".padStart(14)}   min .. max ns/op\n`);
  for (const { name, unit, nsMedian, nsMin, nsMax } of timings) {
    const perSecond = Math.round(1e9 / nsMedian).toLocaleString("en-US");
    process.stdout.write(
      `${name.padEnd(nameWidth)} ${nsMedian.toFixed(2).padStart(10)} ${perSecond.padStart(14)}   ${nsMin.toFixed(2)} .. ${nsMax.toFixed(2)} (${unit})\n`,
    );
  }
}

/** Where a number was measured: without it a number says little. */
export function machine(): string {
  const cpus = os.cpus();
  const load = os
    .loadavg()
    .map((value) => value.toFixed(2))
    .join(" ");
  return `Node ${process.version}, ${cpus.length} x ${cpus[0]?.model ?? "unknown CPU"}, load ${load}`;
}

/** CPU time of this process, all threads: on a busy machine it says more than the wall clock, and garbage collection is in it. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

async function main(args: string[]): Promise<number> {
  if (args[0] === "move") return moveBench(args.slice(1));
  if (args[0] === "vmagent") return versusVmagent(args.slice(1));
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { scale: { type: "string", default: "1" }, repeats: { type: "string", default: "7" } },
  });
  const scale = Number(values.scale);
  const repeats = Number(values.repeats);
  if (!(scale > 0) || !(repeats >= 1)) {
    process.stderr.write(`--scale ${values.scale} --repeats ${values.repeats}: both must be positive numbers\n`);
    return 2;
  }
  const benches = await findBenches(positionals.join(" "));
  if (benches.length === 0) {
    process.stderr.write(`no bench contains "${positionals.join(" ")}"\n`);
    return 2;
  }
  process.stdout.write(`${machine()}\n`);
  print(await timeAll(benches, scale, Math.floor(repeats), cpuNs));
  process.stdout.write(`load after ${os.loadavg()[0]?.toFixed(2) ?? "?"}; ${repeats} interleaved runs each, scale ${scale}\n`);
  return 0;
}

// A process ended by a signal runs no exit hooks; exit() does, and they end the measured child.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main(process.argv.slice(2));
