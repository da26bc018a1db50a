// The processes of a simulated cluster: the machines of src/ with a driver that knows only virtual time. An address outlives the
// process that listens on it, as in life.
import { Assigner, type AssignerAction, type AssignerEvent, type AssignerOptions } from "#limpet/assign/assigner.js";
import { ROUTER_DEFAULTS, Router, type RouterAction, type RouterEvent } from "#limpet/route/router.js";
import { decodeSavedRouter, encodeSavedRouter, type SavedRouter } from "#limpet/route/savedRouter.js";
import type { Assignment } from "#limpet/slice/assignment.js";
import { compareGenerations } from "#limpet/slice/generation.js";
import { contains } from "#limpet/slice/keyRange.js";
import type { Report, ReportAnswer } from "#limpet/slice/report.js";
import { resourceId } from "#limpet/slice/resource.js";
import type { CopyAnswer, CopyHead, Go, GoAnswer } from "#limpet/slicelet/messages.js";
import { MOVE_LIMITS } from "#limpet/slicelet/outgoing.js";
import { Slicelet, type SliceletAction, type SliceletEvent } from "#limpet/slicelet/slicelet.js";
import type { Cluster } from "./cluster.js";
import type { Disk, NodeInput, NodeState } from "./matter.js";
import { type PlainBlock, pickPlain, SimSink } from "./sink.js";

const TICK_MS = 100;

function every(cluster: Cluster, isAlive: () => boolean, run: () => void): void {
  cluster.world.after(TICK_MS / 2 + cluster.world.pick(TICK_MS), () => {
    if (!isAlive()) return;
    run();
    every(cluster, isAlive, run);
  });
}

/** What lies in an aggregator's --data. */
export interface SimFolder {
  readonly disk: Disk;
  readonly rows: readonly PlainBlock[];
  readonly assignment: Assignment | undefined;
}

export class AggregatorNode {
  readonly id: string;
  readonly address: string;
  readonly holdings: NodeState;
  readonly slicelet: Slicelet;
  readonly #cluster: Cluster;
  readonly sink: SimSink;
  alive = true;
  #reply = 0;
  #replies = new Map<number, SliceletAction>();
  /** Of --data, not yet with the sink. */
  #rows: readonly PlainBlock[] = [];
  #leaving = false;
  /** Of one that stays: when both are so, its checkpoint is written. */
  #staying: { isStill: boolean; isHeard: boolean } | undefined;

  /** `folder`: what lies in its --data. */
  constructor(cluster: Cluster, address: string, incarnation: string, folder?: SimFolder) {
    this.#cluster = cluster;
    this.address = address;
    this.id = resourceId(address, incarnation);
    this.holdings = cluster.matter.state(cluster.assigner === undefined ? (folder?.disk.versions ?? []) : cluster.versions, folder?.disk);
    this.sink = new SimSink(cluster);
    const self = { id: this.id, address, incarnation, cluster: "sim" };
    this.slicelet = new Slicelet({
      self,
      holdings: this.holdings,
      limits: { ...MOVE_LIMITS, freezeBytes: 300 },
      heartbeatMs: 500,
      offers: folder?.disk.offers ?? [],
    });
    this.#rows = folder?.rows ?? [];
    if (folder?.assignment !== undefined) this.step({ kind: "assignment", assignment: folder.assignment });
    every(
      cluster,
      () => this.alive,
      () => {
        this.holdings.flush(cluster.world.nowMs, this.sink);
        this.step({ kind: "tick" });
        if (this.#staying?.isStill === true && this.#staying.isHeard) this.#keep();
        if (this.holdings.lacksVersions) this.#askForRules();
        if (this.#leaving) this.#leave();
      },
    );
  }

  /** Whether it has the rules that a router goes by. */
  hasRules(hash: string): boolean {
    return !this.#cluster.rules.needRules || Number(hash) <= this.holdings.versions.length;
  }

  /** Rules are offered by a router, or were asked for. */
  takeRules(versions: readonly number[]): void {
    if (versions.length > this.holdings.versions.length) this.holdings.versions = versions;
  }

  #askForRules(): void {
    this.holdings.lacksVersions = false;
    this.#cluster.world.request(
      () => this.#cluster.assigner && this.#cluster.versions,
      (versions) => {
        if (versions !== undefined && this.alive) this.takeRules(versions);
      },
    );
  }

