// A Resource is one aggregator process. Its address says where it is, its incarnation (new at every start) which process it is:
// routing follows the address, state the incarnation.

/**
 * running: may own. draining: owns what it has not handed on yet, gets nothing; final for its incarnation.
 * staying: stopped and will be back in place, its slices are kept for it. gone: silent or dead.
 */
export type ResourceState = "running" | "draining" | "staying" | "gone";

export interface Resource {
  /** `host:port@incarnation`, unique. */
  readonly id: string;
  /** Base URL without a slash at its end. */
  readonly address: string;
  readonly incarnation: string;
  readonly state: ResourceState;
  /** Share of one core it is busy, 0..1 or more; as it reported last. */
  readonly load: number;
}

/** The id of the process that serves at `address`. */
export function resourceId(address: string, incarnation: string): string {
  return `${address.replace(/^https?:\/\//, "")}@${incarnation}`;
}
