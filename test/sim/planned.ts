// Seeds 1 to 200 of the planned life of a cluster, in two files so that two workers share them.
import { expect, it } from "@jest/globals";
import { simulate } from "./scenario.js";

/** At least this many moves in 100 seeds, else they tell nothing. */
const MOVES_MIN = 2000;

export function plannedSeeds(from: number, count: number): void {
  it(`simulator: seeds ${String(from)} to ${String(from + count - 1)} of drains, restarts, surges and lost stores -> every row as from one process`, () => {
    let moves = 0;
    for (let seed = from; seed < from + count; seed++) {
      const outcome = simulate({ seed });
      moves += outcome.moves;
      expect({ seed, replay: `npm run sim -- --seed ${String(seed)}`, faults: outcome.faults }).toMatchObject({ faults: [] });
    }
    expect(moves).toBeGreaterThan(MOVES_MIN);
  }, 300_000);
}
