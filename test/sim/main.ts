// `npm run sim -- --seed 7` runs one seed and tells its story; `--seeds 5000` runs many and says which failed, and how to see one.
// `--off gap` switches a rule of the protocol off (modelHoldings.ts): some seeds have to fail then.
// `--engine` runs them over the real engine (engineMatter.ts).
import { parseArgs } from "node:util";
import type { Cluster } from "./cluster.js";
import { EngineMatter } from "./engineMatter.js";
import { type Outcome, simulate } from "./scenario.js";

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    deeds: { type: "string", default: "8" },
    off: { type: "string" },
    engine: { type: "boolean", default: false },
  },
});
const rules = values.off === undefined ? {} : { [values.off]: false };
const first = Number(values.seed ?? 1);
const count = Number(values.seeds ?? 1);
const deeds = Number(values.deeds);
const matter = values.engine ? { matter: (cluster: Cluster): EngineMatter => new EngineMatter(cluster) } : {};

/** A broken invariant is a fault, too. */
function outcomeOf(seed: number): Pick<Outcome, "faults" | "moves"> {
  try {
    return simulate({ seed, rules, ...matter }, deeds);
  } catch (error) {
    return { faults: [error instanceof Error ? (error.stack ?? error.message) : String(error)], moves: 0 };
  }
}

const replay = `npm run sim --${values.engine ? " --engine" : ""} --deeds ${String(deeds)} --seed`;
let failed = 0;
let moves = 0;
let toldMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const outcome = outcomeOf(seed);
  moves += outcome.moves;
  if (outcome.faults.length > 0) {
    failed++;
    say(`seed ${String(seed)} failed: ${outcome.faults[0] ?? ""}\n  ${replay} ${String(seed)}`);
  }
  if (count === 1) say(JSON.stringify(outcome, undefined, 2));
  if (performance.now() - toldMs > 10_000) {
    toldMs = performance.now();
    say(`${String(seed - first + 1)} of ${String(count)} seeds, ${String(failed)} failed, ${String(moves)} moves`);
  }
}
say(`${String(count - failed)} passed, ${String(failed)} failed, ${String(moves)} moves`);
process.exitCode = failed === 0 ? 0 : 1;
