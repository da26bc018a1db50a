// A simulated cluster: aggregators, routers and an assigner under load, things done to it, and what must hold afterwards.
//
// Judgement: every line that a router took is in exactly one window, once, and every window of every key is stored with exactly the
// value that a single process would have written. Nothing is late, nobody loses state, no value is written twice with two contents.
import type { AssignerLimits } from "#limpet/assign/limits.js";
import type { RouterOptions } from "#limpet/route/router.js";
import { type Assignment, assignmentFault } from "#limpet/slice/assignment.js";
import { formatGeneration, isNewer, NO_GENERATION } from "#limpet/slice/generation.js";
import type { SliceletAction } from "#limpet/slicelet/slicelet.js";
import type { Matter } from "./matter.js";
import { GRACE_MS, HOLD_MS, type ModelRules, WINDOW_MS } from "./modelHoldings.js";
import { ModelMatter } from "./modelMatter.js";
import { AggregatorNode, AssignerNode, RouterNode, type SimFolder, SimStore } from "./nodes.js";
import { Tsdb } from "./tsdb.js";
import { World } from "./world.js";

/** So that there is something to see in a minute; and a lease that this weather does not break, which would be a crash, not a plan. */
const LIMITS: Partial<AssignerLimits> = { leaseMs: 6000, roundMs: 2000, joinMs: 2000, cooldownMs: 4000, resourcesMin: 3, movesMax: 4 };
const ACTIVATION_MS = 10_000;

export interface ClusterOptions {
  readonly seed: number;
  readonly aggregators: number;
  readonly routers: number;
  readonly rules?: Partial<ModelRules>;
  readonly routing?: Partial<RouterOptions>;
  /** What it is made of; the model without. */
  readonly matter?: (cluster: Cluster) => Matter;
}

export class Cluster {
  readonly world: World;
  readonly tsdb = new Tsdb();
  readonly store = new SimStore();
  readonly rules: ModelRules;
  readonly routing: Partial<RouterOptions>;
  routers: RouterNode[];
  /** --data of those that stay, by address. */
  readonly folders = new Map<string, SimFolder>();
  readonly losses: string[] = [];
  readonly notices: string[] = [];
  aggregators: AggregatorNode[] = [];
  assigner: AssignerNode | undefined;
  readonly matter: Matter;
  /** Since when each version of the rules holds, event time. */
  versions: readonly number[] = [0];
  #started = 0;
  moves = 0;
  aborted = 0;
  pauseMsMax = 0;
  generations = 0;
  readonly faults: string[] = [];
  #newest = NO_GENERATION;
  #late = 0;
  /** Rows by fate, of those that have ended. */
  readonly #rows = { made: 0, arrived: 0, moved: 0, stored: 0, refused: 0 };

  constructor({ seed, aggregators, routers, rules = {}, routing = {}, matter }: ClusterOptions) {
    this.world = new World(seed);
    this.rules = { gap: true, duplicate: true, hold: true, go: true, withdraw: true, oneWindow: true, needRules: true, back: true, ...rules };
    this.routing = routing;
    this.matter = matter?.(this) ?? new ModelMatter(this);
    this.startAssigner();
    for (let i = 0; i < aggregators; i++) this.start();
    this.routers = Array.from({ length: routers }, (_, i) => new RouterNode(this, `r${String(i)}`));
  }

  // ---- what may be done to it --------------------------------------------------------------------------------------------

  /** A new aggregator; at an address of its own unless one is given. */
  start(address = `http://a${String(this.#started + 1)}`): AggregatorNode {
    this.#started++;
    const folder = this.folders.get(address);
    // Good for one start.
    this.folders.delete(address);
    const node = new AggregatorNode(this, address, `i${String(this.#started)}`, folder);
    this.aggregators.push(node);
    const { assignment } = this.assigner ?? {};
    if (assignment !== undefined) node.step({ kind: "assignment", assignment });
    return node;
  }

  startAssigner(): void {
    this.assigner = new AssignerNode(this, LIMITS);
  }

  stopAssigner(): void {
    if (this.assigner !== undefined) this.assigner.alive = false;
    this.assigner = undefined;
  }

  /** The assigner has other rules, for windows from a while later on: long enough for routers to have them by then. */
  changeRules(): boolean {
    const fromMs = this.world.nowMs + ACTIVATION_MS;
    if (this.assigner === undefined || fromMs <= (this.versions.at(-1) ?? 0)) return false;
    this.versions = [...this.versions, fromMs];
    return true;
  }

  /** One router's process stops, keeps what it has, and goes on. */
  restartRouter(): string {
    const at = this.world.pick(this.routers.length);
    this.routers = this.routers.map((router, i) => (i === at ? router.restartInPlace() : router));
    return this.routers[at]?.name ?? "";
  }

