// Drives a router: input goes through the partition into the machine, what the machine wants is carried out, time passes. Whoever
// delivers is handed in: HTTP to the owners, or a function call to the Slicelet of the same process.
//
//   starting ──rules and a first Assignment──▶ running ──stop──▶ stopping: no input, deliver, say goodbye ──▶ stopped
//
// While several versions of the rules are in force lines go to the owners of each one's groups, who know which window is whose.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LineDocument } from "../aggregate/lineDocument.js";
import type { Output } from "../aggregate/output.js";
import { Partition } from "../aggregate/partition.js";
import type { Rule } from "../aggregate/rule.js";
import type { RulesInForce } from "../aggregate/ruleVersions.js";
import type { SeriesDocument } from "../aggregate/seriesDocument.js";
import type { SteadyClock } from "../base/clock.js";
import { counted } from "../base/counted.js";
import type { Log } from "../base/log.js";
import type { Delivered } from "../http/batchSender.js";
import type { Health } from "../http/probes.js";
import { Router, type RouterAction, type RouterEvent, type RouterLeft, type RouterOptions } from "../route/router.js";
import type { SavedRouter } from "../route/savedRouter.js";
import type { Assignment } from "../slice/assignment.js";
import type { BatchHead } from "../slice/batch.js";
import { formatGeneration, type Generation, NO_GENERATION } from "../slice/generation.js";
import type { RuleVersion } from "../slice/ruleVersion.js";

/** Who carries batches to owners. */
export interface Delivery {
  deliver(address: string, head: BatchHead, generation: Generation, body: Uint8Array): Promise<Delivered>;
  /** What went wrong; undefined: nothing. */
  offerRules(address: string, version: RuleVersion): Promise<string | undefined>;
}

export interface RouterDriverOptions {
  readonly router: RouterOptions;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly naming: "telegraf" | "vmagent";
  /** Of the partition. */
  readonly memoryBytesMax: number;
  /** How long a declared backlog holds a window. */
  readonly holdMs: number;
  readonly delivery: Delivery;
  /** An Assignment newer than known is about: get it. */
  readonly onBehind: () => void;
  readonly log: Log;
  readonly clock: SteadyClock;
  /** A broken invariant: the process must end. */
  readonly onBroken: (error: unknown) => void;
}

const TICK_MS = 20;
/** A restart in place takes less; a process that shuts its doors is known to be away within less. */
const AWAY_MS = 20_000;
const FAILING_MS = 1500;

interface Failing {
  readonly sinceMs: number;
  /** That it is away. */
  isTold: boolean;
}

function awayOf({ resources }: Assignment): Set<string> {
  const away = new Set(resources.flatMap(({ address, state }) => (state === "staying" || state === "gone" ? [address] : [])));
  for (const { address, state } of resources) if (state === "running" || state === "draining") away.delete(address);
  return away;
}

export class RouterDriver {
  readonly router: Router;
  readonly #options: RouterDriverOptions;
  #partition: Partition | undefined;
  #rules: RulesInForce | undefined;
  #generation = NO_GENERATION;
  #ticking: NodeJS.Timeout | undefined;
  #stopping: Promise<RouterLeft> | undefined;
  #isSuspended = false;
  /** Addresses where, by the newest Assignment, nobody is for now. */
  #away: ReadonlySet<string> = new Set();
  /** Addresses that take nothing. */
  readonly #failing = new Map<string, Failing>();
  #stopped: ((left: RouterLeft) => void) | undefined;
  /** Resolved when there may be room again. */
  #room: (() => void)[] = [];

  constructor(options: RouterDriverOptions) {
    this.#options = options;
    this.router = new Router(options.router);
  }

