// The planned life of a cluster of real engines: real partition, real copies and checkpoints, real rows. The same deeds as over the model
// (planned.ts), fewer seeds: they judge the engine's part in the protocol, not the protocol. Through `npm run sim`, where the kernel is
// linked: here the same takes three times as long.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "@jest/globals";

const SEEDS = 20;
/** Else they tell nothing. */
const MOVES_MIN = 1500;
const SCRIPT = fileURLToPath(new URL("../../scripts/sim.mjs", import.meta.url));

it(`simulator: seeds 1 to ${String(SEEDS)} over real engines -> every window of every output as one engine makes it of the same lines`, async () => {
  // One that fails says so on stdout, with the command that replays it.
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, "--engine", "--seeds", String(SEEDS)]).catch(
    (failure: unknown) => failure as { readonly stdout: string },
  );
  expect(stdout).toContain(`${String(SEEDS)} passed, 0 failed`);
  expect(Number(/, (\d+) moves\n$/.exec(stdout)?.[1])).toBeGreaterThan(MOVES_MIN);
}, 300_000);