  /** Its state goes to others, then it ends. */
  drain(): void {
    this.step({ kind: "stop", how: "drain" });
  }

  /** Restart in place: it stops, its state goes to disk and nowhere else. */
  stay(): void {
    this.#staying = { isStill: false, isHeard: false };
    // Whether the assigner hears it is waited for, but not for ever.
    this.#cluster.world.after(2000, () => {
      if (this.#staying !== undefined) this.#staying.isHeard = true;
    });
    this.step({ kind: "stop", how: "stay" });
  }

  /** What was never granted to it stays where it is. */
  #leave(): void {
    if (this.slicelet.offers.length > 0) this.#keep();
    else this.#end();
  }

  #keep(): void {
    const rows = [...this.#rows, ...this.sink.end()];
    this.#cluster.folders.set(this.address, { disk: this.holdings.keep(this.#cluster.world.nowMs), rows, assignment: this.slicelet.assignment });
    this.#end();
  }

  /** Rows from disk go on as soon as their range is served, before anything newer. */
  #resume(): void {
    if (this.#rows.length === 0) return;
    const served = this.holdings.held().filter(({ frozen }) => !frozen);
    const isServed = (key: number): boolean => served.some((range) => contains(range, key));
    this.sink.resume(pickPlain(this.#rows, isServed));
    this.#rows = pickPlain(this.#rows, (key) => !isServed(key));
  }

  step(event: SliceletEvent): void {
    const actions = this.slicelet.step(this.#cluster.world.nowMs, event);
    this.#resume();
    for (const action of actions) this.#carryOut(action);
  }

  /** What a request is answered with. */
  ask(make: (reply: number) => SliceletEvent): SliceletAction | undefined {
    const reply = ++this.#reply;
    this.step(make(reply));
    const answer = this.#replies.get(reply);
    this.#replies.delete(reply);
    return answer;
  }

  #end(): void {
    this.alive = false;
    this.sink.dead = true;
    // What was handed on took its rows along, whatever the receiver does.
    if (!this.sink.idle) this.#cluster.losses.push(`${this.id}: left with ${String(this.sink.stats.queueRows)} rows`);
    this.#cluster.ended(this);
  }

  #carryOut(action: SliceletAction): void {
    const { world } = this.#cluster;
    switch (action.kind) {
      case "answer":
      case "copy_answer":
      case "go_answer":
        this.#replies.set(action.reply, action);
        return;
      case "send_copy":
        this.#post(
          action.address,
          (peer) => peer.copy(action.head, action.bytes),
          (answer) => {
            this.step({ kind: "copy_answered", head: action.head, answer });
          },
        );
        return;
      case "send_go":
        this.#post(
          action.address,
          (peer) => peer.go(action.go),
          (answer) => {
            this.step({ kind: "go_answered", go: action.go, answer });
          },
        );
        return;
      case "withdraw":
        this.sink.withdraw(action.range, (outbox) => {
          if (this.alive) this.step({ kind: "withdrawn", range: action.range, move: action.move, outbox });
        });
        return;
      case "resume":
        // What a holdings interface may not look into, its own model may.
        this.sink.resume(action.outbox as readonly PlainBlock[]);
        return;
      case "report":
        world.request(
          () => this.#cluster.assigner?.report(action.report),
          (answer) => {
            if (answer === undefined || !this.alive) return;
            if (action.report.state === "staying" && this.#staying !== undefined) this.#staying.isHeard = true;
            this.step({ kind: "reported", answer });
          },
        );
        return;
      case "put_assignment":
        world.tell(() => {
          this.#cluster.assigner?.handle({ kind: "seen", assignment: action.assignment });
        });
        return;
      case "moved":
        this.#cluster.noteMove(action);
        return;
      case "lost":
        this.#cluster.losses.push(`${this.id}: ${action.reason}`);
        return;
      case "spare":
        this.#cluster.notices.push(`${this.id}: ${action.reason}`);
        return;
      case "stopped":
        if (this.#staying === undefined) this.#leaving = true;
        else this.#staying.isStill = true;
    }
  }

  copy(head: CopyHead, bytes: Uint8Array): CopyAnswer | undefined {
    const answer = this.ask((reply) => ({ kind: "copy", head, bytes, reply }));
    const { low, high, from, to, move } = head;
    if (!this.#cluster.rules.go && answer?.kind === "copy_answer" && answer.answer === "installed") this.go({ low, high, from, to, move });
    return answer?.kind === "copy_answer" ? answer.answer : undefined;
  }

  go(go: Go): GoAnswer | undefined {
    const answer = this.ask((reply) => ({ kind: "go", go, reply }));
    return answer?.kind === "go_answer" ? answer.answer : undefined;
  }

  #post<T>(address: string, deliver: (peer: AggregatorNode) => T | undefined, done: (answer: T) => void): void {
    this.#cluster.world.request(
      () => {
        const peer = this.#cluster.at(address);
        return peer === undefined ? undefined : deliver(peer);
      },
      (answer) => {
        if (answer !== undefined && this.alive) done(answer);
      },
    );
  }
}

