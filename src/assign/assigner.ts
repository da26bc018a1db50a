// The assigner: a pure machine that turns what Slicelets report into Assignments. It knows no clock, store or network: a driver (or
// a simulator) calls handle() with the time and an event, carries out the actions it returns, and brings their outcome back as events.
//
//   Slicelets ──report──▶ ┌──────────┐ ──commit──▶ store ──committed | refused | unwritten──▶ (back in)
//   operator ──drain────▶ │ Assigner │ ──read────▶ store ──stored──▶ (back in)
//   rules, time ────────▶ └──────────┘ ──publish─▶ watchers (every Slicelet and router)      ──notice──▶ log
//
//   blind ──one lease after the start, or Slicelets know the store's Generation──▶ open ◀──▶ busy (one commit in flight)
//     no Generation is made                                                          └──▶ behind (catchUp.ts)
//
// - Assignments are published only when committed. One commit is in flight at a time; meanwhile events are only noted.
// - Nothing changes, nothing is issued. What cannot wait (a death, a drain, the word that a move is over) is issued after `urgentMs`;
//   splits, merges and balancing happen in rounds of `roundMs`, and not while Resources come and go.
// - A published move ends by the owner's word (settle.ts). With nobody there who could own anything the last Assignment stays.
// - What is not in an Assignment (loads, cooldowns, heirs) is lost with the process; it is learned again from reports.
import type { Assignment } from "../slice/assignment.js";
import { compareGenerations, formatGeneration, type Generation, isNewer, NO_GENERATION } from "../slice/generation.js";
import { WHOLE } from "../slice/keyRange.js";
import type { Report, ReportAnswer } from "../slice/report.js";
import type { Resource } from "../slice/resource.js";
import { balance } from "./algorithm/balance.js";
import { drain, type Heirs } from "./algorithm/drain.js";
import { dealFirst } from "./algorithm/first.js";
import { merge } from "./algorithm/merge.js";
import { placeOrphans } from "./algorithm/place.js";
import { Plan } from "./algorithm/plan.js";
import { split } from "./algorithm/split.js";
import { type Note, SliceBook } from "./book.js";
import { highestOf, Seen } from "./catchUp.js";
import type { Decision } from "./decision.js";
import { type Member, Members } from "./health.js";
import { ASSIGNER_LIMITS, type AssignerLimits } from "./limits.js";
import { bury, hearAll, holdMs, isNews } from "./settle.js";

export type AssignerEvent =
  /** A heartbeat. Answer it with answer(). */
  | { readonly kind: "report"; readonly report: Report }
  /** A Slicelet has PUT the Assignment it knows, because answer() asked for it. */
  | { readonly kind: "seen"; readonly assignment: Assignment }
  /** An operator's word: everything off this Resource. Unknown ids do nothing. */
  | { readonly kind: "drain"; readonly resource: string }
  /** Another version of the rules is in force: its hash. */
  | { readonly kind: "rules"; readonly hash: string }
  /** Every 100 ms or so. */
  | { readonly kind: "tick" }
  /** The outcome of the commit in flight. refused: the store had another Generation. unwritten: it may or may not be stored. */
  | { readonly kind: "committed" }
  | { readonly kind: "refused"; readonly stored: Assignment | undefined }
  | { readonly kind: "unwritten"; readonly message: string }
  /** What the store holds, after a `read`. */
  | { readonly kind: "stored"; readonly stored: Assignment | undefined };

export type AssignerAction =
  /** Compare-and-swap into the store; `expected` undefined: nothing is stored. */
  | { readonly kind: "commit"; readonly expected: Generation | undefined; readonly assignment: Assignment }
  /** Read the store again: somebody else may have written. */
  | { readonly kind: "read" }
  /** To every watcher. `decisions`: why it differs from the one before. */
  | { readonly kind: "publish"; readonly assignment: Assignment; readonly decisions: readonly Decision[] }
  | { readonly kind: "notice"; readonly level: "info" | "warn" | "error"; readonly text: string };

export interface AssignerOptions {
  readonly nowMs: number;
  /** What the store holds at the start. */
  readonly stored: Assignment | undefined;
  /** Hash of the rules in force. */
  readonly rules: string;
  readonly limits?: Partial<AssignerLimits>;
}

/** After a failed write. */
const RETRY_MS = 1000;
/** A move that its owner called off is not tried again for so long: what made it do so may pass. */
const ABORTED_MS = 3000;
/** Leases after its start in which a report may come that was sent to the process before. */
const LATE_LEASES = 2;
/** Leases that the first Assignment waits for `resourcesMin`. */
const PATIENCE = 10;

