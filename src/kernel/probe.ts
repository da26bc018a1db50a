// Where the load goes: of every few hundred samples one is picked, and the SliceKeys of the pairs it makes are put on a list, which
// the engine takes away after each step. The distance to the next one is random, because a fleet that reports in a fixed order
// would show the same series again and again. Once per line this costs a subtraction. bench: run.
import {
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  GROUP_LEDGER,
  GROUP_SLICE_KEY,
  LEDGER_ACCEPTS,
  PROBE_GAP_SHIFT,
  PROBES_AT,
  PROBES_MAX,
  ROOT_PROBE,
  ROOT_PROBE_SEED,
  ROOT_PROBED,
  SCRATCH_NUMBER,
  TARGET_BYTES,
  TARGET_GROUP,
} from "./layout.js";
import { imul } from "./leaf.js";

/** Picks the sample of a scratch entry, and the distance to the next one. */
export function probe(root: i32, entry: i32): void {
  const seed: i32 = imul(i32.load(root + ROOT_PROBE_SEED), 1664525) + 1013904223;
  i32.store(root + ROOT_PROBE_SEED, seed);
  i32.store(root + ROOT_PROBE, (seed >>> PROBE_GAP_SHIFT) + 1);
  if (i32.load(entry + 4) != SCRATCH_NUMBER) return;
  const field: i32 = i32.load(entry);
  let target: i32 = i32.load(field + FIELD_TARGETS);
  const end: i32 = target + i32.load(field + FIELD_TARGET_COUNT) * TARGET_BYTES;
  for (; target < end; target = target + TARGET_BYTES) {
    const group: i32 = i32.load(target + TARGET_GROUP);
    const probed: i32 = i32.load(root + ROOT_PROBED);
    if (group == 0 || probed == PROBES_MAX || i32.load(i32.load(group + GROUP_LEDGER) + LEDGER_ACCEPTS) == 0) continue;
    i32.store(root + PROBES_AT + (probed << 2), i32.load(group + GROUP_SLICE_KEY));
    i32.store(root + ROOT_PROBED, probed + 1);
  }
}
