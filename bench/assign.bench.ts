// assign: what the assigner's machine costs with 1000 Resources of 50 Slices each, per Assignment and per heartbeat. The aim is an
// Assignment in 100 ms of CPU.
import { Assigner } from "#limpet/assign/assigner.js";
import type { AssignerLimits } from "#limpet/assign/limits.js";
import { createRng } from "#limpet/base/rng.js";
import type { Assignment, Slice } from "#limpet/slice/assignment.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { Report } from "#limpet/slice/report.js";
import type { Resource } from "#limpet/slice/resource.js";
import type { Bench } from "./bench.js";

const RESOURCES = 1000;
const SLICES = 50;
const TERM = { incarnation: 1, number: 1 };

/** No balancing, no deaths. */
const QUIET = { joinMs: Number.POSITIVE_INFINITY, leaseMs: Number.POSITIVE_INFINITY };

export interface Fleet {
  readonly assigner: Assigner;
  readonly reports: readonly Report[];
  /** Of the assigner; the caller goes on from there. */
  nowMs: number;
}

/** An assigner that has heard everybody for a minute; slices differ in load by a factor of 20. */
export function fleetOf(resources: number, seed = 1, limits: Partial<AssignerLimits> = QUIET): Fleet {
  const rng = createRng(seed);
  const ids = Array.from({ length: resources }, (_, i) => `r${String(i)}:4581@1`);
  const slices: Slice[] = [];
  const step = KEY_END / (resources * SLICES);
  for (let i = 0; i < resources * SLICES; i++) {
    const range = { low: Math.round(i * step), high: Math.round((i + 1) * step) };
    slices.push({ ...range, owner: ids[Math.floor(i / SLICES)] ?? null, standby: null, movingTo: null, move: null, term: TERM });
  }
  const members = ids.map((id): Resource => ({ id, address: `http://${id}`, incarnation: "1", state: "running", load: 0 }));
  const stored: Assignment = { generation: TERM, rules: "r", slices, resources: members };
  const reports = members.map(({ id, address }, i): Report => {
    const busy = 0.5 + rng.next();
    const serves = slices.slice(i * SLICES, (i + 1) * SLICES).map(({ low, high }) => {
      return { low, high, term: TERM, rate: busy * 100 * (0.1 + 1.9 * rng.next()), bytes: 1e5, top: [] };
    });
    return {
      cluster: "c",
      id,
      address,
      incarnation: "1",
      state: "running",
      generation: TERM,
      load: busy,
      serves,
      moved: [],
      aborted: [],
      offers: [],
    };
  });
  const fleet: Fleet = { assigner: new Assigner({ nowMs: 0, stored, rules: "r", limits }), reports, nowMs: 0 };
  for (; fleet.nowMs <= 60_000; fleet.nowMs += 20_000) beat(fleet);
  return fleet;
}

/** One heartbeat of everybody. */
function beat({ assigner, reports, nowMs }: Fleet): void {
  for (const report of reports) assigner.handle(nowMs, { kind: "report", report });
}

const fleets = new Map<number, Fleet>();

function kept(scale: number): Fleet {
  const resources = Math.max(4, Math.ceil(RESOURCES * Math.min(1, scale)));
  const fleet = fleets.get(resources) ?? fleetOf(resources);
  fleets.set(resources, fleet);
  return fleet;
}

export const round: Bench = {
  name: "assign: a round that finds nothing to do, 1000 x 50",
  run(scale) {
    const fleet = kept(scale);
    fleet.nowMs += 5000;
    beat({ ...fleet, reports: fleet.reports.slice(0, 1) });
    fleet.assigner.handle(fleet.nowMs, { kind: "tick" });
    return { ops: 1, unit: "round" };
  },
};

export const heartbeat: Bench = {
  name: "assign: a heartbeat of 50 slices among 1000 resources",
  run(scale) {
    const fleet = kept(scale);
    fleet.nowMs += 500;
    beat(fleet);
    return { ops: fleet.reports.length, unit: "heartbeat" };
  },
};