  run(ms: number): void {
    this.world.run(this.world.nowMs + ms);
    this.#judge();
  }

  /** Runs until something holds; false: it did not in time. */
  runUntil(holds: () => boolean, msMax: number): boolean {
    for (const end = this.world.nowMs + msMax; this.world.nowMs < end; ) {
      if (holds()) return true;
      this.run(100);
    }
    return holds();
  }

  // ---- what nodes ask for ------------------------------------------------------------------------------------------------

  at(address: string): AggregatorNode | undefined {
    return this.aggregators.find((node) => node.alive && node.address === address);
  }

  ended(node: AggregatorNode): void {
    this.#late += node.holdings.late;
    node.holdings.dispose();
    this.#countRows(node);
    this.aggregators = this.aggregators.filter((other) => other !== node);
  }

  dispose(): void {
    for (const { holdings } of this.aggregators) holdings.dispose();
    for (const { input } of this.routers) input.dispose();
  }

  published(assignment: Assignment): void {
    this.generations++;
    const fault = assignmentFault(assignment);
    if (fault !== undefined) this.faults.push(`generation ${formatGeneration(assignment.generation)}: ${fault}`);
    if (!isNewer(assignment.generation, this.#newest)) this.faults.push(`generation ${formatGeneration(assignment.generation)} is not newer`);
    this.#newest = assignment.generation;
    for (const node of [...this.aggregators, ...this.routers]) {
      this.world.tell(() => {
        if (node.alive) node.step({ kind: "assignment", assignment });
      });
    }
  }

  noteMove({ how, pauseMs }: Extract<SliceletAction, { kind: "moved" }>): void {
    if (how === "in") return;
    if (how === "out") this.moves++;
    else this.aborted++;
    this.pauseMsMax = Math.max(this.pauseMsMax, pauseMs);
  }

  // ---- judgement ---------------------------------------------------------------------------------------------------------

  /** Invariant: no two processes serve one key in the same term, nor at the same time for long; here: never in one term. */
  #judge(): void {
    const serving = this.aggregators.flatMap((node) =>
      node.holdings
        .held()
        .flatMap((held) => (held.frozen ? [] : [{ id: node.id, low: held.low, high: held.high, term: formatGeneration(held.term) }])),
    );
    const sorted = serving.toSorted((a, b) => a.low - b.low);
    for (const [i, one] of sorted.entries()) {
      const next = sorted[i + 1];
      if (next !== undefined && next.low < one.high && next.term === one.term)
        this.faults.push(`${one.id} and ${next.id} both serve ${String(next.low)} in term ${one.term}`);
    }
  }

  /** Fair weather, routers say goodbye, every window closes. Returns what is wrong then. */
  finish(): string[] {
    const { weather } = this.world;
    weather.loss = weather.repeat = weather.slow = 0;
    this.tsdb.presence = "here";
    if (this.assigner === undefined) this.startAssigner();
    this.run(12_000);
    for (const router of this.routers) router.stop();
    if (!this.runUntil(() => this.routers.every(({ alive }) => !alive), 60_000)) this.faults.push("a router cannot deliver what it has");
    this.run(WINDOW_MS + GRACE_MS + HOLD_MS + 6000);
    // Totals go on. What a long absence of the receiver left takes a while, by the dozen.
    this.runUntil(() => this.aggregators.every(({ sink }) => sink.idle), 60_000);
    const late = this.#late + this.aggregators.reduce((sum, { holdings }) => sum + holdings.late, 0);
    if (late > 0) this.faults.push(`${String(late)} lines came for closed windows`);
    for (const { router, name } of this.routers)
      if (router.retention.bytes > 0) this.faults.push(`${name} still holds ${String(router.retention.bytes)} bytes`);
    for (const node of this.aggregators) this.#countRows(node);
    return [...this.faults, ...this.losses, ...this.#booksOfRows(), ...this.tsdb.conflicts, ...this.matter.differences()].slice(0, 8);
  }

  #countRows({ sink }: AggregatorNode): void {
    const { stored, conflict, unknown, moved } = sink.stats;
    this.#rows.made += sink.made;
    this.#rows.arrived += sink.arrived;
    this.#rows.moved += moved + sink.kept;
    this.#rows.stored += stored;
    this.#rows.refused += conflict + unknown;
  }

  /** Every row has one fate, at one process; none is refused, for whatever comes twice is the newest of its series. */
  #booksOfRows(): string[] {
    const { made, arrived, moved, stored, refused } = this.#rows;
    const said = JSON.stringify(this.#rows);
    return made + arrived === moved + stored && arrived === moved && refused === 0 ? [] : [`rows do not add up: ${said}`];
  }
}