export class RouterNode {
  readonly name: string;
  readonly router: Router;
  readonly #cluster: Cluster;
  alive = true;
  stopping = false;
  #ready = false;
  readonly input: NodeInput;
  #versions: readonly number[] = [];
  #askedMs = 0;
  #assignment: Assignment | undefined;

  /** `saved`: it goes on as that one. */
  constructor(cluster: Cluster, name: string, saved?: SavedRouter, assignment?: Assignment) {
    this.#cluster = cluster;
    this.name = name;
    this.input = cluster.matter.input(name);
    this.router = new Router({
      ...ROUTER_DEFAULTS,
      router: saved?.router ?? `${name}.1`,
      saved,
      cluster: "sim",
      seed: cluster.world.pick(1e9),
      timeoutMs: 1500,
      sealBytes: 400,
      ...cluster.routing,
    });
    this.#takeRules(cluster.versions);
    if (assignment !== undefined) this.step({ kind: "assignment", assignment });
    this.#fetch();
    every(
      cluster,
      () => this.alive,
      () => {
        if (this.#ready && !this.stopping)
          for (const { lane, piece } of this.input.lines(this.router.clerk)) this.step({ kind: "lines", lane, piece });
        this.#askForRules();
        this.step({ kind: "tick" });
      },
    );
  }

  stop(): void {
    this.stopping = true;
    this.step({ kind: "stop", deadlineMs: Number.POSITIVE_INFINITY });
  }

  /** It ends, and another one goes on as it; what is under way is answered to nobody. */
  restartInPlace(): RouterNode {
    this.alive = false;
    this.input.dispose();
    const saved = decodeSavedRouter(encodeSavedRouter(this.router.save(this.#cluster.world.nowMs)));
    if (!saved.ok) throw new Error(saved.error);
    return new RouterNode(this.#cluster, this.name, saved.value, this.#assignment);
  }

  step(event: RouterEvent): void {
    if (event.kind === "assignment") {
      this.#ready = true;
      this.#assignment = event.assignment;
    }
    for (const action of this.router.step(this.#cluster.world.nowMs, event)) this.#carryOut(action);
    if (event.kind === "assignment") this.input.divide(this.router.clerk);
  }

  #takeRules(versions: readonly number[]): void {
    if (versions.length <= this.#versions.length) return;
    this.#versions = versions;
    this.step({ kind: "rules", rules: this.input.useRules(versions, this.router.clerk) });
  }

  /** Often: what the simulator judges is what owners do with rules that routers have in time. */
  #askForRules(): void {
    const { world } = this.#cluster;
    if (world.nowMs - this.#askedMs < 300) return;
    this.#askedMs = world.nowMs;
    world.request(
      () => this.#cluster.assigner && this.#cluster.versions,
      (versions) => {
        if (versions !== undefined && this.alive) this.#takeRules(versions);
      },
    );
  }

  #fetch(): void {
    this.#cluster.world.request(
      () => this.#cluster.assigner?.assignment,
      (assignment) => {
        if (!this.alive) return;
        if (assignment !== undefined) this.step({ kind: "assignment", assignment });
        else if (!this.#ready)
          this.#cluster.world.after(500, () => {
            this.#fetch();
          });
      },
    );
  }

  #carryOut(action: RouterAction): void {
    switch (action.kind) {
      case "send":
        this.#cluster.world.request(
          () => {
            const peer = this.#cluster.at(action.address);
            if (peer?.hasRules(action.head.rules) === false) return "rules" as const;
            const answer = peer?.ask((reply) => ({ kind: "batch", head: action.head, body: action.body, reply }));
            if (peer === undefined || answer?.kind !== "answer") return undefined;
            return { ranges: answer.answers, generation: peer.slicelet.assignment?.generation };
          },
          (answer) => {
            if (!this.alive) return;
            const { attempt } = action;
            if (answer === undefined) this.step({ kind: "failed", attempt });
            else if (answer === "rules") this.step({ kind: "needRules", attempt });
            else
              this.step({
                kind: "answer",
                attempt,
                ranges: answer.ranges,
                ...(answer.generation === undefined ? {} : { generation: answer.generation }),
              });
          },
        );
        return;
      case "fetch":
        this.#fetch();
        return;
      case "offerRules": {
        const offered = this.#versions;
        this.#cluster.world.tell(() => {
          this.#cluster.at(action.address)?.takeRules(offered);
        });
        return;
      }
      case "stopped":
        this.alive = false;
        if (action.left.batches > 0) this.#cluster.losses.push(`${this.name}: ${String(action.left.batches)} batches left`);
    }
  }
}