  start(): void {
    this.#ticking ??= setInterval(() => {
      this.#step({ kind: "tick" });
      if (this.refusal === undefined) for (const go of this.#room.splice(0)) go();
    }, TICK_MS);
  }

  /** NAME.INCARNATION. */
  get name(): string {
    return this.#options.router.router;
  }

  get generation(): Generation {
    return this.#generation;
  }

  get partition(): Partition | undefined {
    return this.#partition;
  }

  /** Hash of the newest rules; "": none yet. */
  get rules(): string {
    return this.#rules?.versions[0].version.hash ?? "";
  }

  /** Why no input can be taken now; undefined: it can. */
  get refusal(): string | undefined {
    if (this.#stopping !== undefined || this.#isSuspended) return "stopping";
    if (this.#partition === undefined) return "waiting for the rules";
    if (this.#generation === NO_GENERATION) return "waiting for an assignment";
    return this.router.full ? "full: what owners have not taken fills --retention-max" : undefined;
  }

  ready(): Health {
    const { refusal } = this;
    return refusal === undefined ? { ok: true } : { ok: false, reason: refusal };
  }

  assignment(assignment: Assignment): void {
    this.#step({ kind: "assignment", assignment });
    const { generation, routes, table } = this.router.clerk;
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#away = awayOf(assignment);
    for (const address of this.#failing.keys()) if (!routes.some((route) => route.address === address)) this.#failing.delete(address);
    this.#partition?.divide(table, routes.length);
    this.#options.log.debug(`assignment ${formatGeneration(generation)}: ${counted(routes.length, "owner")}`);
  }

  /** Goes on with other rules. */
  useRules(inForce: RulesInForce): void {
    this.#rules = inForce;
    this.#partitionAnew(inForce.rules);
    const { versions, rules } = inForce;
    const [newest, ...older] = versions;
    const longest = Math.max(...rules.map(({ intervalMs, graceMs }) => intervalMs + graceMs), 0);
    const shortest = Math.min(...rules.map(({ intervalMs }) => intervalMs));
    this.#step({ kind: "rules", rules: { hash: newest.version.hash, intervalMsMin: shortest, openMsMax: longest } });
    const beside = older.length === 0 ? "" : `, and what is still open of ${counted(older.length, "version")} before`;
    this.#options.log.info(`rules ${newest.version.hash}: ${counted(newest.rules.length, "rule")}${beside}`);
  }

  /** Resolves when input can be taken. */
  async room(): Promise<void> {
    while (this.refusal !== undefined) await new Promise<void>((resolve) => this.#room.push(resolve));
  }

  /** Reads a whole document; ticks and other documents come in between its pieces. All of it is kept from then on. */
  async read(document: LineDocument | SeriesDocument): Promise<void> {
    for (;;) {
      // Whoever sent it gets no answer, and keeps it.
      if (this.#isSuspended) return new Promise<never>(() => undefined);
      this.readPiece(document);
      if (document.done) return;
      await nextTurn();
    }
  }

  /** Reads a piece of a document that is not done. */
  readPiece(document: LineDocument | SeriesDocument): void {
    const partition = this.#partition;
    if (partition === undefined) throw new Error("input before the rules");
    try {
      partition.read(this.#options.clock.now(), document);
      for (const { lane, ...piece } of partition.take()) {
        const route = this.router.clerk.routes[lane];
        if (route === undefined) throw new Error(`lines for lane ${String(lane)}, which is none`);
        this.#step({ kind: "lines", lane: route.address, piece });
      }
    } catch (error) {
      this.#options.onBroken(error);
    }
  }

  /** Delivers what is kept, until `deadlineMs` from now. Later calls wait for the first. */
  stop(deadlineMs: number): Promise<RouterLeft> {
    this.#stopping ??= new Promise<RouterLeft>((resolve) => {
      this.#stopped = resolve;
    }).finally(() => {
      clearInterval(this.#ticking);
    });
    this.#step({ kind: "stop", deadlineMs: this.#options.clock.now() + deadlineMs });
    return this.#stopping;
  }

  /** Stops in place: takes and sends nothing from now on. Returns all that is kept, for the process that goes on as this router. */
  suspend(): SavedRouter {
    this.#isSuspended = true;
    clearInterval(this.#ticking);
    return this.router.save(this.#options.clock.now());
  }

  #partitionAnew(rules: readonly Rule[]): void {
    const { outputs, naming, memoryBytesMax, holdMs } = this.#options;
    const fresh = new Partition({ rules, outputs, naming, memoryBytesMax, holdMs });
    const { routes, table } = this.router.clerk;
    if (routes.length > 0) fresh.divide(table, routes.length);
    const before = this.#partition;
    if (before !== undefined) fresh.succeed(before);
    before?.dispose();
    this.#partition = fresh;
  }

  #step(event: RouterEvent): void {
    if (this.#isSuspended) return;
    try {
      for (const action of this.router.step(this.#options.clock.now(), event)) this.#carryOut(action);
    } catch (error) {
      // A broken invariant in the machine: a restart loses less than wrong numbers.
      this.#options.onBroken(error);
    }
  }

  #carryOut(action: RouterAction): void {
    switch (action.kind) {
      case "send":
        void this.#send(action);
        return;
      case "fetch":
        return this.#options.onBehind();
      case "offerRules":
        void this.#offerRules(action.address);
        return;
      case "stopped":
        this.#stopped?.(action.left);
        return;
    }
  }

  async #send({ attempt, address, head, body }: Extract<RouterAction, { kind: "send" }>): Promise<void> {
    const { delivery } = this.#options;
    const delivered = await delivery.deliver(address, head, this.#generation, body);
    if (delivered.kind !== "failed") this.#failing.delete(address);
    if (delivered.kind === "answered") this.#step({ kind: "answer", attempt, ...delivered.answer });
    else if (delivered.kind === "need_rules") this.#step({ kind: "needRules", attempt });
    else {
      this.#tellFailure(address, head.seq, delivered.message);
      this.#step({ kind: "failed", attempt });
    }
  }

  /** It is a problem when it lasts; of an owner that is restarting in place, as the assigner knows, it is none for longer. */
  #tellFailure(address: string, seq: number, why: string): void {
    const { log, clock } = this.#options;
    const failing = this.#failing.get(address) ?? { sinceMs: clock.now(), isTold: false };
    this.#failing.set(address, failing);
    const forMs = clock.now() - failing.sinceMs;
    const isAway = this.#away.has(address);
    if (forMs >= (isAway ? AWAY_MS : FAILING_MS))
      log.warn(`${address} did not take batch ${String(seq)}: ${why}; it is kept and sent again`, `delivery ${address}`);
    else if (isAway && !failing.isTold) {
      failing.isTold = true;
      log.info(`${address} is restarting (${why}): what is for it is kept, and sent when it is back`);
    }
  }

  async #offerRules(address: string): Promise<void> {
    const newest = this.#rules?.versions[0];
    if (newest === undefined) return;
    const problem = await this.#options.delivery.offerRules(address, newest.version);
    if (problem !== undefined) this.#options.log.warn(`${address} did not take rules ${newest.version.hash}: ${problem}`, `rules ${address}`);
  }
}
