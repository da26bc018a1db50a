// Who is there. A report is a heartbeat; a lease without one means gone. Nothing else is proof of anything: a refused connection
// is seen by nobody here, and a slow process looks the same as a dead one until the lease is over.
//
//   running ──said draining (final)──▶ draining ──silence──▶ gone
//      ├─────said staying───▶ staying ──silent for `stay`──▶ gone       (draining too, when something is left that nobody took)
//      └──────────────silence, or another incarnation at its address──▶ gone ──a report──▶ what it said last
//
// A new incarnation at an address proves that the old one is gone for good (it may still be staying: its slices are kept).
import { type Generation, isNewer, NO_GENERATION } from "../slice/generation.js";
import type { Report, ReportedState } from "../slice/report.js";
import type { Resource, ResourceState } from "../slice/resource.js";
import type { AssignerLimits } from "./limits.js";

export interface Member {
  readonly id: string;
  readonly address: string;
  readonly incarnation: string;
  /** The last one; undefined: known from an Assignment only. */
  report: Report | undefined;
  /** The newest Generation it has seen or serves in. */
  highest: Generation;
  heardMs: number;
  /** When it came, or came back. */
  joinedMs: number;
  /** staying is final, and draining but for that. */
  said: ReportedState;
  /** Another incarnation has its address. */
  replaced: boolean;
  state: ResourceState;
  /** When `state` became what it is. */
  sinceMs: number;
}

/** Gone ones are remembered for so long, so that a late report of a replaced one does not bring it back. */
const FORGET_MS = 600_000;

/** Whether a first word is none of a new incarnation, which has nothing yet; it may be news all the same of one whose store has lost it. */
function isOfBefore({ serves, state, generation }: Report, own: Generation): boolean {
  return (serves.length > 0 || state === "staying") && !isNewer(generation, own);
}

export class Members {
  readonly #limits: AssignerLimits;
  readonly #members = new Map<string, Member>();
  /** When the set of those who may own was last another one; for balancing. */
  changedMs = Number.NEGATIVE_INFINITY;

  constructor(limits: AssignerLimits) {
    this.#limits = limits;
  }

  get(id: string | null): Member | undefined {
    return id === null ? undefined : this.#members.get(id);
  }

  all(): readonly Member[] {
    return [...this.#members.values()];
  }

  stateOf(id: string | null): ResourceState {
    return this.get(id)?.state ?? "gone";
  }

  /** Heard of within the lease. */
  alive(): Member[] {
    return this.all().filter(({ state, report }) => (state === "running" || state === "draining") && report !== undefined);
  }

  /** The new incarnation at the address of one that was replaced, once it was heard. */
  heirOf({ address, replaced }: Member): Member | undefined {
    return replaced ? this.all().find((member) => member.address === address && !member.replaced && member.report !== undefined) : undefined;
  }

  running(): Member[] {
    return this.all().filter(({ state }) => state === "running");
  }

  /** Resources of an Assignment that were not heard of: they have a full lease from now on. */
  seed(nowMs: number, resources: readonly Resource[]): void {
    for (const { id, address, incarnation, state } of resources) {
      if (this.#members.has(id)) continue;
      const member = this.#add(nowMs, { id, address, incarnation }, state === "gone" ? "running" : state);
      if (state === "gone") member.heardMs = Number.NEGATIVE_INFINITY;
    }
  }

  /**
   * `own`: the newest Generation of an assigner that has only just started, and may hear late words of those who ended before that; else
   * undefined. False: there are too many.
   */
  report(nowMs: number, report: Report, own?: Generation): boolean {
    const known = this.#members.get(report.id);
    if (known === undefined && this.#members.size >= this.#limits.resourcesMax) return false;
    const member = known ?? this.#add(nowMs, report, report.state);
    if (member.report === undefined)
      this.#replace(member, known !== undefined ? "listed" : own !== undefined && isOfBefore(report, own) ? "late" : "new");
    if (member.replaced) return true;
    member.heardMs = nowMs;
    member.report = report;
    member.highest = report.generation;
    for (const { term } of report.serves) if (isNewer(term, member.highest)) member.highest = term;
    if (member.said === "running" || report.state === "staying") member.said = report.state;
    return true;
  }

  /**
   * Whoever else had its address is gone. But a word may have lain in the network while its successor came: of one that was listed it
   * is late when another one has spoken, and of one that was not, and yet has something, when anybody is known there.
   */
  #replace(member: Member, as: "new" | "listed" | "late"): void {
    const others = this.all().filter((other) => other !== member && other.address === member.address && !other.replaced);
    const isSucceeded = as === "late" ? others.length > 0 : as === "listed" && others.some(({ report }) => report !== undefined);
    if (isSucceeded) member.replaced = true;
    else for (const other of others) other.replaced = true;
  }

  /** An operator's word. False: unknown. */
  drain(id: string): boolean {
    const member = this.#members.get(id);
    if (member === undefined) return false;
    if (member.said === "running") member.said = "draining";
    return true;
  }

  /** Brings the states up to date; true: one has changed. */
  refresh(nowMs: number): boolean {
    let changed = false;
    for (const member of this.#members.values()) {
      if (this.#refresh(nowMs, member)) changed = true;
      else if (member.state === "gone" && nowMs - member.sinceMs > FORGET_MS) this.#members.delete(member.id);
    }
    return changed;
  }

  /** The same for one: a heartbeat must not cost a look at everybody. */
  refreshOne(nowMs: number, id: string): boolean {
    const member = this.#members.get(id);
    return member !== undefined && this.#refresh(nowMs, member);
  }

  #refresh(nowMs: number, member: Member): boolean {
    const state = this.#stateAt(nowMs, member);
    if (state === member.state) return false;
    if (member.state === "gone") member.joinedMs = nowMs;
    member.state = state;
    member.sinceMs = nowMs;
    this.changedMs = nowMs;
    return true;
  }

  #stateAt(nowMs: number, { said, heardMs, replaced }: Member): ResourceState {
    const silentMs = nowMs - heardMs;
    if (said === "staying") return silentMs > this.#limits.stayMs ? "gone" : "staying";
    return replaced || silentMs > this.#limits.leaseMs ? "gone" : said;
  }

  #add(nowMs: number, { id, address, incarnation }: Pick<Resource, "id" | "address" | "incarnation">, said: ReportedState): Member {
    const times = { heardMs: nowMs, joinedMs: nowMs, sinceMs: nowMs };
    // Gone until the next refresh(), which is what makes its coming a change.
    const member: Member = { id, address, incarnation, report: undefined, highest: NO_GENERATION, said, replaced: false, state: "gone", ...times };
    this.#members.set(id, member);
    return member;
  }
}