/** A store that can be rolled back. */
export class SimStore {
  readonly history: Assignment[] = [];

  get stored(): Assignment | undefined {
    return this.history.at(-1);
  }
}

export class AssignerNode {
  readonly #cluster: Cluster;
  readonly #assigner: Assigner;
  alive = true;

  constructor(cluster: Cluster, limits: AssignerOptions["limits"]) {
    this.#cluster = cluster;
    this.#assigner = new Assigner({
      nowMs: cluster.world.nowMs,
      stored: cluster.store.stored,
      rules: "r",
      ...(limits === undefined ? {} : { limits }),
    });
    every(
      cluster,
      () => this.alive,
      () => {
        this.handle({ kind: "tick" });
      },
    );
  }

  get assignment(): Assignment | undefined {
    return this.#assigner.assignment;
  }

  report(report: Report): ReportAnswer {
    const answer = this.#assigner.answer(report);
    this.handle({ kind: "report", report });
    return answer;
  }

  handle(event: AssignerEvent): void {
    if (!this.alive) return;
    for (const action of this.#assigner.handle(this.#cluster.world.nowMs, event)) this.#carryOut(action);
  }

  #carryOut(action: AssignerAction): void {
    const { world, store } = this.#cluster;
    switch (action.kind) {
      case "commit":
        world.after(1 + world.pick(10), () => {
          if (!this.alive) return;
          const generation = store.stored?.generation;
          const same =
            generation === undefined || action.expected === undefined
              ? generation === action.expected
              : compareGenerations(generation, action.expected) === 0;
          if (same) store.history.push(action.assignment);
          this.handle(same ? { kind: "committed" } : { kind: "refused", stored: store.stored });
        });
        return;
      case "read":
        world.after(1 + world.pick(10), () => {
          this.handle({ kind: "stored", stored: store.stored });
        });
        return;
      case "publish":
        this.#cluster.published(action.assignment);
        return;
      case "notice":
        this.#cluster.notices.push(action.text);
    }
  }
}
