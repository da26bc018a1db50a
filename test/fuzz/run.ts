// `npm run fuzz -- TARGET|all [--runs N] [--seed S] [--only I]`: changed inputs through a parser, each judged by the target's properties, by
// the CPU time it takes and by the memory the process holds. Exit 1 at the first input that breaks one, with the command that repeats it.
import { parseArgs } from "node:util";
import { createRng } from "#limpet/base/rng.js";
import { byteTargets } from "./byteTargets.js";
import { lineTargets } from "./lineTargets.js";
import { mutate } from "./mutate.js";
import type { FuzzTarget } from "./target.js";
import { textTargets } from "./textTargets.js";
import { startWatchdog, type Watchdog } from "./watchdog.js";

const TARGETS = [...textTargets, ...lineTargets, ...byteTargets];
const CPU_MS_MAX = 2000;
const RESIDENT_BYTES_MAX = 2 ** 31;

interface Plan {
  readonly runs: number;
  readonly seed: number;
  /** The only run that is wanted. */
  readonly only: number | undefined;
}

/** The input of one run, and the generator that goes on from there. Runs do not depend on each other. */
function inputOf(target: FuzzTarget, seed: number, run: number): { readonly bytes: Buffer; readonly rng: ReturnType<typeof createRng> } {
  const rng = createRng(seed * 1_000_003 + run);
  const own = target.seeds[run];
  return { bytes: own === undefined ? mutate(rng, target.seeds) : Buffer.from(own), rng };
}

async function tryOne(target: FuzzTarget, seed: number, run: number): Promise<string | undefined> {
  const { bytes, rng } = inputOf(target, seed, run);
  const shown = bytes.subarray(0, 400).toString("latin1");
  const before = process.cpuUsage();
  try {
    await target.run(bytes, rng);
  } catch (error) {
    return `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\ninput (latin1): ${JSON.stringify(shown)}`;
  }
  const { user, system } = process.cpuUsage(before);
  if (user + system > CPU_MS_MAX * 1000) return `took ${String((user + system) / 1000)} ms of CPU\ninput (latin1): ${JSON.stringify(shown)}`;
  return undefined;
}

async function fuzz(target: FuzzTarget, { runs, seed, only }: Plan, watchdog: Watchdog): Promise<boolean> {
  const started = performance.now();
  for (let run = only ?? 0; run < (only === undefined ? runs : only + 1); run++) {
    watchdog.count();
    let failure = await tryOne(target, seed, run);
    if (run % 256 === 0 && process.memoryUsage.rss() > RESIDENT_BYTES_MAX) failure ??= `the process holds ${String(process.memoryUsage.rss())} bytes`;
    if (failure === undefined) continue;
    process.stdout.write(
      `${target.name}: run ${String(run)} failed: ${failure}\nagain: npm run fuzz -- ${target.name} --seed ${String(seed)} --only ${String(run)}\n`,
    );
    return false;
  }
  process.stdout.write(`${target.name}: ${String(runs)} runs, seed ${String(seed)}, ${String(Math.round(performance.now() - started))} ms\n`);
  return true;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "2000" }, seed: { type: "string", default: "1" }, only: { type: "string" } },
});
const wanted = positionals[0] ?? "all";
const chosen = TARGETS.filter(({ name }) => wanted === "all" || name === wanted);
const plan = { runs: Number(values.runs), seed: Number(values.seed), only: values.only === undefined ? undefined : Number(values.only) };
if (chosen.length === 0 || !Object.values(plan).every((value) => value === undefined || Number.isSafeInteger(value))) {
  process.stderr.write(
    `usage: npm run fuzz -- TARGET [--runs N] [--seed S] [--only I]; targets: all, ${TARGETS.map(({ name }) => name).join(", ")}\n`,
  );
  process.exitCode = 2;
} else {
  for (const target of chosen) {
    const watchdog = startWatchdog(`npm run fuzz -- ${target.name} --seed ${String(plan.seed)} --only RUN-1`);
    const good = await fuzz(target, plan, watchdog);
    await watchdog.end();
    if (!good) process.exitCode = 1;
  }
}
