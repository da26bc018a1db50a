// The heartbeat of a Slicelet that has just come and holds nothing.
import { NO_GENERATION } from "#limpet/slice/generation.js";
import type { Report } from "#limpet/slice/report.js";
import { resourceId } from "#limpet/slice/resource.js";

export function emptyReport(address: string): Report {
  const incarnation = "x";
  return {
    cluster: "limpet",
    id: resourceId(address, incarnation),
    address,
    incarnation,
    state: "running",
    generation: NO_GENERATION,
    load: 0,
    serves: [],
    moved: [],
    aborted: [],
    offers: [],
  };
}