interface InFlight {
  readonly assignment: Assignment;
  readonly decisions: readonly Decision[];
  readonly balancing: boolean;
}

export class Assigner {
  readonly #limits: AssignerLimits;
  readonly #startMs: number;
  readonly #members: Members;
  readonly #book = new SliceBook();
  readonly #seen = new Seen();
  readonly #heirs: Heirs = new Map();
  #rules: string;
  /** The newest that was committed, and what the store is thought to hold. */
  #current: Assignment | undefined;
  #stored: Generation | undefined;
  #inFlight: InFlight | undefined;
  /** Something has happened that cannot wait for the next round. */
  #urgent = true;
  #balancing = false;
  /** The store has lost what was committed: the next Generation gets a new incarnation. */
  #rolledBack = false;
  #blind = true;
  /** Nobody is removed before; ms. */
  #settledMs: number;
  #issuedMs = Number.NEGATIVE_INFINITY;
  #roundMs: number;
  /** When to look again without any event; ms. */
  #dueMs = Number.POSITIVE_INFINITY;
  #retryMs = Number.NEGATIVE_INFINITY;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor({ nowMs, stored, rules, limits }: AssignerOptions) {
    this.#limits = { ...ASSIGNER_LIMITS, ...limits };
    this.#startMs = nowMs;
    this.#settledMs = nowMs + this.#limits.leaseMs;
    this.#roundMs = nowMs;
    this.#rules = rules;
    this.#members = new Members(this.#limits);
    if (stored !== undefined) this.#follow(nowMs, stored);
    this.#stored = stored?.generation;
  }

  /** The newest committed Assignment; undefined before the first. */
  get assignment(): Assignment | undefined {
    return this.#current;
  }

  /** Everybody it knows, gone ones for a while too. */
  members(): readonly Member[] {
    return this.#members.all();
  }

  /** What is known of each Slice of the newest Assignment, in order. */
  notes(): readonly Note[] {
    return this.#book.notes();
  }

  /** What a heartbeat hears back. */
  answer({ generation }: Report): ReportAnswer {
    const own = this.#current?.generation ?? NO_GENERATION;
    return { generation: own, wantsAssignment: isNewer(generation, own) };
  }

  handle(nowMs: number, event: AssignerEvent): AssignerAction[] {
    const actions: AssignerAction[] = [];
    this.#note(nowMs, event, actions);
    const changed = event.kind === "report" ? this.#members.refreshOne(nowMs, event.report.id) : this.#members.refresh(nowMs);
    if (changed) this.#urgent = true;
    // A heartbeat without news is the common case, and there are thousands a second.
    if (this.#urgent || event.kind !== "report") this.#act(nowMs, actions);
    return actions;
  }

  // ---- events --------------------------------------------------------------------------------------------------------------

  #note(nowMs: number, event: AssignerEvent, actions: AssignerAction[]): void {
    switch (event.kind) {
      case "report":
        return this.#reported(nowMs, event.report, actions);
      case "seen":
        return this.#seen.put(event.assignment);
      case "drain":
        if (this.#members.drain(event.resource)) this.#urgent = true;
        return;
      case "rules":
        this.#rules = event.hash;
        this.#urgent = true;
        return;
      case "tick":
        return;
      case "committed":
        return this.#committed(nowMs, actions);
      case "refused":
        this.#inFlight = undefined;
        return this.#learn(nowMs, event.stored, actions);
      case "unwritten":
        this.#inFlight = undefined;
        this.#retryMs = nowMs + RETRY_MS;
        this.#readMs = Number.NEGATIVE_INFINITY;
        actions.push(
          { kind: "notice", level: "error", text: `the store cannot be written: ${event.message}; the last Assignment stays in force` },
          { kind: "read" },
        );
        return;
      case "stored":
        if (this.#inFlight === undefined) this.#learn(nowMs, event.stored, actions);
    }
  }

  #reported(nowMs: number, report: Report, actions: AssignerAction[]): void {
    const known = this.#members.get(report.id) !== undefined;
    const isYoung = nowMs - this.#startMs < LATE_LEASES * this.#limits.leaseMs;
    if (!this.#members.report(nowMs, report, isYoung ? (this.#current?.generation ?? NO_GENERATION) : undefined)) {
      actions.push({
        kind: "notice",
        level: "warn",
        text: `${report.id} is not taken in: ${String(this.#limits.resourcesMax)} resources are known already`,
      });
      return;
    }
    if (!known) actions.push({ kind: "notice", level: "info", text: `${report.id} is here` });
    this.#book.report(nowMs, report);
    if (this.#current !== undefined && isNews(this.#current, report, this.#members)) this.#urgent = true;
  }

  #committed(nowMs: number, actions: AssignerAction[]): void {
    const done = this.#inFlight;
    if (done === undefined) return;
    this.#inFlight = undefined;
    this.#stored = done.assignment.generation;
    this.#rolledBack = false;
    this.#balancing = done.balancing;
    this.#follow(nowMs, done.assignment);
    // What was noted meanwhile was judged by the Assignment before.
    this.#urgent = true;
    actions.push({ kind: "publish", assignment: done.assignment, decisions: done.decisions });
  }

  /** What the store holds, when it is not what was thought. */
  #learn(nowMs: number, stored: Assignment | undefined, actions: AssignerAction[]): void {
    this.#stored = stored?.generation;
    const own = this.#current?.generation ?? NO_GENERATION;
    if (stored !== undefined && isNewer(stored.generation, own)) {
      this.#follow(nowMs, stored);
      actions.push({ kind: "publish", assignment: stored, decisions: [] });
    } else if (compareGenerations(stored?.generation ?? NO_GENERATION, own) !== 0) {
      this.#rolledBack = true;
      const text = `the store holds ${formatGeneration(stored?.generation ?? NO_GENERATION)}, which is older than ${formatGeneration(own)}; going on under a new incarnation`;
      actions.push({ kind: "notice", level: "warn", text });
    }
    this.#urgent = true;
  }

  #follow(nowMs: number, assignment: Assignment): void {
    this.#current = assignment;
    this.#members.seed(nowMs, assignment.resources);
    this.#members.refresh(nowMs);
    // Whose state was held when we came is not known: as long as for one that said it stays.
    this.#book.follow(nowMs, assignment, (owner) => (owner === null ? this.#limits.stayMs : holdMs(this.#members.get(owner), this.#limits)));
  }

  // ---- acting --------------------------------------------------------------------------------------------------------------

  #act(nowMs: number, actions: AssignerAction[]): void {
    const gapMs = this.#limits.urgentMs + (this.#current?.slices.length ?? 0) / 100;
    if (this.#inFlight !== undefined || nowMs < this.#retryMs || nowMs - this.#issuedMs < gapMs || this.#isBlind(nowMs)) return;
    const own = this.#current?.generation ?? NO_GENERATION;
    const caught = this.#seen.compare(nowMs, own, { members: this.#members.all(), leaseMs: this.#limits.leaseMs });
    if (caught.state === "wait") return this.#reread(nowMs, actions);
    if (caught.state === "adopt") {
      const { generation } = caught.assignment;
      actions.push({ kind: "notice", level: "warn", text: `the store is behind: adopting ${formatGeneration(generation)} as Slicelets know it` });
      const assignment = { ...caught.assignment, generation: this.#nextAfter(generation) };
      return this.#commit(nowMs, { assignment, decisions: [], balancing: this.#balancing }, actions);
    }
    if (caught.state === "give_up") {
      this.#rolledBack = true;
      this.#urgent = true;
    }
    const roundDue = nowMs - this.#roundMs >= this.#limits.roundMs;
    if (!this.#urgent && !roundDue && nowMs < this.#dueMs) return;
    this.#urgent = false;
    if (roundDue) this.#roundMs = nowMs;
    this.#plan(nowMs, roundDue, actions);
  }

  #reread(nowMs: number, actions: AssignerAction[]): void {
    if (nowMs - this.#readMs < RETRY_MS) return;
    this.#readMs = nowMs;
    actions.push({ kind: "read" });
  }

  /** Whether it may not issue anything (yet). */
  #isBlind(nowMs: number): boolean {
    const alive = this.#members.alive();
    if (alive.length === 0) {
      // Those who come back first shall not get the Slices of those who come a moment later.
      this.#settledMs = Math.max(this.#settledMs, nowMs + this.#limits.leaseMs);
      return true;
    }
    if (this.#blind) this.#blind = this.#current === undefined ? !this.#isFirstDue(nowMs) : nowMs < this.#settledMs && !this.#isConfirmed();
    return this.#blind;
  }

  #isFirstDue(nowMs: number): boolean {
    const { leaseMs, resourcesMin } = this.#limits;
    const running = this.#members.running().length;
    if (running >= resourcesMin) return resourcesMin > 1 || nowMs >= this.#settledMs;
    return running > 0 && nowMs - this.#startMs >= PATIENCE * leaseMs;
  }

  /**
   * Whether nobody can know a newer Generation than the store's: everybody listed has been heard, and one of them knows that one. A
   * single one who lags behind would confirm a store that was rolled back, and a Generation would be issued twice. So would all of
   * them while Generations follow each other fast, which they do where slices move.
   */
  #isConfirmed(): boolean {
    const { generation, slices = [] } = this.#current ?? {};
    const listed = this.#members.all().filter(({ state }) => state === "running" || state === "draining");
    if (generation === undefined || listed.some(({ report }) => report === undefined)) return false;
    if (slices.some(({ move }) => move !== null) || listed.some(({ state }) => state === "draining")) return false;
    return listed.some(({ report }) => report !== undefined && compareGenerations(report.generation, generation) === 0);
  }

  #nextAfter(seen: Generation): Generation {
    const own = this.#current?.generation ?? NO_GENERATION;
    let newest = isNewer(seen, own) ? seen : own;
    const offered = this.#current === undefined ? this.#members.all().flatMap(({ report }) => report?.offers.map(({ number }) => number) ?? []) : [];
    for (const generation of [highestOf(this.#members.all()), this.#stored ?? NO_GENERATION, ...offered])
      if (isNewer(generation, newest)) newest = generation;
    const fresh = this.#rolledBack || isNewer(newest, own) || newest.incarnation === 0;
    return { incarnation: newest.incarnation + (fresh ? 1 : 0), number: newest.number + 1 };
  }

  #plan(nowMs: number, roundDue: boolean, actions: AssignerAction[]): void {
    const next = this.#nextAfter(NO_GENERATION);
    const plan = this.#open(nowMs, next);
    const limits = { ...this.#limits, retryMs: ABORTED_MS };
    hearAll(plan, this.#members);
    let balancing = this.#balancing;
    if (plan.running().length > 0) {
      this.#bury(nowMs, plan);
      drain(plan, this.#heirs, limits);
      if (roundDue && this.#isCalm(nowMs, plan)) {
        split(plan);
        merge(plan);
        balancing = balance(plan, balancing, limits);
      }
    }
    const assignment = { generation: next, rules: this.#rules, slices: plan.slices(), resources: this.#resources(plan) };
    const isFirst = this.#current === undefined;
    if (isFirst ? assignment.slices.some(({ owner }) => owner === null) : !plan.changed() && !this.#isNewsOf(assignment)) {
      this.#balancing = balancing;
      return;
    }
    this.#commit(nowMs, { assignment, decisions: plan.decisions, balancing }, actions);
  }

  #bury(nowMs: number, plan: Plan): void {
    if (this.#current !== undefined && nowMs < this.#settledMs) {
      this.#dueMs = this.#settledMs;
      return;
    }
    const { lost, dueMs } = bury(plan, { nowMs, members: this.#members, limits: this.#limits });
    this.#dueMs = dueMs;
    if (this.#current === undefined) dealFirst(plan, lost);
    else placeOrphans(plan, lost);
  }

  /** Nobody comes or goes. */
  #isCalm(nowMs: number, { seats }: Plan): boolean {
    return seats.every(({ state, pieces }) => state === "running" || pieces === 0) && nowMs - this.#members.changedMs >= this.#limits.joinMs;
  }

  #open(nowMs: number, next: Generation): Plan {
    const nobody = { ...WHOLE, owner: null, standby: null, movingTo: null, move: null, term: NO_GENERATION };
    return new Plan({
      nowMs,
      next,
      slices: this.#current?.slices ?? [nobody],
      notes: this.#book.notes(),
      resources: this.#members.all(),
    });
  }

  /** Those who are there, and those who are named. */
  #resources(plan: Plan): Resource[] {
    const named = new Set<string>();
    for (const { owner, standby, movingTo } of plan.pieces) for (const id of [owner, standby, movingTo]) if (id !== null) named.add(id);
    const resources: Resource[] = [];
    for (const { id, address, incarnation, state, replaced, report } of this.#members.all()) {
      if ((state !== "gone" && !replaced) || named.has(id)) resources.push({ id, address, incarnation, state, load: report?.load ?? 0 });
      named.delete(id);
    }
    for (const resource of this.#current?.resources ?? []) if (named.has(resource.id)) resources.push({ ...resource, state: "gone" });
    return resources.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Whether it says more than that loads are other ones. */
  #isNewsOf({ rules, resources }: Assignment): boolean {
    const current = this.#current;
    if (current?.rules !== rules || resources.length !== current.resources.length || this.#rolledBack) return true;
    const states = new Map(current.resources.map(({ id, state }) => [id, state]));
    return resources.some(({ id, state }) => states.get(id) !== state);
  }

  #commit(nowMs: number, inFlight: InFlight, actions: AssignerAction[]): void {
    this.#inFlight = inFlight;
    this.#issuedMs = nowMs;
    actions.push({ kind: "commit", expected: this.#stored, assignment: inFlight.assignment });
  }
}
